//! Comparing blocks with the block map.

use nodeimage_disk::block_map::{BlockMap, OFFSET, OWN_BLOCKS};
use nodeimage_disk::{BLOCK, Block, Extents};
use sha2::{Digest, Sha256};

use crate::FormatError;

/// The map of a disk, ready for comparing.
#[derive(Debug)]
pub(crate) struct Verifier<'a> {
    map: &'a BlockMap,
    encoded: Vec<u8>,
}

impl<'a> Verifier<'a> {
    /// Checks, without reading any content, that the map can be this disk's.
    pub(crate) fn new(disk: &Extents, map: &'a BlockMap) -> Result<Self, FormatError> {
        if map.disk_size() != disk.size() {
            return Err(FormatError::WrongMap("it is for a disk of another size"));
        }
        let encoded = map.to_bytes();
        let own = OWN_BLOCKS.take((encoded.len() as u64).div_ceil(BLOCK) as usize);
        if !has_blocks(disk, own) {
            return Err(FormatError::WrongMap("it is not on the disk"));
        }
        if !has_blocks(
            disk,
            map.blocks().iter().map(|(index, _)| u64::from(*index)),
        ) {
            return Err(FormatError::WrongMap(
                "it lists a block that is empty on the disk",
            ));
        }
        Ok(Self {
            map,
            encoded: map.to_bytes(),
        })
    }

    /// Checks a block's bytes, padded to a whole block.
    pub(crate) fn check(&self, block: &Block<'_>, bytes: &[u8]) -> Result<(), FormatError> {
        let index = block.index();
        if OWN_BLOCKS.contains(&index) {
            return if self.is_own(index, bytes) {
                Ok(())
            } else {
                Err(FormatError::WrongMap("the one on the disk is different"))
            };
        }
        let right = match self.map.hash_of(index) {
            _ if self.map.is_overflowed() => true,
            Some(hash) => Sha256::digest(bytes).as_slice() == hash,
            None => bytes.iter().all(|byte| *byte == 0),
        };
        if right {
            return Ok(());
        }
        let mut files: Vec<_> = block.files().map(Into::into).collect();
        files.dedup();
        Err(FormatError::Corrupt {
            block: index,
            files,
        })
    }

    fn is_own(&self, index: u64, bytes: &[u8]) -> bool {
        let start = self.encoded.len().min((index * BLOCK - OFFSET) as usize);
        let own = &self.encoded[start..self.encoded.len().min(start + BLOCK as usize)];
        let (head, tail) = bytes.split_at(own.len());
        head == own && tail.iter().all(|byte| *byte == 0)
    }
}

/// Whether the disk has something in all of these blocks, which ascend.
fn has_blocks(disk: &Extents, mut wanted: impl Iterator<Item = u64>) -> bool {
    let mut at_hand = disk.blocks().map(|block| block.index());
    wanted.all(|index| at_hand.by_ref().find(|it| *it >= index) == Some(index))
}
