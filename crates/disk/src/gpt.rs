//! Protective MBR and GUID partition table (UEFI 2.10 §5).
//!
//! 128 entries of 128 bytes, 512-byte sectors, the backup at the disk's end. The first usable
//! sector is that of the first partition: a larger usable area would invite tools such as
//! systemd-repart to discard or use the gap in front of it, where the block map lies.

mod guid;
mod parse;
#[cfg(test)]
mod tests;
mod write;

use std::io;

pub use guid::{BASIC_DATA, BIOS_BOOT, EFI_SYSTEM, Guid, guid_from};
pub use parse::parse;
pub use write::write;

/// Entries of the table.
pub const ENTRIES: u32 = 128;

/// Sectors of the backup at the disk's end: the entries and the header.
pub const BACKUP_SECTORS: u64 = 33;

const ENTRY_SIZE: usize = 128;
const HEADER_SIZE: usize = 92;
const SIGNATURE: &[u8; 8] = b"EFI PART";
const REVISION: u32 = 0x0001_0000;

/// One partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its number, 1 to [`ENTRIES`].
    pub number: u32,
    /// What it is for.
    pub kind: Guid,
    /// Its own identifier.
    pub guid: Guid,
    /// First sector.
    pub first_lba: u64,
    /// Last sector, inside it.
    pub last_lba: u64,
    /// Attribute bits.
    pub attributes: u64,
    /// Its name, at most 36 UTF-16 units.
    pub name: String,
}

/// The partition table of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The disk's identifier.
    pub disk_guid: Guid,
    /// Its partitions, ascending by number; at least one.
    pub partitions: Vec<Partition>,
}

/// Why a table can't be written or isn't valid.
#[derive(Debug, thiserror::Error)]
pub enum GptError {
    /// The disk isn't a whole number of sectors, or too small for a table.
    #[error("partition table: a disk of {size} bytes; it must be whole sectors and at least 1 MiB")]
    DiskSize {
        /// Size of the disk in bytes.
        size: u64,
    },
    /// A partition breaks a rule.
    #[error("partition {number}: {reason}; correct the layout")]
    Partition {
        /// The partition's number.
        number: u32,
        /// The rule that is broken.
        reason: &'static str,
    },
    /// A table without partitions.
    #[error("partition table: no partition; a disk needs at least one")]
    Empty,
    /// The place of the table is taken.
    #[error("partition table: {0}")]
    Place(#[from] crate::ExtentError),
    /// The disk can't be read.
    #[error("partition table: cannot read the disk: {0}")]
    Read(#[from] io::Error),
    /// The bytes on the disk are no table.
    #[error("partition table: {0}; the disk is damaged or was not made by nodeimage")]
    Invalid(&'static str),
}

/// The rules of a table on a disk of this many sectors, `first_usable` being its own claim.
fn check(partitions: &[Partition], first_usable: u64, last_usable: u64) -> Result<(), GptError> {
    let fail = |number, reason| Err(GptError::Partition { number, reason });
    let mut number = 0;
    for partition in partitions {
        let this = partition.number;
        if this <= number || this > ENTRIES {
            return fail(this, "numbers must be ascending and in 1 to 128");
        }
        number = this;
        if partition.kind == Guid::default() || partition.guid == Guid::default() {
            return fail(this, "its type or its identifier is all zero");
        }
        let Partition {
            first_lba: first,
            last_lba: last,
            ..
        } = *partition;
        if first > last || first < first_usable || last > last_usable {
            return fail(this, "it lies outside the usable sectors of the disk");
        }
        if partition.name.contains('\0') || partition.name.encode_utf16().count() > 36 {
            return fail(
                this,
                "its name is longer than 36 UTF-16 units or holds a NUL",
            );
        }
    }
    let mut sorted: Vec<_> = partitions.iter().collect();
    sorted.sort_by_key(|it| it.first_lba);
    match sorted
        .windows(2)
        .find(|pair| pair[0].last_lba >= pair[1].first_lba)
    {
        Some(pair) => fail(pair[1].number, "it overlaps another partition"),
        None => Ok(()),
    }
}
