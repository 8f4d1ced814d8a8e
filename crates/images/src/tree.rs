//! A file tree: paths to nodes, nothing unpacked. Files are ranges of stored layer tars.

use std::collections::BTreeMap;
use std::sync::Arc;

use nodeimage_disk::StoredFile;

/// Paths (raw bytes, relative, no leading or trailing slash, no `.` or `..`; the root itself is
/// the empty path and need not be present) to nodes, in byte order: parents come before children.
pub type Tree = BTreeMap<Vec<u8>, Node>;

/// One entry of a [`Tree`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Permission bits with setuid, setgid and sticky; no file type.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Modification time, seconds since the epoch.
    pub mtime: i64,
    /// Extended attributes by full name (`security.capability`).
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// What a [`Node`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Dir,
    /// A regular file.
    File(Data),
    /// A symbolic link to this target.
    Symlink(Vec<u8>),
    /// Another name of the regular file at this path of the same tree (which is never itself a
    /// hard link). Owner, mode, xattrs are the target's.
    HardLink(Vec<u8>),
    /// A character device.
    Char {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A block device.
    Block {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A named pipe.
    Fifo,
}

/// The bytes of a regular file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// In memory: small generated files.
    Bytes(Arc<[u8]>),
    /// A range of a stored file (a layer's plain tar).
    Stored {
        /// The file.
        file: Arc<StoredFile>,
        /// First byte.
        offset: u64,
        /// Length in bytes.
        len: u64,
    },
}

impl Data {
    /// Length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Stored { len, .. } => *len,
        }
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
