//! Errors: what could not be done, to what, and why.

use std::io;

use crate::exit::Exit;

/// Result of this crate.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Why a step of the boot failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The kernel refused an operation.
    #[error("cannot {what}: {source}")]
    System {
        /// The operation and its object, as an infinitive.
        what: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A file or an option has content that cannot be used.
    #[error("{what} is not valid: {reason}")]
    Invalid {
        /// The file or option.
        what: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// Something the image should hold is not there.
    #[error("{what} is missing: {hint}")]
    Missing {
        /// What was looked for.
        what: String,
        /// What to do.
        hint: String,
    },
    /// A container's process did not end with status 0.
    #[error("{exit}; see {log}")]
    Ended {
        /// How it ended.
        exit: Exit,
        /// Its standard error.
        log: String,
    },
    /// A program we ran failed.
    #[error("{command} failed ({exit}){}{detail}", if detail.is_empty() { "" } else { ": " })]
    Command {
        /// The program and its arguments.
        command: String,
        /// How it ended.
        exit: Exit,
        /// The last line it wrote, may be empty.
        detail: String,
    },
}

impl Error {
    /// An [`Error::Invalid`].
    pub(crate) fn invalid(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid {
            what: what.into(),
            reason: reason.into(),
        }
    }
}

/// Adds to a system error what was being done.
pub(crate) trait Doing<T> {
    /// `what` is an infinitive: "mount tmpfs on /run".
    fn doing(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<io::Error>> Doing<T> for std::result::Result<T, E> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::System {
            what: what(),
            source: source.into(),
        })
    }
}
