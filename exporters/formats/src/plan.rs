//! What is known of a disk before its first byte is read.

use nodeimage_disk::block_map::{self, BlockMap};
use nodeimage_disk::{BLOCK, SECTOR};
use sha2::{Digest, Sha256};

use crate::{Disk, FormatError, Plan, data_blocks};

/// More blocks with data are refused: 8 TiB of them.
const MAX_BLOCKS: usize = 1 << 24;

/// Bytes in front that tell disks without a block map apart: MBR, GPT with its GUIDs.
const FRONT: u64 = 64 << 10;

impl Plan {
    /// Asks the disk where its data are.
    ///
    /// # Errors
    /// The disk's; it has no sector, or more data than can be planned.
    pub fn of(disk: &dyn Disk, seed: [u8; 32]) -> Result<Self, FormatError> {
        let limit = |what: &str| FormatError::Limit {
            format: "disk",
            what: what.to_owned(),
        };
        let size = disk.size();
        if size == 0 || !size.is_multiple_of(SECTOR) {
            return Err(limit(
                "a disk has one sector of 512 bytes at least, and only whole ones",
            ));
        }
        let mut blocks = Vec::new();
        for block in data_blocks(disk) {
            if blocks.len() == MAX_BLOCKS {
                return Err(limit("it holds more than 8 TiB of data; make it smaller"));
            }
            blocks.push(block?);
        }
        Ok(Self {
            size,
            blocks: blocks.into(),
            seed,
        })
    }
}

/// The block map that a disk carries, if it is one of ours.
///
/// # Errors
/// The disk's.
pub fn block_map_of(disk: &dyn Disk) -> Result<Option<BlockMap>, FormatError> {
    if disk.size() < block_map::OFFSET + block_map::CAPACITY {
        return Ok(None);
    }
    let mut bytes = vec![0; block_map::CAPACITY as usize];
    // By blocks: it may be compressed.
    for (at, piece) in bytes.chunks_mut(BLOCK as usize).enumerate() {
        disk.read_at(block_map::OFFSET + at as u64 * BLOCK, piece)?;
    }
    let map = BlockMap::parse(&bytes).ok();
    Ok(map.filter(|map| map.disk_size() == disk.size()))
}

/// A [`Plan`]'s seed for any disk: its image id, or what its first 64 KiB say. The same for the same
/// content, whatever file it comes in.
///
/// # Errors
/// The disk's.
pub fn seed_of(disk: &dyn Disk) -> Result<[u8; 32], FormatError> {
    if let Some(map) = block_map_of(disk)? {
        return Ok(*map.image_id());
    }
    let mut front = vec![0; disk.size().min(FRONT) as usize];
    disk.read_at(0, &mut front)?;
    let mut hasher = Sha256::new_with_prefix(b"nodeimage disk 1 ");
    hasher.update(disk.size().to_le_bytes());
    hasher.update(&front);
    Ok(hasher.finalize().into())
}
