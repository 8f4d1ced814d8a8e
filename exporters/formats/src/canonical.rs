//! The canonical disk as a source.

use std::ops::Range;

use nodeimage_disk::block_map::BlockMap;
use nodeimage_disk::{BLOCK, Extents};

use crate::verify::Verifier;
use crate::{Disk, FormatError};

/// The canonical disk: every block is compared with its map as it is read.
#[derive(Debug)]
pub struct Canonical<'a> {
    disk: &'a Extents,
    verifier: Verifier<'a>,
}

impl<'a> Canonical<'a> {
    /// The disk and its map.
    ///
    /// # Errors
    /// The map is another disk's.
    pub fn new(disk: &'a Extents, map: &'a BlockMap) -> Result<Self, FormatError> {
        Ok(Self {
            disk,
            verifier: Verifier::new(disk, map)?,
        })
    }
}

impl Disk for Canonical<'_> {
    fn size(&self) -> u64 {
        self.disk.size()
    }

    fn next_data(&self, from: u64) -> Result<Option<Range<u64>>, FormatError> {
        Disk::next_data(self.disk, from)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), FormatError> {
        Disk::read_at(self.disk, offset, buffer)?;
        let is_last = offset + buffer.len() as u64 == self.disk.size();
        let is_block = offset.is_multiple_of(BLOCK)
            && (buffer.len() as u64 == BLOCK || is_last && buffer.len() as u64 <= BLOCK);
        match self.disk.block(offset / BLOCK) {
            Some(block) if is_block && buffer.len() as u64 == BLOCK => {
                self.verifier.check(&block, buffer)
            }
            Some(block) if is_block => {
                let mut padded = buffer.to_vec();
                padded.resize(BLOCK as usize, 0);
                self.verifier.check(&block, &padded)
            }
            _ => Ok(()),
        }
    }
}
