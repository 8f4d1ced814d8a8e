//! What a command can fail with, and how it is told.

use nodeimage_formats::FormatError;
use nodeimage_outputs::OutputError;
use nodeimage_spec::Faults;

/// A command's failure.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The YAML is at fault.
    #[error("{0}")]
    Spec(Faults),
    /// A check found something: the command has said what.
    #[error("{0}")]
    Check(String),
    /// It was stopped.
    #[error("stopped before it was complete; run it again to finish, what was done is kept")]
    Interrupted,
    /// All is said; this is the exit code.
    #[error("it was told already")]
    Told(u8),
    /// Nobody reads the result any more, so nobody is told.
    #[error("standard output was closed")]
    Closed,
    /// Anything else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl Failure {
    /// The message, then what caused it, without repeats.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Other(error) => nodeimage_builder::explain(error.as_ref()),
            other => other.to_string(),
        }
    }

    /// Whether a stored part may have been found damaged.
    pub(crate) fn may_be_damage(&self) -> bool {
        let Self::Other(error) = self else {
            return false;
        };
        let in_disk = error.downcast_ref::<FormatError>().is_some_and(|error| {
            matches!(
                error,
                FormatError::Corrupt { .. } | FormatError::Read { .. }
            )
        });
        let in_output = error.downcast_ref::<OutputError>().is_some_and(|error| {
            matches!(
                error,
                OutputError::Damaged { .. } | OutputError::Read { .. }
            )
        });
        // A kernel is judged by its header before it is written.
        let in_build = error
            .downcast_ref::<nodeimage_builder::BuildError>()
            .is_some_and(|error| {
                use nodeimage_builder::BuildError::{Kernel, Uki};
                matches!(error, Uki(_) | Kernel(_))
            });
        in_disk || in_output || in_build
    }
}

macro_rules! from {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::Other(error.into())
            }
        })*
    };
}

from!(
    nodeimage_builder::SetupError,
    nodeimage_builder::diff::RecallError,
    nodeimage_builder::locking::LockingError,
    nodeimage_images::store::StoreError,
    nodeimage_formats::AsideError,
    nodeimage_spec::LockError,
);

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Other(error.into()),
        }
    }
}

impl From<nodeimage_builder::BuildError> for Failure {
    fn from(error: nodeimage_builder::BuildError) -> Self {
        if error.is_cancelled() {
            Self::Interrupted
        } else {
            Self::Other(error.into())
        }
    }
}

impl From<OutputError> for Failure {
    fn from(error: OutputError) -> Self {
        match error {
            OutputError::Build(error) => error.into(),
            error => Self::Other(error.into()),
        }
    }
}

impl From<FormatError> for Failure {
    fn from(error: FormatError) -> Self {
        match error {
            FormatError::Cancelled => Self::Interrupted,
            error => Self::Other(error.into()),
        }
    }
}
