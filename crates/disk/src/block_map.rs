//! Block map, version 1: the sha256 of every non-zero 512 KiB block of a disk.
//!
//! It lies on the disk that it describes, in [512 KiB, 4 MiB), zero-padded; those seven blocks are
//! not in it. The sha256 of the encoded map is the **disk digest**. All numbers are little-endian.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic, `NIBLKMAP` |
//! | 8 | 4 | version, 1 |
//! | 12 | 4 | flags: bit 0 = overflow, the blocks did not fit and none is listed; others 0 |
//! | 16 | 32 | image id |
//! | 48 | 8 | disk size in bytes |
//! | 56 | 4 | block size in bytes, 524288 |
//! | 60 | 4 | b = number of blocks listed |
//! | 64 | 4 | s = number of segments |
//! | 68 | 4 | 0 |
//! | 72 | 32 | sha256 of the whole block list, also when it overflowed and isn't here |
//! | 104 | 32 | checksum: sha256 of everything else, bytes 0–103 and 136–end |
//! | 136 | 36 b | block list: u32 block number, sha256 of the block, ascending; no zero block |
//! | 136 + 36 b | 48 s | segment index: cache key, u64 disk offset, u64 length, ascending offsets |
//!
//! A last block that the disk cuts short is hashed zero-padded. The room holds the hashes of
//! about 50 GiB of content; beyond it the map is marked as overflowed and uploads go full.

mod encoding;
#[cfg(test)]
mod tests;

use std::io;
use std::ops::Range;

use sha2::{Digest, Sha256 as Hasher};

use crate::{BLOCK, ExtentError, Extents, Sha256, ZERO_BLOCK_HASH};

pub use encoding::FormatError;

/// Where the map begins on the disk.
pub const OFFSET: u64 = BLOCK;

/// Room for the encoded map in bytes.
pub const CAPACITY: u64 = 7 * BLOCK;

/// The numbers of the map's own blocks.
pub const OWN_BLOCKS: Range<u64> = 1..8;

/// Most segments that a map indexes.
pub const MAX_SEGMENTS: usize = 4096;

/// Largest disk in bytes: block numbers have 32 bits.
pub const MAX_DISK: u64 = (1 << 32) * BLOCK;

/// Where a segment of the initrd lies on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its key in the store.
    pub key: Sha256,
    /// First byte on the disk.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u64,
}

/// The hashes of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockMap {
    image_id: Sha256,
    disk_size: u64,
    overflowed: bool,
    content: Sha256,
    blocks: Vec<(u32, Sha256)>,
    segments: Vec<Segment>,
}

/// Why a map can't be made.
#[derive(Debug, thiserror::Error)]
pub enum BlockMapError {
    /// The disk has no room for a map, or more blocks than a map can number.
    #[error("block map: a disk of {size} bytes; it must have 4 MiB to 2 PiB")]
    DiskSize {
        /// Size of the disk in bytes.
        size: u64,
    },
    /// More segments than [`MAX_SEGMENTS`].
    #[error("block map: {count} segments; at most {MAX_SEGMENTS} can be indexed, use fewer images")]
    TooManySegments {
        /// How many there are.
        count: usize,
    },
    /// Segments must be ascending, apart, not empty and on the disk.
    #[error(
        "block map: the segment of {len} bytes at disk offset {offset} is empty, outside the disk \
         or not behind the one before it; list segments in the order of their offsets"
    )]
    Segment {
        /// First byte on the disk.
        offset: u64,
        /// Its length in bytes.
        len: u64,
    },
    /// A block can't be read.
    #[error("block map: cannot hash block {index}: {source}")]
    Read {
        /// The block's number.
        index: u64,
        /// Why.
        source: io::Error,
    },
}

impl BlockMap {
    /// Hashes every block of `disk`. Blocks that are one block of a file with known hashes are not
    /// read. `segments` must be in the order of their offsets.
    pub fn compute(
        disk: &Extents,
        image_id: Sha256,
        segments: &[Segment],
    ) -> Result<Self, BlockMapError> {
        let disk_size = disk.size();
        if !(OFFSET + CAPACITY..=MAX_DISK).contains(&disk_size) {
            return Err(BlockMapError::DiskSize { size: disk_size });
        }
        check_segments(segments, disk_size)?;
        let room = encoding::room(segments.len());
        let mut blocks = Vec::new();
        let mut overflowed = false;
        let mut content = Hasher::new();
        let mut scratch = Vec::new();
        for block in disk
            .blocks()
            .filter(|block| !OWN_BLOCKS.contains(&block.index()))
        {
            let index = block.index();
            let hash = block
                .hash(&mut scratch)
                .map_err(|source| BlockMapError::Read { index, source })?;
            if hash == ZERO_BLOCK_HASH {
                continue;
            }
            // In range: the disk's size was checked.
            let number = index as u32;
            content.update(number.to_le_bytes());
            content.update(hash);
            if blocks.len() == room {
                overflowed = true;
                blocks = Vec::new();
            }
            if !overflowed {
                blocks.push((number, hash));
            }
        }
        let content = content.finalize().into();
        let segments = segments.to_vec();
        Ok(Self {
            image_id,
            disk_size,
            overflowed,
            content,
            blocks,
            segments,
        })
    }

    /// The image that the disk is of.
    pub fn image_id(&self) -> &Sha256 {
        &self.image_id
    }

    /// Size of the disk in bytes.
    pub fn disk_size(&self) -> u64 {
        self.disk_size
    }

    /// Whether the disk has more blocks than the map holds; then none is listed.
    pub fn is_overflowed(&self) -> bool {
        self.overflowed
    }

    /// Number and sha256 of each non-zero block but the map's own, ascending.
    pub fn blocks(&self) -> &[(u32, Sha256)] {
        &self.blocks
    }

    /// The sha256 of a block that is listed.
    pub fn hash_of(&self, index: u64) -> Option<&Sha256> {
        let index = u32::try_from(index).ok()?;
        let at = self
            .blocks
            .binary_search_by_key(&index, |(number, _)| *number)
            .ok()?;
        self.blocks.get(at).map(|(_, hash)| hash)
    }

    /// Where the segments lie, by ascending offset.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The disk digest: sha256 of the encoded map.
    pub fn digest(&self) -> Sha256 {
        Hasher::digest(self.to_bytes()).into()
    }

    /// Puts the encoded map in its place on the disk.
    pub fn place_on(&self, disk: &mut Extents) -> Result<(), ExtentError> {
        disk.push_bytes(OFFSET, self.to_bytes())
    }
}

fn check_segments(segments: &[Segment], disk_size: u64) -> Result<(), BlockMapError> {
    if segments.len() > MAX_SEGMENTS {
        return Err(BlockMapError::TooManySegments {
            count: segments.len(),
        });
    }
    let mut free = 0;
    for Segment { offset, len, .. } in segments {
        let end = offset.checked_add(*len).filter(|end| *end <= disk_size);
        match end {
            Some(end) if *len > 0 && *offset >= free => free = end,
            _ => {
                return Err(BlockMapError::Segment {
                    offset: *offset,
                    len: *len,
                });
            }
        }
    }
    Ok(())
}
