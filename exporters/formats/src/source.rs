//! What disks are read from.

use std::ops::Range;

use nodeimage_disk::{BLOCK, Extents};

use crate::FormatError;

/// A disk that can be read in any order, from several threads.
pub trait Disk: Sync {
    /// Its size in bytes, whole 512-byte sectors.
    fn size(&self) -> u64;

    /// The next range of bytes, from `from` on, that may hold something but zeros; what lies
    /// between is zero. None: nothing follows. Ranges may be larger than what is used.
    ///
    /// # Errors
    /// A damaged file, with the offset.
    fn next_data(&self, from: u64) -> Result<Option<Range<u64>>, FormatError>;

    /// Reads bytes, gaps as zeros. `[offset, offset + buffer.len())` lies inside the disk.
    ///
    /// # Errors
    /// A damaged file or block, with the offset.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), FormatError>;
}

/// The 512 KiB blocks of a disk that may hold something, ascending. An error ends them.
pub fn data_blocks(disk: &dyn Disk) -> impl Iterator<Item = Result<u64, FormatError>> {
    let mut next = 0_u64;
    let mut range: Option<Range<u64>> = None;
    let mut failed = false;
    std::iter::from_fn(move || {
        if failed {
            return None;
        }
        loop {
            if let Some(known) = &range
                && known.end > next * BLOCK
            {
                let block = next.max(known.start / BLOCK);
                next = block + 1;
                return Some(Ok(block));
            }
            match disk.next_data(next.saturating_mul(BLOCK)) {
                Ok(Some(found)) if !found.is_empty() && found.end > next * BLOCK => {
                    range = Some(found);
                }
                Ok(_) => return None,
                Err(error) => {
                    failed = true;
                    return Some(Err(error));
                }
            }
        }
    })
}

/// Any map of extents, its content as it is.
impl Disk for Extents {
    fn size(&self) -> u64 {
        Self::size(self)
    }

    fn next_data(&self, from: u64) -> Result<Option<Range<u64>>, FormatError> {
        let runs = self.runs();
        let at = runs.partition_point(|run| run.end() <= from);
        Ok(runs.get(at).map(|run| run.offset.max(from)..run.end()))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), FormatError> {
        Self::read_at(self, offset, buffer).map_err(|source| FormatError::Read {
            block: offset / BLOCK,
            source,
        })
    }
}
