//! The serial console: read along by a thread, kept for searching, and
//! written to a file.

use std::io::{Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result};

use super::fault::{self, Watch};

/// A console that says more than this is read on, but no longer kept.
const LIMIT: usize = 32 << 20;
const TAIL: usize = 40;

/// How waiting for a text came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waited {
    Found,
    Fault(&'static str),
    Ended,
    TimedOut,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    watch: Watch,
    fault: Option<&'static str>,
    ended: bool,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is sound after every statement that changes it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Console(Arc<Shared>);

impl Console {
    /// Reads `input` to its end on a thread of its own.
    pub(super) fn capture(
        mut input: impl Read + Send + 'static,
        mut log: impl Write + Send + 'static,
    ) -> Result<Self> {
        let console = Self(Arc::default());
        let shared = console.0.clone();
        std::thread::Builder::new()
            .name("console".to_owned())
            .spawn(move || {
                let mut buffer = vec![0; 1 << 16];
                while let Ok(length @ 1..) = input.read(&mut buffer) {
                    let new = &buffer[..length];
                    // A full disk must not stop the test from reading on.
                    let _ = log.write_all(new);
                    shared.add(new);
                }
                shared.lock().ended = true;
                shared.changed.notify_all();
            })
            .context("cannot start a thread")?;
        Ok(console)
    }

    pub(super) fn wait_for(&self, text: &[u8], deadline: Instant) -> Waited {
        let mut searched = 0_usize;
        let mut state = self.0.lock();
        loop {
            if let Some(fault) = state.fault {
                return Waited::Fault(fault);
            }
            let from = searched.saturating_sub(text.len());
            if fault::find(&state.bytes[from..], text).is_some() {
                return Waited::Found;
            }
            if state.ended {
                return Waited::Ended;
            }
            searched = state.bytes.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Waited::TimedOut;
            }
            state = self
                .0
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    pub(super) fn has(&self, text: &[u8]) -> bool {
        fault::find(&self.0.lock().bytes, text).is_some()
    }

    /// The last lines, as a person would read them.
    pub(super) fn tail(&self) -> String {
        let state = self.0.lock();
        let text = plain(&state.bytes[state.bytes.len().saturating_sub(1 << 14)..]);
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }
}

impl Shared {
    fn add(&self, new: &[u8]) {
        let mut guard = self.lock();
        let state = &mut *guard;
        let room = LIMIT.saturating_sub(state.bytes.len());
        state.bytes.extend_from_slice(&new[..new.len().min(room)]);
        if state.fault.is_none() {
            state.fault = state.watch.look(&state.bytes);
        }
        drop(guard);
        self.changed.notify_all();
    }
}

/// Text without the control sequences of ECMA-48 that firmware and GRUB send.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => {
                if characters.next_if_eq(&'[').is_some() {
                    // Parameters, up to the final byte.
                    for byte in characters.by_ref() {
                        if ('@'..='~').contains(&byte) {
                            break;
                        }
                    }
                }
            }
            '\n' | '\t' => out.push(character),
            other if other.is_control() => {}
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    /// A stream that gives its bytes, then nothing for a while.
    struct Slow(Cursor<Vec<u8>>);

    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let length = self.0.read(&mut buffer[..1])?;
            if length == 0 {
                std::thread::sleep(Duration::from_secs(2));
            }
            Ok(length)
        }
    }

    fn slow(text: &str) -> Console {
        Console::capture(Slow(Cursor::new(text.as_bytes().to_vec())), std::io::sink()).unwrap()
    }

    #[test]
    fn text_is_found_though_it_comes_byte_by_byte() {
        let console = slow("the node is running\n");
        assert_eq!(console.wait_for(b"node is", soon()), Waited::Found);
        assert!(console.has(b"the"));
    }

    #[test]
    fn a_fault_ends_the_wait_before_the_time_is_up() {
        let console = slow("x Kernel panic - not syncing\n");
        let start = Instant::now();
        assert_eq!(
            console.wait_for(b"never", soon()),
            Waited::Fault("Kernel panic")
        );
        assert!(start.elapsed() < Duration::from_secs(2));
    }

    #[test]
    fn an_ended_machine_and_a_silent_one_are_told_apart() {
        let ended = Console::capture(std::io::empty(), std::io::sink()).unwrap();
        assert_eq!(ended.wait_for(b"x", soon()), Waited::Ended);
        let silent = slow("");
        let deadline = Instant::now() + Duration::from_millis(20);
        assert_eq!(silent.wait_for(b"x", deadline), Waited::TimedOut);
    }

    #[test]
    fn the_tail_is_readable() {
        let console = slow("\u{1b}[2J\u{1b}[01;01Hone\r\n\r\n\u{1b}[0mtwo\r\n");
        assert_eq!(console.wait_for(b"two\r\n", soon()), Waited::Found);
        assert_eq!(console.tail(), "one\ntwo");
    }

    #[test]
    fn the_log_gets_every_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = std::fs::File::create(&path).unwrap();
        let console = Console::capture(Cursor::new(vec![7_u8; 100_000]), log).unwrap();
        assert_eq!(console.wait_for(b"x", soon()), Waited::Ended);
        assert_eq!(std::fs::read(path).unwrap(), vec![7_u8; 100_000]);
    }
}
