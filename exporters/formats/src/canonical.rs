//! The canonical disk as a source.

use std::borrow::Cow;
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
        let len = buffer.len() as u64;
        let is_last = offset + len == self.disk.size();
        let is_whole = offset.is_multiple_of(BLOCK) && (len == BLOCK || is_last && len < BLOCK);
        let Some(block) = self.disk.block(offset / BLOCK).filter(|_| is_whole) else {
            return Ok(());
        };
        let mut padded = Cow::Borrowed(&*buffer);
        if len < BLOCK {
            padded.to_mut().resize(BLOCK as usize, 0);
        }
        self.verifier.check(&block, &padded)
    }
}
