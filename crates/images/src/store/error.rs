//! What can go wrong in the store.

use std::io;
use std::path::{Path, PathBuf};

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
#[error("{what} {}: {kind}", path.display())]
pub struct StoreError {
    /// What was tried.
    pub what: &'static str,
    /// On which file or directory.
    pub path: PathBuf,
    /// Why it failed.
    pub kind: StoreErrorKind,
}

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreErrorKind {
    /// No space left.
    #[error(
        "the disk is full; free some space, run `nodeimage cache prune`, or put the cache \
         elsewhere (XDG_CACHE_HOME)"
    )]
    Full(io::Error),
    /// An entry was removed by somebody else as soon as it stood.
    #[error("another program removes files from the store; keep it out and try again")]
    Vanished,
    /// A rule of the store's own interface was broken.
    #[error("{0}")]
    Misuse(&'static str),
    /// Any other failure of the file system.
    #[error(transparent)]
    Io(io::Error),
}

impl StoreError {
    pub(crate) fn new(what: &'static str, path: &Path, error: io::Error) -> Self {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let kind = match error.kind() {
            StorageFull | QuotaExceeded | FileTooLarge => StoreErrorKind::Full(error),
            _ => StoreErrorKind::Io(error),
        };
        Self {
            what,
            path: path.to_path_buf(),
            kind,
        }
    }

    pub(crate) fn vanished(path: &Path) -> Self {
        let kind = StoreErrorKind::Vanished;
        Self {
            what: "cannot open",
            path: path.to_path_buf(),
            kind,
        }
    }

    pub(crate) fn misuse(path: &Path, rule: &'static str) -> Self {
        let kind = StoreErrorKind::Misuse(rule);
        Self {
            what: "cannot write",
            path: path.to_path_buf(),
            kind,
        }
    }

    /// Whether the disk is full.
    pub fn is_full(&self) -> bool {
        matches!(self.kind, StoreErrorKind::Full(_))
    }
}

/// Says what was tried, and on what.
pub(crate) trait Context<T> {
    fn context(self, what: &'static str, path: &Path) -> Result<T, StoreError>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, what: &'static str, path: &Path) -> Result<T, StoreError> {
        self.map_err(|error| StoreError::new(what, path, error))
    }
}

impl<T> Context<T> for rustix::io::Result<T> {
    fn context(self, what: &'static str, path: &Path) -> Result<T, StoreError> {
        self.map_err(|error| StoreError::new(what, path, error.into()))
    }
}
