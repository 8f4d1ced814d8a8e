//! Why the root file system cannot be made.

use crate::runtime;
use crate::runtime::ErrorKind;

use super::{LinkError, PathError};

/// Whatever the store or a source reports.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why the root file system cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Several that are independent of one another.
    #[error("{}", list(.0))]
    Many(Vec<Error>),
    /// A container entry or its image's label.
    #[error(transparent)]
    Runtime(#[from] runtime::Error),
    /// Two containers would share a directory.
    #[error(
        "{container}: its directory /{path} is another container's already; give it another name"
    )]
    DuplicateBundle {
        /// Section, index and name.
        container: String,
        /// The directory.
        path: String,
    },
    /// The caller has no facts of an image that the spec names.
    #[error("{reference}: nothing is known of this image; resolve it first")]
    UnknownImage {
        /// The expanded reference.
        reference: String,
    },
    /// The image cannot be read.
    #[error("{reference}: cannot read this image")]
    Image {
        /// The expanded reference.
        reference: String,
        /// Why.
        source: BoxError,
    },
    /// A part of the kernel image is missing.
    #[error(
        "{reference}: did not find {what} in kernel image: it has no file `{path}`; set kernel.{key}"
    )]
    KernelMissing {
        /// The expanded reference.
        reference: String,
        /// `kernel` or `kernel tar`.
        what: &'static str,
        /// The path looked for.
        path: String,
        /// The key that names it.
        key: &'static str,
    },
    /// A part of the kernel image is a link or a directory.
    #[error("{reference}: `{path}` is no regular file; let kernel.{key} name the file itself")]
    KernelNotAFile {
        /// The expanded reference.
        reference: String,
        /// The path.
        path: String,
        /// The key that names it.
        key: &'static str,
    },
    /// The modules' tar is not a plain one.
    #[error("{reference}: `{path}` is compressed with {codec}; kernel.tar must name a plain tar")]
    KernelTarCompressed {
        /// The expanded reference.
        reference: String,
        /// Its path.
        path: String,
        /// What it is compressed with.
        codec: &'static str,
    },
    /// The modules' tar cannot be read.
    #[error("{reference}: cannot read the tar `{path}`")]
    KernelTar {
        /// The expanded reference.
        reference: String,
        /// Its path.
        path: String,
        /// What is wrong with it.
        source: BoxError,
    },
    /// A directory cannot be put through the symbolic link that an init image has in its place.
    #[error(
        "{component}: an init image has a symbolic link where this has the directory `{name}`: {reason}"
    )]
    Link {
        /// The component.
        component: String,
        /// The top-level name.
        name: String,
        /// Why not.
        reason: LinkError,
    },
    /// A volume's name.
    #[error("invalid volume name: `{name}`; use a-z, 0-9, _ and -")]
    VolumeName {
        /// The name.
        name: String,
    },
    /// Two volumes of one name.
    #[error("duplicate volume name: {name}")]
    DuplicateVolume {
        /// The name.
        name: String,
    },
    /// Neither `filesystem` nor `oci`.
    #[error("volume {name}: unknown format `{format}`; use filesystem or oci")]
    VolumeFormat {
        /// The volume.
        name: String,
        /// What was written.
        format: String,
    },
    /// A volume of format `oci` holds an index, and this image has none.
    #[error("volume {name}: {reference} is a single manifest; format oci needs an image index")]
    VolumeNeedsIndex {
        /// The volume.
        name: String,
        /// The expanded reference.
        reference: String,
    },
    /// An entry of `files`.
    #[error("files[{index}] ({path}): {kind}")]
    File {
        /// The index.
        index: usize,
        /// Its path as written.
        path: String,
        /// What is wrong.
        kind: FileError,
    },
    /// The package databases of the init images cannot be joined.
    #[error("{reference}: cannot read lib/apk/db/installed")]
    ApkDatabase {
        /// The expanded reference.
        reference: String,
        /// Why.
        source: std::io::Error,
    },
    /// Together larger than what is kept in memory.
    #[error("the init images' lib/apk/db/installed have more than {limit} bytes together")]
    ApkTooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// JSON of generated files; never for the types used here.
    #[error("cannot write JSON")]
    Json(#[from] serde_json::Error),
}

impl Error {
    /// Whether an image could not be read because the work was stopped on request.
    pub(super) fn is_cancelled(&self) -> bool {
        let Self::Image { source, .. } = self else {
            return false;
        };
        let source = source.downcast_ref::<nodeimage_images::Error>();
        source.is_some_and(nodeimage_images::Error::is_cancelled)
    }
}

fn list(errors: &[Error]) -> String {
    let texts: Vec<_> = errors
        .iter()
        .map(|error| crate::error::explain(error))
        .collect();
    texts.join("\n")
}

/// What is wrong with an entry of `files`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The path is empty.
    #[error("did not specify path for file")]
    NoPath,
    /// The path leaves the root, or holds a NUL.
    #[error("this path is refused: {0}")]
    Path(#[from] PathError),
    /// Only a directory may be the root or end in a slash.
    #[error("the path names a directory; add `directory: true` or a file name")]
    NamesDirectory,
    /// Not an octal mode.
    #[error("cannot parse file mode as octal value: {0}")]
    Mode(runtime::OctalError),
    /// An unknown owner.
    #[error("{key}: {kind}")]
    Owner {
        /// `uid` or `gid`.
        key: &'static str,
        /// What is wrong.
        kind: ErrorKind,
    },
    /// Nothing is given.
    #[error(
        "contents of file not specified; give contents, source, metadata, symlink or directory"
    )]
    NoContents,
    /// Two of them are given.
    #[error("specified {0} and {1}; give one of them")]
    Both(&'static str, &'static str),
    /// A directory has no contents.
    #[error("directory with contents not allowed")]
    DirectoryWithContents,
    /// The source was to be read before.
    #[error("source `{0}` was not read in; lock the spec first")]
    SourceLeft(String),
    /// Neither yaml nor json.
    #[error("unsupported metadata type: {0}; use yaml or json")]
    MetadataType(String),
    /// Not base64.
    #[error("contents_base64 is not base64: {0}")]
    Base64(base64::DecodeError),
    /// A parent is no directory.
    #[error("it lies below `{parent}`, which an earlier entry makes {what}")]
    Below {
        /// The parent.
        parent: String,
        /// What it is.
        what: &'static str,
    },
    /// A parent is a symbolic link that leads nowhere inside.
    #[error("it lies below `{parent}`, a symbolic link: {reason}")]
    Link {
        /// The parent.
        parent: String,
        /// Why it cannot be followed.
        reason: LinkError,
    },
}
