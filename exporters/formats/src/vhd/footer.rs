//! The footer: 512 bytes, big-endian.

use super::NAME;
use crate::{FormatError, Input};

/// Bytes of the footer.
pub(super) const LEN: u64 = 512;

const COOKIE: &[u8; 8] = b"conectix";
/// Bit 1 is always set.
const FEATURES: u32 = 2;
const VERSION: u32 = 0x0001_0000;
/// Programs that know this creator take the disk's size from the footer; of an unknown one QEMU
/// takes it from the geometry, which is less.
const CREATOR: &[u8; 4] = b"win ";
const CREATOR_VERSION: u32 = 0x000a_0000;
const CREATOR_HOST: &[u8; 4] = b"Wi2k";

/// Where fields are.
mod at {
    pub(super) const FEATURES: usize = 8;
    pub(super) const VERSION: usize = 12;
    pub(super) const DATA_OFFSET: usize = 16;
    pub(super) const CREATOR: usize = 28;
    pub(super) const CREATOR_VERSION: usize = 32;
    pub(super) const CREATOR_HOST: usize = 36;
    pub(super) const ORIGINAL_SIZE: usize = 40;
    pub(super) const SIZE: usize = 48;
    pub(super) const GEOMETRY: usize = 56;
    pub(super) const KIND: usize = 60;
    pub(super) const CHECKSUM: usize = 64;
    pub(super) const UUID: usize = 68;
}

/// What kind of disk a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Fixed,
    Dynamic,
}

/// What a footer says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) kind: Kind,
    /// Bytes of the disk, whole sectors.
    pub(super) size: u64,
    /// Where the dynamic header is.
    pub(super) header_offset: u64,
    pub(super) uuid: [u8; 16],
}

/// Whether these bytes begin with a footer or its copy.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    bytes.starts_with(COOKIE)
}

/// Whether these bytes end with a footer.
pub(super) fn ends_with_one(bytes: &[u8]) -> bool {
    let start = bytes.len().checked_sub(LEN as usize);
    start.is_some_and(|start| is_one(&bytes[start..]))
}

/// The one's complement of the sum of all bytes but the four at `skip`.
pub(super) fn checksum(bytes: &[u8], skip: usize) -> u32 {
    let sum = |bytes: &[u8]| {
        let add = |sum: u32, byte: &u8| sum.wrapping_add(u32::from(*byte));
        bytes.iter().fold(0, add)
    };
    !sum(&bytes[..skip]).wrapping_add(sum(&bytes[skip + 4..]))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut value = [0; 4];
    value.copy_from_slice(&bytes[at..at + 4]);
    u32::from_be_bytes(value)
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut value = [0; 8];
    value.copy_from_slice(&bytes[at..at + 8]);
    u64::from_be_bytes(value)
}

/// Cylinders, heads and sectors per track for so many sectors, by the specification's appendix.
pub(super) fn geometry(sectors: u64) -> (u16, u8, u8) {
    const MAX_CYLINDERS: u64 = 65535;
    let sectors = sectors.min(MAX_CYLINDERS * 16 * 255);
    let (mut per_track, mut heads, mut tracks);
    if sectors >= MAX_CYLINDERS * 16 * 63 {
        (per_track, heads, tracks) = (255, 16, sectors / 255);
    } else {
        per_track = 17;
        tracks = sectors / 17;
        heads = tracks.div_ceil(1024).max(4);
        if tracks >= heads * 1024 || heads > 16 {
            (per_track, heads, tracks) = (31, 16, sectors / 31);
        }
        if tracks >= heads * 1024 {
            (per_track, heads, tracks) = (63, 16, sectors / 63);
        }
    }
    ((tracks / heads) as u16, heads as u8, per_track)
}

impl Footer {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; LEN as usize];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, COOKIE);
        put(at::FEATURES, &FEATURES.to_be_bytes());
        put(at::VERSION, &VERSION.to_be_bytes());
        put(at::DATA_OFFSET, &self.header_offset.to_be_bytes());
        // The time stays 0: 2000-01-01.
        put(at::CREATOR, CREATOR);
        put(at::CREATOR_VERSION, &CREATOR_VERSION.to_be_bytes());
        put(at::CREATOR_HOST, CREATOR_HOST);
        put(at::ORIGINAL_SIZE, &self.size.to_be_bytes());
        put(at::SIZE, &self.size.to_be_bytes());
        let (cylinders, heads, per_track) = geometry(self.size / nodeimage_disk::SECTOR);
        put(at::GEOMETRY, &cylinders.to_be_bytes());
        put(at::GEOMETRY + 2, &[heads, per_track]);
        let kind: u32 = match self.kind {
            Kind::Fixed => 2,
            Kind::Dynamic => 3,
        };
        put(at::KIND, &kind.to_be_bytes());
        put(at::UUID, &self.uuid);
        let sum = checksum(&bytes, at::CHECKSUM);
        bytes[at::CHECKSUM..at::CHECKSUM + 4].copy_from_slice(&sum.to_be_bytes());
        bytes
    }

    /// Reads and checks it: the one at the end, or the copy in front when that is damaged.
    pub(super) fn read(input: &Input) -> Result<Self, FormatError> {
        let last = input.len().saturating_sub(LEN);
        Self::read_at(input, last).or_else(|error| {
            let is_damaged = matches!(error, FormatError::Damaged { .. });
            let copy = is_damaged.then(|| Self::read_at(input, 0).ok()).flatten();
            // A fixed disk has no copy: what its front looks like is the disk's.
            copy.filter(|it| it.kind == Kind::Dynamic).ok_or(error)
        })
    }

    fn read_at(input: &Input, offset: u64) -> Result<Self, FormatError> {
        let mut bytes = [0; LEN as usize];
        input.read_at(NAME, offset, &mut bytes)?;
        let damaged = |at: usize, what: &str| FormatError::Damaged {
            format: NAME,
            offset: offset + at as u64,
            what: what.to_owned(),
        };
        let unsupported = |what: String| FormatError::Unsupported { format: NAME, what };
        if !is_one(&bytes) {
            let what = "there is no footer: this is no VHD file, or it was cut short";
            return Err(damaged(0, what));
        }
        if u32_at(&bytes, at::CHECKSUM) != checksum(&bytes, at::CHECKSUM) {
            return Err(damaged(at::CHECKSUM, "the footer's checksum is wrong"));
        }
        let version = u32_at(&bytes, at::VERSION);
        if version >> 16 != 1 {
            let what = format!("version {}; 1 can be read", version >> 16);
            return Err(unsupported(what));
        }
        let kind = match u32_at(&bytes, at::KIND) {
            2 => Kind::Fixed,
            3 => Kind::Dynamic,
            4 => {
                let what = "it holds only what differs from another image; join them with \
                            `Merge-VHD` or `VBoxManage clonemedium` first";
                return Err(unsupported(what.to_owned()));
            }
            other => return Err(unsupported(format!("disks of type {other}"))),
        };
        let size = u64_at(&bytes, at::SIZE);
        if size == 0 || !size.is_multiple_of(nodeimage_disk::SECTOR) {
            let what = "the disk's size is not one or more whole sectors";
            return Err(damaged(at::SIZE, what));
        }
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&bytes[at::UUID..at::UUID + 16]);
        Ok(Self {
            kind,
            size,
            header_offset: u64_at(&bytes, at::DATA_OFFSET),
            uuid,
        })
    }
}
