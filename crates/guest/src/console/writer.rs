//! One console: a bounded queue and the thread that empties it.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::sync::lock;

/// Bytes that may wait for a slow console.
const QUEUE_LIMIT: usize = 256 << 10;

/// Messages up to this length find room when a container's log has filled the queue, bytes.
const SHORT: usize = 1 << 10;

/// Handle of a console's thread; the thread ends when it is dropped.
pub(super) struct Writer {
    name: String,
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    bytes: VecDeque<u8>,
    dropped: usize,
    writing: bool,
    closed: bool,
}

impl Writer {
    /// Starts the thread for /dev/`name`; `None` when no thread can be had.
    pub(super) fn start(name: String) -> Option<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            changed: Condvar::new(),
        });
        let queue = Arc::clone(&shared);
        let path = format!("/dev/{name}");
        thread::Builder::new()
            .name(format!("console-{name}"))
            .spawn(move || work(&path, &queue))
            .ok()?;
        Some(Self { name, shared })
    }

    pub(super) fn name(&self) -> &String {
        &self.name
    }

    /// Queues `text`; what does not fit is counted and the count told later.
    pub(super) fn push(&self, text: &[u8]) {
        lock(&self.shared.queue).push(text);
        self.shared.changed.notify_all();
    }

    /// Waits until the queue is empty and written, at most until `end`.
    pub(super) fn flush(&self, end: Instant) {
        let mut queue = lock(&self.shared.queue);
        while !queue.bytes.is_empty() || queue.writing {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            queue = self
                .shared
                .changed
                .wait_timeout(queue, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        lock(&self.shared.queue).closed = true;
        self.shared.changed.notify_all();
    }
}

impl Queue {
    fn push(&mut self, text: &[u8]) {
        let limit = if text.len() > SHORT {
            QUEUE_LIMIT
        } else {
            QUEUE_LIMIT + QUEUE_LIMIT / 2
        };
        if self.bytes.len() + text.len() > limit {
            self.dropped += 1;
            return;
        }
        if self.dropped > 0 {
            let note = format!(
                "nodeimage: {} messages did not fit this console\n",
                self.dropped
            );
            self.dropped = 0;
            self.bytes.extend(note.as_bytes());
        }
        self.bytes.extend(text);
    }

    fn take(&mut self) -> Vec<u8> {
        Vec::from(std::mem::take(&mut self.bytes))
    }
}

fn work(path: &str, shared: &Shared) {
    let mut device = None;
    loop {
        let queue = lock(&shared.queue);
        let mut queue = shared
            .changed
            .wait_while(queue, |queue| queue.bytes.is_empty() && !queue.closed)
            .unwrap_or_else(PoisonError::into_inner);
        let text = queue.take();
        if text.is_empty() {
            return;
        }
        queue.writing = true;
        drop(queue);
        deliver(path, &mut device, &text);
        lock(&shared.queue).writing = false;
        shared.changed.notify_all();
    }
}

/// Writes `text`, however long the device takes; a hung-up device is opened again once.
fn deliver(path: &str, device: &mut Option<File>, text: &[u8]) {
    let mut rest = text;
    let mut reopened = false;
    while !rest.is_empty() {
        if device.is_none() {
            *device = open(path);
            reopened = true;
        }
        let Some(file) = device else { return };
        match file.write(rest) {
            Ok(0) => return,
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => wait(file),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => {
                *device = None;
                if reopened {
                    return;
                }
            }
        }
    }
}

fn open(path: &str) -> Option<File> {
    OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK)
        .open(path)
        .ok()
}

fn wait(file: &File) {
    let mut fds = [PollFd::new(file, PollFlags::OUT)];
    let limit = Timespec {
        tv_sec: 1,
        tv_nsec: 0,
    };
    // Time-out and error alike end in another try.
    let _ = poll(&mut fds, Some(&limit));
    if !fds.iter().any(|fd| fd.revents().contains(PollFlags::OUT)) {
        thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_drops_long_messages_whole_and_tells() {
        let mut queue = Queue::default();
        queue.push(&vec![b'a'; QUEUE_LIMIT]);
        queue.push(b"short\n");
        queue.push(&[b'b'; SHORT + 1]);
        queue.push(&[b'c'; SHORT + 1]);
        assert_eq!(queue.take().len(), QUEUE_LIMIT + 6);
        queue.push(b"next\n");
        let text = String::from_utf8(queue.take()).unwrap();
        assert_eq!(
            text,
            "nodeimage: 2 messages did not fit this console\nnext\n"
        );
    }

    #[test]
    fn text_arrives_whole_and_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("console");
        std::fs::write(&path, "").unwrap();
        let mut device = None;
        deliver(path.to_str().unwrap(), &mut device, b"one\n");
        deliver(path.to_str().unwrap(), &mut device, b"two\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
    }

    #[test]
    fn a_console_that_is_not_there_is_given_up() {
        let mut device = None;
        deliver("/nonexistent/tty", &mut device, b"text");
        assert!(device.is_none());
    }
}
