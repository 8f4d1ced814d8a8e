//! The map seen as 512 KiB blocks, the unit of the block map and of uploads.

use std::io;
use std::path::Path;

use sha2::{Digest, Sha256 as Hasher};

use super::{BLOCK, Content, Extent, Extents, Sha256};

/// sha256 of a block of zeros.
pub const ZERO_BLOCK_HASH: Sha256 = [
    0x07, 0x85, 0x4d, 0x2f, 0xef, 0x29, 0x7a, 0x06, 0xba, 0x81, 0x68, 0x5e, 0x66, 0x0c, 0x33, 0x2d,
    0xe3, 0x6d, 0x5d, 0x18, 0xd5, 0x46, 0x92, 0x7d, 0x30, 0xda, 0xad, 0x6d, 0x7f, 0xda, 0x15, 0x41,
];

/// One block that at least one run touches.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    map: &'a Extents,
    index: u64,
    runs: &'a [Extent],
}

impl<'a> Block<'a> {
    /// Its number, from 0.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Its first byte.
    pub fn offset(&self) -> u64 {
        self.index * BLOCK
    }

    /// Its bytes inside the map: [`BLOCK`], or less at the map's end.
    pub fn len(&self) -> u64 {
        (self.map.size - self.offset()).min(BLOCK)
    }

    /// Never: a block without content isn't listed.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The stored files that it takes bytes from.
    pub fn files(&self) -> impl Iterator<Item = &'a Path> + use<'a> {
        self.runs.iter().filter_map(|run| match &run.content {
            Content::File { file, .. } => Some(file.path.as_path()),
            Content::Bytes(_) => None,
        })
    }

    /// Makes `buffer` the whole block, zero-padded to [`BLOCK`] bytes at the map's end.
    pub fn read(&self, buffer: &mut Vec<u8>) -> io::Result<()> {
        buffer.resize(BLOCK as usize, 0);
        let (inside, behind) = buffer.split_at_mut(self.len() as usize);
        behind.fill(0);
        self.map.read_at(self.offset(), inside)
    }

    /// Its sha256 (zero-padded to a whole block), by its file's own hashes when these say it, else
    /// by reading it through `scratch`.
    pub fn hash(&self, scratch: &mut Vec<u8>) -> io::Result<Sha256> {
        if let Some(hash) = self.known_hash() {
            return Ok(hash);
        }
        self.read(scratch)?;
        Ok(Hasher::digest(scratch.as_slice()).into())
    }

    /// Its sha256 when it is exactly one block of one file whose hashes are known.
    pub fn known_hash(&self) -> Option<Sha256> {
        let [run] = self.runs else { return None };
        let Content::File { file, offset } = &run.content else {
            return None;
        };
        let start = offset + self.offset().checked_sub(run.offset)?;
        let stop = offset + (run.end().min(self.offset().saturating_add(BLOCK)) - run.offset);
        let whole = stop - start == BLOCK || stop == file.len;
        let complete = file.block_hashes.len() as u64 == file.len.div_ceil(BLOCK);
        if !whole || !complete || start % BLOCK != 0 {
            return None;
        }
        file.block_hashes
            .get(usize::try_from(start / BLOCK).ok()?)
            .copied()
    }
}

/// The blocks of [`Extents::blocks`].
#[derive(Clone, Debug)]
pub struct Blocks<'a> {
    map: &'a Extents,
    next_run: usize,
    next_index: u64,
}

impl<'a> Iterator for Blocks<'a> {
    type Item = Block<'a>;

    fn next(&mut self) -> Option<Block<'a>> {
        let rest = self.map.runs.get(self.next_run..)?;
        let index = self.next_index.max(rest.first()?.offset / BLOCK);
        let end = (index + 1).saturating_mul(BLOCK);
        let touching = rest.partition_point(|run| run.offset < end);
        let done = rest.partition_point(|run| run.end() <= end);
        let block = Block {
            map: self.map,
            index,
            runs: &rest[..touching],
        };
        self.next_run += done;
        self.next_index = index + 1;
        Some(block)
    }
}

impl Extents {
    /// The block of this number, when it has any content.
    pub fn block(&self, index: u64) -> Option<Block<'_>> {
        let start = index.checked_mul(BLOCK)?;
        let runs = self.runs_in(start, start.saturating_add(BLOCK));
        (!runs.is_empty()).then_some(Block {
            map: self,
            index,
            runs,
        })
    }

    /// The blocks that runs touch, by ascending number. Such a block may still hold only zeros.
    pub fn blocks(&self) -> Blocks<'_> {
        Blocks {
            map: self,
            next_run: 0,
            next_index: 0,
        }
    }
}
