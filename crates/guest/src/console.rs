//! Messages to the people at the machine.
//!
//! Every active console gets every message: with `console=ttyS0 console=tty0` /dev/console is
//! tty0 alone, and a cloud shows the other one. Each console has a thread and a bounded queue,
//! so a stuck one (flow control, a hypervisor that does not read) never holds up the boot. The
//! same text goes to [`LOG`], once /run is there.

mod writer;

use std::collections::VecDeque;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::sync::lock;
use writer::Writer;

/// Where the messages of this boot can be read again.
pub(crate) const LOG: &str = "/run/nodeimage/init.log";

/// Names of the consoles in use.
const ACTIVE: &str = "/sys/class/tty/console/active";

/// Bytes that [`LOG`] may grow to.
const LOG_LIMIT: u64 = 4 << 20;

/// Bytes kept for [`LOG`] until it can be opened.
const BACKLOG_LIMIT: usize = 64 << 10;

/// Writes one message, without its line end, to every active console.
macro_rules! say {
    ($($argument:tt)*) => { $crate::console::write(format_args!($($argument)*)) };
}
pub(crate) use say;

static STATE: Mutex<State> = Mutex::new(State {
    writers: Vec::new(),
    log: None,
    logged: 0,
    backlog: VecDeque::new(),
});

struct State {
    writers: Vec<Writer>,
    log: Option<File>,
    logged: u64,
    backlog: VecDeque<u8>,
}

/// The function behind [`say!`]; also for text of several lines.
pub(crate) fn write(message: fmt::Arguments<'_>) {
    let mut line = message.to_string();
    if !line.ends_with('\n') {
        line.push('\n');
    }
    let mut state = lock(&STATE);
    state.refresh();
    for writer in &state.writers {
        writer.push(line.as_bytes());
    }
    state.record(line.as_bytes());
}

/// Waits until everything is written, at most `limit`; stuck consoles are given up.
pub(crate) fn flush(limit: Duration) {
    let end = Instant::now() + limit;
    let state = lock(&STATE);
    for writer in &state.writers {
        writer.flush(end);
    }
}

impl State {
    /// Follows the kernel's list: a driver loaded later may bring another console (hvc0).
    fn refresh(&mut self) {
        let mut names = active();
        if names.is_empty() {
            names.push("console".to_owned());
        }
        if names.iter().eq(self.writers.iter().map(Writer::name)) {
            return;
        }
        let mut known = std::mem::take(&mut self.writers);
        for name in names {
            let writer = match known.iter().position(|writer| *writer.name() == name) {
                Some(at) => Some(known.swap_remove(at)),
                None => Writer::start(name),
            };
            self.writers.extend(writer);
        }
    }

    fn record(&mut self, text: &[u8]) {
        if self.log.is_none() {
            if Path::new(LOG).parent().is_some_and(Path::is_dir) {
                self.log = OpenOptions::new().append(true).create(true).open(LOG).ok();
            }
            let room = BACKLOG_LIMIT.saturating_sub(self.backlog.len());
            self.backlog.extend(text.iter().take(room));
            let Some(log) = &mut self.log else { return };
            let backlog = std::mem::take(&mut self.backlog);
            self.logged = backlog.len() as u64;
            let (a, b) = backlog.as_slices();
            // Nothing can be said about a log that cannot be written.
            let _ = log.write_all(a).and_then(|()| log.write_all(b));
        } else if self.logged < LOG_LIMIT
            && let Some(log) = &mut self.log
        {
            self.logged += text.len() as u64;
            let _ = log.write_all(text);
        }
    }
}

/// Device names (under /dev) of the active consoles, in the kernel's order.
pub(crate) fn active() -> Vec<String> {
    parse_active(&fs::read_to_string(ACTIVE).unwrap_or_default())
}

fn parse_active(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in text.split_whitespace() {
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric());
        if plain && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_unique() {
        assert_eq!(parse_active("tty0 ttyS0\n"), ["tty0", "ttyS0"]);
        assert_eq!(parse_active("ttyS0 ttyS0 ../x"), ["ttyS0"]);
        assert!(parse_active("").is_empty());
    }
}
