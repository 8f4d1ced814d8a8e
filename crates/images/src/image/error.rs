//! What can go wrong with an image.

use crate::layer::{LayerError, LayerProblem};
use crate::source::SourceError;
use crate::store::StoreError;
use nodeimage_spec::Digest;

/// A failure, and the reference it concerns.
#[derive(Debug, thiserror::Error)]
#[error("{reference}: {kind}")]
pub struct Error {
    /// The image's reference.
    pub reference: String,
    /// What went wrong.
    pub kind: Box<ErrorKind>,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum ErrorKind {
    /// No source has it, or none could be read.
    #[error("cannot get {what}: {}{}", list(errors), advice(errors))]
    Sources {
        /// Its tag, a digest or a layer.
        what: String,
        /// What each source said.
        errors: Vec<SourceError>,
    },
    /// A document is not what its digest says.
    #[error("{wanted} is corrupt at its source: what came has the digest {got}")]
    Corrupt {
        /// The digest asked for.
        wanted: Digest,
        /// Of what came.
        got: Digest,
    },
    /// A document is over its limit.
    #[error("{digest} is longer than the {limit} bytes it may have")]
    TooLong {
        /// The document.
        digest: Digest,
        /// Most bytes.
        limit: u64,
    },
    /// A document breaks the specification.
    #[error("{digest}: {why}")]
    Malformed {
        /// The document.
        digest: Digest,
        /// What is wrong.
        why: String,
    },
    /// The reference itself cannot be used.
    #[error("{0}")]
    Reference(String),
    /// It is not made for the machine.
    #[error("there is no {wanted} in it; it is made for {available}")]
    Platform {
        /// `linux/arm64`.
        wanted: String,
        /// What there is.
        available: String,
    },
    /// A trust policy does not let it pass.
    #[error(transparent)]
    Refused(Box<nodeimage_trust::Refusal>),
    /// A layer.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<nodeimage_trust::Refusal> for ErrorKind {
    fn from(refusal: nodeimage_trust::Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl Error {
    pub(crate) fn new(reference: &str, kind: impl Into<ErrorKind>) -> Self {
        Self {
            reference: reference.to_owned(),
            kind: Box::new(kind.into()),
        }
    }

    /// Whether it was stopped on request.
    pub fn is_cancelled(&self) -> bool {
        let ErrorKind::Layer(layer) = &*self.kind else {
            return false;
        };
        matches!(layer.problem, LayerProblem::Cancelled)
    }
}

/// What to do when every place answered and none has it.
fn advice(errors: &[SourceError]) -> &'static str {
    if errors.iter().all(SourceError::is_not_found) {
        "; check the reference, or name another place in [sources] of nodeimage.toml"
    } else {
        ""
    }
}

fn list(errors: &[SourceError]) -> String {
    let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
    texts.join("; ")
}
