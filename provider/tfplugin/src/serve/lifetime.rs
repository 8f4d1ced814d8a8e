//! When the process ends: Terraform says so, or is gone.

use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::server::Server;

/// After its farewell Terraform waits two seconds and then kills.
const FAREWELL: Duration = Duration::from_millis(1500);
/// Without a Terraform nobody is waiting: time to clean up half-done work.
const CLEAN_UP: Duration = Duration::from_secs(30);
const LOOK_FOR_PARENT: Duration = Duration::from_millis(500);

/// The process that started this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parent(Option<rustix::process::Pid>);

impl Parent {
    pub(super) fn current() -> Self {
        Self(rustix::process::getppid())
    }

    /// Returns once it has gone: orphans get another parent. Standard input
    /// tells nothing, it is Terraform's own.
    async fn gone(self) {
        while Self::current() == self {
            sleep(LOOK_FOR_PARENT).await;
        }
    }
}

/// Signals that would end the process at once.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    // Ctrl-C reaches the provider too, as it is in Terraform's process group.
    // Terraform decides what it means and calls StopProvider, so it is caught
    // and left unseen. (Ignored instead, children would ignore it as well.)
    _interrupt: Signal,
}

impl Signals {
    pub(super) fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            _interrupt: signal(SignalKind::interrupt())?,
        })
    }
}

/// Runs `serving` until Terraform says farewell, is gone, or this process is
/// told to terminate.
pub(super) async fn until_done<E: std::error::Error>(
    serving: impl Future<Output = Result<(), E>>,
    server: &Server,
    running: &AtomicUsize,
    shutdown: &watch::Sender<bool>,
    mut signals: Signals,
    parent: Parent,
) {
    let mut farewell = shutdown.subscribe();
    tokio::pin!(serving);
    let patience = tokio::select! {
        result = &mut serving => {
            if let Err(error) = result {
                tracing::error!(%error, "the plugin's server failed");
            }
            server.cancel();
            idle(running, CLEAN_UP).await;
            return;
        }
        _ = farewell.wait_for(|stop| *stop) => FAREWELL,
        () = parent.gone() => {
            tracing::warn!("Terraform is gone");
            server.cancel();
            CLEAN_UP
        }
        _ = signals.terminate.recv() => {
            server.cancel();
            CLEAN_UP
        }
    };
    let end = Instant::now() + patience;
    shutdown.send_replace(true);
    idle(running, patience).await;
    // The answer to the farewell is still to be sent.
    let rest = end.saturating_duration_since(Instant::now()).min(FAREWELL);
    let _ = timeout(rest, serving).await;
}

/// Waits until no call is running, but not for ever.
async fn idle(running: &AtomicUsize, at_most: Duration) {
    let end = Instant::now() + at_most;
    while running.load(Ordering::SeqCst) > 0 && Instant::now() < end {
        sleep(Duration::from_millis(20)).await;
    }
}
