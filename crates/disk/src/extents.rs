//! A sparse run of bytes: a sorted map of extents over `[0, size)`; what no extent covers is zero.
//!
//! Content is never copied: an extent holds shared bytes or points into a file of the store, and
//! composing one map into another only shifts offsets.

mod blocks;
mod read;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

pub use blocks::{Block, Blocks, ZERO_BLOCK_HASH};
pub use read::ReadError;

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
    /// Length in bytes, never 0; for bytes in memory, their number.
    pub len: u64,
    /// Its content.
    pub content: Content,
}

impl Extent {
    /// The first byte behind the run.
    pub fn end(&self) -> u64 {
        // In bounds: a run is only ever made inside `[0, size)`.
        self.offset + self.len
    }
}

/// Why a run can't be added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtentError {
    /// The run ends behind the end of the map, or past 2^64.
    #[error("{len} bytes at offset {offset} do not fit into {size} bytes; make the target larger")]
    OutOfBounds {
        /// First byte of the run.
        offset: u64,
        /// Its length in bytes.
        len: u64,
        /// Size of the map in bytes.
        size: u64,
    },
    /// The run would cover bytes that another run covers.
    #[error(
        "{len} bytes at offset {offset} overlap the {other_len} bytes at offset {other_offset}; \
         place them elsewhere"
    )]
    Overlap {
        /// First byte of the run.
        offset: u64,
        /// Its length in bytes.
        len: u64,
        /// First byte of the run that stands there.
        other_offset: u64,
        /// The length of that run in bytes.
        other_len: u64,
    },
    /// The range isn't inside the stored file.
    #[error("{}: {len} bytes at offset {offset} lie outside this file of {file_len} bytes; take a range inside it", path.display())]
    OutsideFile {
        /// The file.
        path: PathBuf,
        /// First byte of the range in the file.
        offset: u64,
        /// The length of the range in bytes.
        len: u64,
        /// The file's length in bytes.
        file_len: u64,
    },
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
        Self {
            size,
            runs: Vec::new(),
        }
    }

    /// Exactly these bytes.
    pub fn from_bytes(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        let mut whole = Self::new(bytes.len() as u64);
        if !is_zero(&bytes) {
            whole.runs.push(Extent {
                offset: 0,
                len: whole.size,
                content: Content::Bytes(bytes),
            });
        }
        whole
    }

    /// Exactly this file.
    pub fn from_file(file: Arc<StoredFile>) -> Self {
        let mut whole = Self::new(file.len);
        if file.len > 0 {
            let content = Content::File { file, offset: 0 };
            whole.runs.push(Extent {
                offset: 0,
                len: whole.size,
                content,
            });
        }
        whole
    }

    /// Length in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The runs, by ascending offset.
    pub fn runs(&self) -> &[Extent] {
        &self.runs
    }

    /// Bytes that runs cover; some of them may be zero.
    pub fn data_len(&self) -> u64 {
        self.runs.iter().map(|run| run.len).sum()
    }

    /// Puts bytes at `offset`. Bytes that are all zero leave a gap, once they have been checked.
    pub fn push_bytes(
        &mut self,
        offset: u64,
        bytes: impl Into<Arc<[u8]>>,
    ) -> Result<(), ExtentError> {
        let bytes = bytes.into();
        let len = bytes.len() as u64;
        let at = self.free_position(offset, len)?;
        if !is_zero(&bytes) {
            self.runs.insert(
                at,
                Extent {
                    offset,
                    len,
                    content: Content::Bytes(bytes),
                },
            );
        }
        Ok(())
    }

    /// Puts `len` bytes of `file`, from `file_offset` on, at `offset`.
    pub fn push_file(
        &mut self,
        offset: u64,
        file: Arc<StoredFile>,
        file_offset: u64,
        len: u64,
    ) -> Result<(), ExtentError> {
        if file_offset
            .checked_add(len)
            .is_none_or(|end| end > file.len)
        {
            return Err(ExtentError::OutsideFile {
                path: file.path.clone(),
                offset: file_offset,
                len,
                file_len: file.len,
            });
        }
        let at = self.free_position(offset, len)?;
        if len > 0 {
            let content = Content::File {
                file,
                offset: file_offset,
            };
            self.runs.insert(
                at,
                Extent {
                    offset,
                    len,
                    content,
                },
            );
        }
        Ok(())
    }

    /// Puts all of `other` at `offset`. Its gaps cover nothing. On an error nothing is placed.
    pub fn place(&mut self, offset: u64, other: &Self) -> Result<(), ExtentError> {
        self.check_bounds(offset, other.size)?;
        for run in &other.runs {
            self.free_position(offset + run.offset, run.len)?;
        }
        self.runs.extend(other.runs.iter().map(|run| Extent {
            offset: offset + run.offset,
            len: run.len,
            content: run.content.clone(),
        }));
        self.runs.sort_by_key(|run| run.offset);
        Ok(())
    }

    /// A copy of a range, moved to offset 0. Bytes in memory that it cuts are copied.
    pub fn slice(&self, range: Range<u64>) -> Result<Self, ExtentError> {
        let len = range.end.saturating_sub(range.start);
        self.check_bounds(range.start, len)?;
        let mut part = Self::new(len);
        for run in self.runs_in(range.start, range.start + len) {
            let from = run.offset.max(range.start);
            let to = run.end().min(range.end);
            let skip = from - run.offset;
            let content = match &run.content {
                Content::Bytes(bytes) if skip == 0 && to == run.end() => {
                    Content::Bytes(Arc::clone(bytes))
                }
                Content::Bytes(bytes) => {
                    let cut = &bytes[skip as usize..(to - run.offset) as usize];
                    if is_zero(cut) {
                        continue;
                    }
                    Content::Bytes(Arc::from(cut))
                }
                Content::File { file, offset } => Content::File {
                    file: Arc::clone(file),
                    offset: offset + skip,
                },
            };
            part.runs.push(Extent {
                offset: from - range.start,
                len: to - from,
                content,
            });
        }
        Ok(part)
    }

    /// The runs that cover at least one byte of `[start, end)`.
    fn runs_in(&self, start: u64, end: u64) -> &[Extent] {
        let from = self.runs.partition_point(|run| run.end() <= start);
        let to = self.runs.partition_point(|run| run.offset < end);
        self.runs.get(from..to).unwrap_or_default()
    }

    fn check_bounds(&self, offset: u64, len: u64) -> Result<(), ExtentError> {
        match offset.checked_add(len) {
            Some(end) if end <= self.size => Ok(()),
            _ => Err(ExtentError::OutOfBounds {
                offset,
                len,
                size: self.size,
            }),
        }
    }

    /// Where a new run belongs in `runs`, when nothing stands there.
    fn free_position(&self, offset: u64, len: u64) -> Result<usize, ExtentError> {
        self.check_bounds(offset, len)?;
        let at = self.runs.partition_point(|run| run.end() <= offset);
        match self.runs.get(at) {
            Some(other) if len > 0 && other.offset < offset + len => Err(ExtentError::Overlap {
                offset,
                len,
                other_offset: other.offset,
                other_len: other.len,
            }),
            _ => Ok(at),
        }
    }
}

/// Whether all bytes are zero.
fn is_zero(bytes: &[u8]) -> bool {
    let mut words = bytes.chunks_exact(64);
    words.all(|word| word == [0; 64]) && words.remainder().iter().all(|byte| *byte == 0)
}
