//! Why a disk can't be written.

use std::io;
use std::path::PathBuf;

use crate::aside::AsideError;

/// Why a disk can't be written.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// Something other than a regular file has the name.
    #[error("{}: not a regular file; choose another name", .0.display())]
    NotAFile(PathBuf),
    /// The file can't be written.
    #[error("{}: cannot write the disk: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The stream can't be written.
    #[error("cannot write the disk: {0}")]
    Stream(io::Error),
    /// A block's content can't be read.
    #[error("cannot read block {block} of the disk: {source}")]
    Read {
        /// The block's number.
        block: u64,
        /// Why; a stored file is named in it.
        source: io::Error,
    },
    /// A block's content isn't what its map says.
    #[error(
        "block {block} of the disk does not match its block map: {}",
        blame(files)
    )]
    Corrupt {
        /// The block's number.
        block: u64,
        /// The stored files that it takes bytes from.
        files: Vec<PathBuf>,
    },
    /// The file that a disk is read from can't be read.
    #[error("{}: cannot read the file: {source}", path.display())]
    Input {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A pipe, a folder or a device, where a file was expected.
    #[error("{}: not a regular file or block device; disks are read from these", .0.display())]
    NotSeekable(PathBuf),
    /// There is no such format.
    #[error("unknown disk format `{0}`; there are {known}", known = crate::formats::names())]
    Unknown(String),
    /// The format has no such codec or level.
    #[error("{format}: {what}")]
    Setting {
        /// The format's name.
        format: &'static str,
        /// What was asked for, and what there is.
        what: String,
    },
    /// Two files of one call have one name.
    #[error("{}: {first} and {second} would both be written to it; ask for one of them", path.display())]
    SameFile {
        /// The file.
        path: PathBuf,
        /// The one format.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// A file that is not what its format says.
    #[error("{format}: at byte {offset}: {what}")]
    Damaged {
        /// The format.
        format: &'static str,
        /// Where in the file.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// A file of this format that is sound and can't be read.
    #[error("{format}: {what}")]
    Unsupported {
        /// The format.
        format: &'static str,
        /// What it is, and what to do.
        what: String,
    },
    /// The format can't hold this disk.
    #[error("{format}: {what}")]
    Limit {
        /// The format.
        format: &'static str,
        /// The rule, and what to do.
        what: String,
    },
    /// A compressor failed.
    #[error("{format}: cannot compress: {what}")]
    Codec {
        /// The format.
        format: &'static str,
        /// What it said.
        what: String,
    },
    /// The map belongs to another disk.
    #[error("the block map does not belong to this disk: {0}; build the image again")]
    WrongMap(&'static str),
    /// The progress callback asked to stop.
    #[error("writing the disk was cancelled")]
    Cancelled,
}

fn blame(files: &[PathBuf]) -> String {
    if files.is_empty() {
        return "its bytes in memory differ; build the image again".to_owned();
    }
    let names: Vec<_> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    format!(
        "damaged in the store: {}; remove it and build again",
        names.join(", ")
    )
}

impl From<AsideError> for FormatError {
    fn from(error: AsideError) -> Self {
        match error {
            AsideError::NotAFile(path) => Self::NotAFile(path),
            AsideError::Write { path, source } => Self::Write { path, source },
        }
    }
}
