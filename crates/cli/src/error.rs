//! What a command can fail with, and how it is told.

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
    /// Anything else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl Failure {
    /// One line per cause: the message, then what caused it, without repeats.
    pub(crate) fn text(&self) -> String {
        let Self::Other(error) = self else {
            return self.to_string();
        };
        let mut text = error.to_string();
        for cause in error.chain().skip(1) {
            let cause = cause.to_string();
            if !text.contains(&cause) {
                text.push_str(": ");
                text.push_str(&cause);
            }
        }
        text
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
    nodeimage_builder::locking::LockingError,
    nodeimage_images::store::StoreError,
    nodeimage_spec::LockError,
    std::io::Error,
);

impl From<nodeimage_builder::BuildError> for Failure {
    fn from(error: nodeimage_builder::BuildError) -> Self {
        if error.is_cancelled() {
            Self::Interrupted
        } else {
            Self::Other(error.into())
        }
    }
}

impl From<nodeimage_outputs::OutputError> for Failure {
    fn from(error: nodeimage_outputs::OutputError) -> Self {
        match error {
            nodeimage_outputs::OutputError::Build(error) => error.into(),
            error => Self::Other(error.into()),
        }
    }
}

impl From<nodeimage_formats::FormatError> for Failure {
    fn from(error: nodeimage_formats::FormatError) -> Self {
        match error {
            nodeimage_formats::FormatError::Cancelled => Self::Interrupted,
            error => Self::Other(error.into()),
        }
    }
}
