//! The header of dynamic disks: 1024 bytes, big-endian.

use super::NAME;
use super::footer::{checksum, u32_at, u64_at};
use crate::{FormatError, Input};

/// Bytes of the header.
pub(super) const LEN: u64 = 1024;

const COOKIE: &[u8; 8] = b"cxsparse";
const VERSION: u32 = 0x0001_0000;

/// Where fields are.
mod at {
    pub(super) const DATA_OFFSET: usize = 8;
    pub(super) const TABLE_OFFSET: usize = 16;
    pub(super) const VERSION: usize = 24;
    pub(super) const ENTRIES: usize = 28;
    pub(super) const BLOCK: usize = 32;
    pub(super) const CHECKSUM: usize = 36;
}

/// What a header says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Where the block allocation table is.
    pub(super) table_offset: u64,
    /// Its entries.
    pub(super) entries: u32,
    /// Bytes of a block, its bitmap not counted.
    pub(super) block: u32,
}

impl Header {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; LEN as usize];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, COOKIE);
        put(at::DATA_OFFSET, &u64::MAX.to_be_bytes());
        put(at::TABLE_OFFSET, &self.table_offset.to_be_bytes());
        put(at::VERSION, &VERSION.to_be_bytes());
        put(at::ENTRIES, &self.entries.to_be_bytes());
        put(at::BLOCK, &self.block.to_be_bytes());
        let sum = checksum(&bytes, at::CHECKSUM);
        bytes[at::CHECKSUM..at::CHECKSUM + 4].copy_from_slice(&sum.to_be_bytes());
        bytes
    }

    /// Reads and checks it.
    pub(super) fn read(input: &Input, offset: u64) -> Result<Self, FormatError> {
        let mut bytes = [0; LEN as usize];
        input.read_at(NAME, offset, &mut bytes)?;
        let damaged = |at: usize, what: String| FormatError::Damaged {
            format: NAME,
            offset: offset.saturating_add(at as u64),
            what,
        };
        if !bytes.starts_with(COOKIE) {
            return Err(damaged(0, "there is no dynamic header".to_owned()));
        }
        if u32_at(&bytes, at::CHECKSUM) != checksum(&bytes, at::CHECKSUM) {
            let what = "the dynamic header's checksum is wrong";
            return Err(damaged(at::CHECKSUM, what.to_owned()));
        }
        let version = u32_at(&bytes, at::VERSION);
        if version >> 16 != 1 {
            return Err(FormatError::Unsupported {
                format: NAME,
                what: format!("a dynamic header of version {}", version >> 16),
            });
        }
        let block = u32_at(&bytes, at::BLOCK);
        if !block.is_power_of_two() || !((4 << 10)..=(256 << 20)).contains(&block) {
            return Err(damaged(at::BLOCK, format!("blocks of {block} bytes")));
        }
        Ok(Self {
            table_offset: u64_at(&bytes, at::TABLE_OFFSET),
            entries: u32_at(&bytes, at::ENTRIES),
            block,
        })
    }

    /// Bytes of the bitmap in front of a block: a bit for each sector, in whole sectors.
    pub(super) fn bitmap(&self) -> u64 {
        (u64::from(self.block) / 512 / 8).next_multiple_of(512)
    }
}
