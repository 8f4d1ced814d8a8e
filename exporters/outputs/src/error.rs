//! Why an output can't be written.

use std::io;
use std::path::{Path, PathBuf};

use nodeimage_builder::BuildError;
use nodeimage_formats::AsideError;

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
    /// Something other than a file has the name.
    #[error("`{}` is not a regular file; choose another name", .0.display())]
    NotAFile(PathBuf),
    /// Something that is stored can't be read.
    #[error("cannot read `{}` of the store; build again", path.display())]
    Read {
        /// The stored file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Something that is stored is not what was stored.
    #[error("`{}` is damaged; remove it and build again", path.display())]
    Damaged {
        /// The stored file.
        path: PathBuf,
    },
}

impl OutputError {
    /// The same with the file that was being written, which whoever wrote its parts did not know.
    pub(crate) fn of(self, file: &Path) -> Self {
        match self {
            Self::Write { source, .. } => Self::Write {
                path: file.to_owned(),
                source,
            },
            other => other,
        }
    }

    pub(crate) fn write(path: &Path) -> impl Fn(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Write {
            path: path.clone(),
            source,
        }
    }
}

impl From<AsideError> for OutputError {
    fn from(error: AsideError) -> Self {
        match error {
            AsideError::NotAFile(path) => Self::NotAFile(path),
            AsideError::Write { path, source } => Self::Write { path, source },
        }
    }
}
