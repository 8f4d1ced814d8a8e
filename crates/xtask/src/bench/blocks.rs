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

#[cfg(test)]
mod tests {
    use nodeimage_disk::block_map::Segment;
    use nodeimage_disk::{BLOCK, Extents};

    use super::*;

    /// A disk with one byte in each of some blocks, and segments by their keys.
    fn disk(folder: &Path, name: &str, marks: &[(u64, u8)], keys: &[u8]) -> Blocks {
        let mut disk = Extents::new(16 * BLOCK);
        for (block, mark) in marks {
            disk.push_bytes(block * BLOCK, vec![*mark]).unwrap();
        }
        let segments: Vec<Segment> = (10_u64..)
            .zip(keys)
            .map(|(block, key)| Segment {
                key: [*key; 32],
                offset: block * BLOCK,
                len: 1,
            })
            .collect();
        BlockMap::compute(&disk, [0; 32], &segments)
            .unwrap()
            .place_on(&mut disk)
            .unwrap();
        let mut bytes = vec![0; disk.size() as usize];
        disk.read_at(0, &mut bytes).unwrap();
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        Blocks::read(&path).unwrap()
    }

    #[test]
    fn changed_blocks_are_counted_with_the_maps_own() {
        let folder = tempfile::tempdir().unwrap();
        let disk = |name, marks: &[_], keys: &[u8]| disk(folder.path(), name, marks, keys);
        let first = disk("first", &[(0, 1), (9, 1), (10, 1)], &[1, 2]);
        let again = disk("again", &[(0, 1), (9, 1), (10, 1)], &[1, 2]);
        assert_eq!((first.used(), first.changed(&again)), (3, 0));
        // One other, one gone, one new, and the first block of the map.
        let other = disk("other", &[(0, 2), (10, 1), (12, 1)], &[1, 3]);
        assert_eq!(first.changed(&other), 4);
        assert_eq!(other.changed(&first), 4);
        assert_eq!(first.new_segments(&other), 1);
        assert_eq!(first.new_segments(&again), 0);
    }

    #[test]
    fn a_file_that_is_no_disk_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("short");
        std::fs::write(&path, "short").unwrap();
        assert!(Blocks::read(&path).is_err());
        assert!(Blocks::read(&folder.path().join("none")).is_err());
    }
}
