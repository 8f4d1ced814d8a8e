//! The bridge from blocking callers to the runtime inside.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

/// How soon a waiting caller notices a cancellation.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A flag that stops every operation it was given to. Clones share the flag.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A flag not yet raised.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops the operations; they end with `ErrorKind::Cancelled`.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was raised.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl From<Arc<AtomicBool>> for Cancel {
    fn from(flag: Arc<AtomicBool>) -> Self {
        Self(flag)
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for `future` on the calling thread; `None` when cancelled first.
///
/// `Runtime::block_on` panics on a thread that already drives a runtime; parking
/// works on every thread. `unconstrained` because there tokio's co-operative
/// budget would otherwise answer `Pending` for ever.
pub(crate) fn wait<F: Future>(cancel: &Cancel, future: F) -> Option<F::Output> {
    let mut future = pin!(tokio::task::unconstrained(future));
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    while !cancel.is_cancelled() {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return Some(output),
            Poll::Pending => thread::park_timeout(LOOK_AGAIN),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_until_ready_or_cancelled() {
        let cancel = Cancel::new();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            sender.send(7)
        });
        assert_eq!(wait(&cancel, receiver), Some(Ok(7)));

        let other = cancel.clone();
        thread::spawn(move || other.cancel());
        assert_eq!(wait(&cancel, std::future::pending::<()>()), None);
    }

    #[tokio::test]
    async fn works_on_a_thread_whose_task_has_used_up_its_budget() {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        (0..1000).for_each(|n| sender.send(n).unwrap());
        let (done, finished) = std::sync::mpsc::channel();
        let cancel = Cancel::new();
        let watchdog = cancel.clone();
        let guard = thread::spawn(move || {
            if finished.recv_timeout(Duration::from_secs(10)).is_err() {
                watchdog.cancel();
            }
        });
        for n in 0..1000 {
            assert_eq!(wait(&cancel, receiver.recv()), Some(Some(n)));
        }
        done.send(()).unwrap();
        guard.join().unwrap();
    }
}
