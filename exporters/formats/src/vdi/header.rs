//! The header: 512 bytes, little-endian.

use super::NAME;
use crate::{FormatError, Input};

/// Bytes of the header, where the block map follows in files that are written here.
pub(super) const LEN: u64 = 512;

const SIGNATURE: u32 = 0xbeda_107f;
const VERSION: u32 = 0x0001_0001;
/// Bytes from its own field to the end of what VirtualBox has there.
const HEADER_SIZE: u32 = 400;
const SECTOR: u32 = 512;

/// Image types.
const DYNAMIC: u32 = 1;
const STATIC: u32 = 2;

/// Offsets of fields.
mod at {
    pub(super) const SIGNATURE: usize = 0x40;
    pub(super) const VERSION: usize = 0x44;
    pub(super) const HEADER_SIZE: usize = 0x48;
    pub(super) const TYPE: usize = 0x4c;
    pub(super) const MAP_OFFSET: usize = 0x154;
    pub(super) const DATA_OFFSET: usize = 0x158;
    pub(super) const SECTOR_SIZE: usize = 0x168;
    pub(super) const DISK_SIZE: usize = 0x170;
    pub(super) const BLOCK_SIZE: usize = 0x178;
    pub(super) const BLOCK_EXTRA: usize = 0x17c;
    pub(super) const BLOCKS: usize = 0x180;
    pub(super) const ALLOCATED: usize = 0x184;
    pub(super) const IMAGE_UUID: usize = 0x188;
    pub(super) const SNAPSHOT_UUID: usize = 0x198;
    pub(super) const PARENT_UUID: usize = 0x1b8;
    /// Sector size of the second geometry.
    pub(super) const SECTOR_SIZE_2: usize = 0x1d4;
}

/// What a header says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) map_offset: u64,
    pub(super) data_offset: u64,
    /// Bytes of the disk.
    pub(super) size: u64,
    /// Bytes of a block.
    pub(super) block: u64,
    pub(super) blocks: u32,
    pub(super) allocated: u32,
    pub(super) is_static: bool,
    pub(super) image_uuid: [u8; 16],
    pub(super) snapshot_uuid: [u8; 16],
}

/// Whether a file begins like one.
pub(super) fn is_one(head: &[u8]) -> bool {
    let signature = head.get(at::SIGNATURE..at::SIGNATURE + 4);
    signature == Some(&SIGNATURE.to_le_bytes())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut value = [0; 4];
    value.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(value)
}

fn uuid_at(bytes: &[u8], at: usize) -> [u8; 16] {
    let mut value = [0; 16];
    value.copy_from_slice(&bytes[at..at + 16]);
    value
}

impl Header {
    /// The header of a dynamic image.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; LEN as usize];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, b"<<< nodeimage disk image >>>\n");
        put(at::SIGNATURE, &SIGNATURE.to_le_bytes());
        put(at::VERSION, &VERSION.to_le_bytes());
        put(at::HEADER_SIZE, &HEADER_SIZE.to_le_bytes());
        put(at::TYPE, &DYNAMIC.to_le_bytes());
        put(at::MAP_OFFSET, &(self.map_offset as u32).to_le_bytes());
        put(at::DATA_OFFSET, &(self.data_offset as u32).to_le_bytes());
        // Cylinders, heads and sectors are 0: the program that runs it chooses them.
        put(at::SECTOR_SIZE, &SECTOR.to_le_bytes());
        put(at::SECTOR_SIZE_2, &SECTOR.to_le_bytes());
        put(at::DISK_SIZE, &self.size.to_le_bytes());
        put(at::BLOCK_SIZE, &(self.block as u32).to_le_bytes());
        put(at::BLOCKS, &self.blocks.to_le_bytes());
        put(at::ALLOCATED, &self.allocated.to_le_bytes());
        put(at::IMAGE_UUID, &self.image_uuid);
        put(at::SNAPSHOT_UUID, &self.snapshot_uuid);
        bytes
    }

    /// Reads and checks it.
    pub(super) fn read(input: &Input) -> Result<Self, FormatError> {
        let mut bytes = [0; LEN as usize];
        input.read_at(NAME, 0, &mut bytes)?;
        let damaged = |at: usize, what: String| FormatError::Damaged {
            format: NAME,
            offset: at as u64,
            what,
        };
        let unsupported = |what: String| FormatError::Unsupported { format: NAME, what };
        if !is_one(&bytes) {
            let what = "there is no VDI signature: this is no VDI file";
            return Err(damaged(at::SIGNATURE, what.to_owned()));
        }
        let version = u32_at(&bytes, at::VERSION);
        if version >> 16 != 1 || version & 0xffff < 1 {
            let what = format!(
                "version {}.{}; 1.1 can be read",
                version >> 16,
                version & 0xffff
            );
            return Err(unsupported(what));
        }
        let kind = u32_at(&bytes, at::TYPE);
        let has_parent = uuid_at(&bytes, at::PARENT_UUID) != [0; 16];
        if !matches!(kind, DYNAMIC | STATIC) || has_parent {
            let what = "it holds only what differs from another image; join them with \
                        `VBoxManage clonemedium` first";
            return Err(unsupported(what.to_owned()));
        }
        let sector = u32_at(&bytes, at::SECTOR_SIZE);
        if sector != SECTOR {
            return Err(unsupported(format!(
                "sectors of {sector} bytes; they need 512"
            )));
        }
        if u32_at(&bytes, at::BLOCK_EXTRA) != 0 {
            let what =
                "its blocks have data of their own; remove them with `VBoxManage clonemedium`";
            return Err(unsupported(what.to_owned()));
        }
        let block = u32_at(&bytes, at::BLOCK_SIZE);
        if !block.is_power_of_two() || !((64 << 10)..=(256 << 20)).contains(&block) {
            return Err(damaged(at::BLOCK_SIZE, format!("blocks of {block} bytes")));
        }
        let mut size = [0; 8];
        size.copy_from_slice(&bytes[at::DISK_SIZE..at::DISK_SIZE + 8]);
        let header = Self {
            map_offset: u32_at(&bytes, at::MAP_OFFSET).into(),
            data_offset: u32_at(&bytes, at::DATA_OFFSET).into(),
            size: u64::from_le_bytes(size),
            block: block.into(),
            blocks: u32_at(&bytes, at::BLOCKS),
            allocated: u32_at(&bytes, at::ALLOCATED),
            is_static: kind == STATIC,
            image_uuid: uuid_at(&bytes, at::IMAGE_UUID),
            snapshot_uuid: uuid_at(&bytes, at::SNAPSHOT_UUID),
        };
        if header.size == 0 {
            return Err(damaged(at::DISK_SIZE, "its disk has no byte".to_owned()));
        }
        if header.size.div_ceil(header.block) > u64::from(header.blocks) {
            let what = format!(
                "{} blocks of {block} bytes are too few for a disk of {} bytes",
                header.blocks, header.size
            );
            return Err(damaged(at::BLOCKS, what));
        }
        if header.map_offset < LEN || header.data_offset < header.map_offset {
            let what = format!(
                "the block map is at {:#x} and the data at {:#x}",
                header.map_offset, header.data_offset
            );
            return Err(damaged(at::MAP_OFFSET, what));
        }
        Ok(header)
    }
}
