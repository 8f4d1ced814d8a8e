//! What an upload would send: 512 KiB blocks that are other on one disk than
//! on another.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result};
use nodeimage_disk::BLOCK;
use nodeimage_disk::block_map::{self, BlockMap};

/// A disk's block map, and the blocks it is stored in, which it does not list.
#[derive(Debug)]
pub(super) struct Blocks {
    map: BlockMap,
    bytes: Vec<u8>,
}

impl Blocks {
    pub(super) fn read(disk: &Path) -> Result<Self> {
        let read = || -> Result<Self> {
            let mut bytes = vec![0; block_map::CAPACITY as usize];
            File::open(disk)?.read_exact_at(&mut bytes, block_map::OFFSET)?;
            let map = BlockMap::parse(&bytes)?;
            Ok(Self { map, bytes })
        };
        read().with_context(|| format!("cannot read the block map of {}", disk.display()))
    }

    /// Blocks that must be sent to make the other disk of this one, those
    /// that became zero included.
    pub(super) fn changed(&self, other: &Self) -> u64 {
        let indices: BTreeSet<u64> = [&self.map, &other.map]
            .into_iter()
            .flat_map(|map| map.blocks().iter().map(|(index, _)| u64::from(*index)))
            .collect();
        let listed = indices
            .into_iter()
            .filter(|index| self.map.hash_of(*index) != other.map.hash_of(*index))
            .count();
        let own = self
            .bytes
            .chunks(BLOCK as usize)
            .zip(other.bytes.chunks(BLOCK as usize))
            .filter(|(here, there)| here != there)
            .count();
        (listed + own) as u64
    }

    /// Blocks of segments that the other disk has and this one has not.
    pub(super) fn new_segments(&self, other: &Self) -> u64 {
        let known: BTreeSet<_> = self.map.segments().iter().map(|one| one.key).collect();
        other
            .map
            .segments()
            .iter()
            .filter(|segment| !known.contains(&segment.key))
            .map(|segment| segment.len.div_ceil(BLOCK))
            .sum()
    }

    /// Blocks that are not zero.
    pub(super) fn used(&self) -> u64 {
        self.map.blocks().len() as u64
    }
}
