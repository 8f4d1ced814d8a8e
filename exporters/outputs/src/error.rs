//! Why an output can't be written.

use std::io;
use std::path::{Path, PathBuf};

use nodeimage_builder::BuildError;

/// Why an output can't be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// The machine can't be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A file can't be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Something that is stored can't be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The stored file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A tar header can't hold it.
    #[error("`{path}` does not fit into a tar header")]
    Header {
        /// The entry.
        path: String,
        /// The cause.
        source: io::Error,
    },
}

impl OutputError {
    pub(crate) fn write(path: &Path) -> impl Fn(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Write {
            path: path.clone(),
            source,
        }
    }
}
