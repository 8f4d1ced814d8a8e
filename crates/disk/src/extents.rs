//! A sparse run of bytes: a sorted map of extents over `[0, size)`; what no extent covers is zero.

use std::path::PathBuf;
use std::sync::Arc;

/// Bytes of one block: EBS's block, and the unit of the block map.
pub const BLOCK: u64 = 512 * 1024;

/// A sha256 digest.
pub type Sha256 = [u8; 32];

/// A file of the store that never changes once it stands under its name.
#[derive(Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Its length in bytes.
    pub len: u64,
    /// sha256 of each 512 KiB of it, the last one zero-padded to a whole block; empty when unknown.
    pub block_hashes: Vec<Sha256>,
}

/// What stands in an [`Extent`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Bytes in memory.
    Bytes(Arc<[u8]>),
    /// A range of a stored file, from this offset on.
    File {
        /// The file.
        file: Arc<StoredFile>,
        /// First byte of the range in the file.
        offset: u64,
    },
}

/// One run of content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// First byte.
    pub offset: u64,
    /// Length in bytes, never 0.
    pub len: u64,
    /// Its content.
    pub content: Content,
}

/// A sorted, non-overlapping map of extents over `[0, size)`; gaps are zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extents {
    size: u64,
    runs: Vec<Extent>,
}

impl Extents {
    /// All zero, `size` bytes long.
    pub fn new(size: u64) -> Self {
        Self { size, runs: Vec::new() }
    }

    /// Length in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The runs, by ascending offset.
    pub fn runs(&self) -> &[Extent] {
        &self.runs
    }
}
