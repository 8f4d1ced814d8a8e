//! The canonical disk: what every image is before it gets a file format.
//!
//! [`canonical::assemble`] lays out boot loader, FAT32 file system, unified kernel image and block
//! map as [`Extents`]: no content is copied and nothing is written. The other modules are its
//! parts, each one specification:
//!
//! | module | bytes |
//! |---|---|
//! | [`block_map`] | sha256 of every non-zero 512 KiB block, and where the segments lie |
//! | [`gpt`] | protective MBR, GUID partition table |
//! | [`fat32`] | a FAT32 file system whose files are contiguous |
//! | [`grub`] | GRUB's BIOS boot code and its configuration |
//! | [`uki`], [`pe`] | the unified kernel image, a PE file |
//! | [`place`] | where the parts of the image lie, so that a change of one moves no other |
//!
//! Pure: no network, async, clock, randomness or environment; only stored files are read.

pub mod block_map;
pub mod canonical;
pub mod cmdline;
pub mod fat32;
pub mod gpt;
pub mod grub;
pub mod pe;
pub mod place;
pub mod uki;

mod architecture;
mod bytes;
mod crc32;
mod derive;
mod extents;
#[cfg(test)]
mod fixture;

pub use architecture::Architecture;
pub use extents::{
    BLOCK, Block, Blocks, Content, Extent, ExtentError, Extents, ReadError, Sha256, StoredFile,
    ZERO_BLOCK_HASH,
};

/// Bytes of a sector. Disks with 4096-byte sectors are not made.
pub const SECTOR: u64 = 512;
