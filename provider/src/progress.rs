//! Progress as log lines: Terraform shows them with `TF_LOG_PROVIDER=info`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nodeimage_images::{Event, Progress};

/// Logs what the builder does, and stops it once the flag is raised.
#[derive(Debug)]
pub(crate) struct Log(pub(crate) Arc<AtomicBool>);

impl Progress for Log {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Started { item, bytes } => tracing::info!(item, bytes, "started"),
            Event::Waiting { item } => tracing::info!(item, "waiting for another process"),
            Event::Finished { item } => tracing::info!(item, "finished"),
            Event::Bytes { .. } => {}
        }
    }

    fn cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
