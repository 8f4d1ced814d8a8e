//! Images: from a reference to its configuration, layers and tree.

mod config;
mod document;
mod error;
mod fetch;
mod open;
mod platform;
mod resolve;
mod whole;

pub use config::ImageConfig;
pub use error::{Error, ErrorKind};
pub use open::{Image, Layer};
pub use resolve::Resolved;
pub use whole::Whole;

use std::sync::Arc;

use crate::config::Config;
use crate::limits::Limits;
use crate::progress::{Progress, Silent};
use crate::source::{Remote, Sources};
use crate::store::Store;
use crate::trust::Gate;

/// All images that can be reached: the store in front, sources and registries behind.
#[derive(Clone)]
pub struct Images {
    store: Store,
    sources: Arc<Sources>,
    limits: Limits,
    progress: Arc<dyn Progress>,
    gate: Gate,
}

impl Images {
    /// Reads from `store`, the sources of `config`, and from registries when `remote` is given.
    pub fn new(store: Store, config: &Config, remote: Option<Arc<dyn Remote>>) -> Self {
        let sources = Arc::new(Sources::new(config, remote));
        Self {
            store,
            sources,
            limits: config.limits,
            progress: Arc::new(Silent),
            gate: Gate::new(config),
        }
    }

    /// Tells `progress` what is going on.
    #[must_use]
    pub fn with_progress(mut self, progress: Arc<dyn Progress>) -> Self {
        self.progress = progress;
        self
    }

    /// The same for writing a lock: what a tag stands for is looked up even where the trust policy
    /// asks for a digest, since the lock is what puts it down.
    #[must_use]
    pub fn for_lock(&self) -> Self {
        let mut this = self.clone();
        this.gate.allow_tags();
        this
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }
}

impl Images {
    pub(crate) fn sources(&self) -> &Sources {
        &self.sources
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }
}

impl std::fmt::Debug for Images {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Images")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
