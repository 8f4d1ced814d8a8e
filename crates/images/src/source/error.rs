//! What can go wrong with a source.

use std::io;

use crate::tarfile::TarError;

/// A failure of a source.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {kind}")]
pub struct SourceError {
    /// The source: `oci:/path`, `registry-1.docker.io`.
    pub place: String,
    /// Why.
    pub kind: SourceErrorKind,
}

/// Why a source failed.
#[derive(Debug, thiserror::Error)]
pub enum SourceErrorKind {
    /// It does not hold what was asked for.
    #[error("{0} is not there")]
    NotFound(String),
    /// It holds several that fit.
    #[error("{0} fits several images; name one by its digest")]
    Ambiguous(String),
    /// It is not what its name says.
    #[error("{0}")]
    Malformed(String),
    /// Its archive does not parse.
    #[error(transparent)]
    Archive(#[from] TarError),
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A registry failed.
    #[error(transparent)]
    Remote(Box<dyn std::error::Error + Send + Sync>),
}

impl SourceError {
    /// A failure of the source `place`.
    pub fn new(place: impl Into<String>, kind: impl Into<SourceErrorKind>) -> Self {
        Self {
            place: place.into(),
            kind: kind.into(),
        }
    }

    /// Whether another source may have what this one has not.
    pub fn is_not_found(&self) -> bool {
        matches!(self.kind, SourceErrorKind::NotFound(_))
    }
}
