//! The blocking surface.

use std::fmt;
use std::sync::Arc;

use crate::blob::{self, BlobReader};
use crate::config::Config;
use crate::core::Core;
use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::{self, Manifest};
use crate::referrers::{self, Referrer};
use crate::target::Target;
use crate::wait::{Cancel, wait};

/// Told the number of content bytes that have newly arrived.
pub type Progress = Arc<dyn Fn(u64) + Send + Sync>;

/// Pulls from registries. Clones share connections, tokens and what was learnt
/// about registries; each may have its own [`Cancel`] and [`Progress`].
///
/// Methods block. They may be called from many threads at once and from threads
/// that drive another tokio runtime (where they block that thread).
#[derive(Clone)]
pub struct Client {
    core: Arc<Core>,
    cancel: Cancel,
    progress: Option<Progress>,
}

impl Client {
    /// Starts the client's own network threads; makes no request.
    ///
    /// # Errors
    /// When the configuration cannot be used: a CA file, a proxy.
    pub fn new(config: Config) -> Result<Self> {
        Ok(Self {
            core: Arc::new(Core::new(config)?),
            cancel: Cancel::new(),
            progress: None,
        })
    }

    /// The same client with operations that `cancel` stops.
    #[must_use]
    pub fn with_cancel(&self, cancel: Cancel) -> Self {
        Self {
            cancel,
            ..self.clone()
        }
    }

    /// The same client with blobs that report to `progress`, on the thread that
    /// reads them.
    #[must_use]
    pub fn with_progress(&self, progress: Progress) -> Self {
        Self {
            progress: Some(progress),
            ..self.clone()
        }
    }

    /// The digest that the target's tag stands for now, by HEAD; GET where a
    /// registry does not say. A target with a digest is answered without asking.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    pub fn resolve(&self, target: &Target) -> Result<Digest> {
        let (core, asked) = (Arc::clone(&self.core), target.clone());
        self.run(
            target,
            async move { manifest::resolve(&core, &asked).await },
        )
    }

    /// The manifest or index with that digest, at most [`crate::MANIFEST_LIMIT`]
    /// bytes, verified.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    pub fn manifest(&self, target: &Target, digest: &Digest) -> Result<Manifest> {
        let (core, asked, digest) = (Arc::clone(&self.core), target.with_digest(*digest), *digest);
        self.run(&target.with_digest(digest), async move {
            manifest::manifest(&core, &asked, digest).await
        })
    }

    /// The manifest or index behind a tag of the target's repository, whatever its own reference;
    /// `None` when there is no such tag. What it says is the registry's word: nothing pins it.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    pub fn tagged(&self, target: &Target, tag: &str) -> Result<Option<Manifest>> {
        let target = target.with_tag(tag)?;
        let (core, asked, tag) = (Arc::clone(&self.core), target.clone(), tag.to_owned());
        self.run(&target, async move {
            referrers::tagged(&core, &asked, &tag).await
        })
    }

    /// What refers to the manifest `digest` of the target's repository: signatures, bills of
    /// materials. By the referrers API, else by its tag schema. It is the registry's word.
    ///
    /// # Errors
    /// See [`ErrorKind`]. A registry without the API is none.
    pub fn referrers(&self, target: &Target, digest: &Digest) -> Result<Vec<Referrer>> {
        let (core, asked, digest) = (Arc::clone(&self.core), target.clone(), *digest);
        self.run(&target.with_digest(digest), async move {
            referrers::referrers(&core, &asked, digest).await
        })
    }

    /// The blob with that digest and length in bytes, as it comes. Reading ends
    /// with `Ok(0)` only after length and digest have been found right; the last
    /// piece is not handed out before. Dropped connections are resumed.
    ///
    /// # Errors
    /// When the blob cannot be opened; see [`ErrorKind`]. Later errors come out
    /// of `read` as [`std::io::Error`]s that wrap an [`Error`].
    pub fn blob(&self, target: &Target, digest: &Digest, size: u64) -> Result<BlobReader> {
        let target = target.with_digest(*digest);
        let Some(runtime) = self.core.runtime() else {
            return Err(stopped(&target));
        };
        let wanted = blob::Wanted {
            target,
            digest: *digest,
            size,
        };
        let stream = blob::start(Arc::clone(&self.core), wanted.clone(), runtime.handle());
        BlobReader::open(
            Arc::clone(&self.core),
            wanted,
            stream,
            self.cancel.clone(),
            self.progress.clone(),
        )
    }

    fn run<T: Send + 'static>(
        &self,
        target: &Target,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let Some(runtime) = self.core.runtime() else {
            return Err(stopped(target));
        };
        let task = runtime.spawn(work);
        let abort = task.abort_handle();
        match wait(&self.cancel, task) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(stopped(target)),
            None => {
                abort.abort();
                Err(Error::new(target, ErrorKind::Cancelled))
            }
        }
    }
}

/// The task was lost: it panicked, or the client is going away.
pub(crate) fn stopped(target: &Target) -> Error {
    let what = "the network task ended without a result; please report this".to_owned();
    Error::new(target, ErrorKind::Interrupted(what))
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}
