//! The header and its extensions.

use super::NAME;
use crate::{FormatError, Input};

/// `QFI\xfb`.
pub(super) const MAGIC: [u8; 4] = *b"QFI\xfb";

/// Bytes of the header that is written.
const WRITTEN: u32 = 112;

/// Longest name of a backing file.
const MAX_BACKING: u32 = 1023;

/// Most bytes of an L1 table, as in QEMU.
pub(super) const MAX_L1: u64 = 32 << 20;

/// Largest disk: QEMU's offsets are signed.
const MAX_SIZE: u64 = 1 << 62;

/// Header extension: the backing file's format.
const BACKING_FORMAT: u32 = 0xe279_2aca;

/// Incompatible feature bits.
mod feature {
    pub(super) const DIRTY: u64 = 1;
    pub(super) const CORRUPT: u64 = 1 << 1;
    pub(super) const EXTERNAL_DATA: u64 = 1 << 2;
    pub(super) const COMPRESSION: u64 = 1 << 3;
    pub(super) const EXTENDED_L2: u64 = 1 << 4;
}

/// How compressed clusters are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    /// Raw deflate.
    Deflate,
    /// Zstandard.
    Zstd,
}

/// What a header says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) version: u32,
    pub(super) cluster_bits: u32,
    /// Bytes of the disk.
    pub(super) size: u64,
    pub(super) l1_entries: u32,
    pub(super) l1_offset: u64,
    pub(super) snapshots: u32,
    pub(super) compression: Compression,
    /// The backing file's name and, if it is said, its format.
    pub(super) backing: Option<(String, Option<String>)>,
}

/// What a header that is written has of its own.
pub(super) struct Written {
    pub(super) size: u64,
    pub(super) l1_entries: u32,
    pub(super) l1_offset: u64,
    pub(super) refcount_table_offset: u64,
    pub(super) refcount_table_clusters: u32,
    pub(super) compression: Compression,
}

impl Written {
    /// The header: version 3, clusters of 64 KiB, 16-bit refcounts, and no extension behind it.
    pub(super) fn to_bytes(&self, cluster_bits: u32) -> Vec<u8> {
        let is_zstd = self.compression == Compression::Zstd;
        let incompatible = if is_zstd { feature::COMPRESSION } else { 0 };
        let mut bytes = Vec::new();
        bytes.extend(MAGIC);
        bytes.extend(3_u32.to_be_bytes());
        // No backing file.
        bytes.extend([0; 12]);
        bytes.extend(cluster_bits.to_be_bytes());
        bytes.extend(self.size.to_be_bytes());
        // Not encrypted.
        bytes.extend([0; 4]);
        bytes.extend(self.l1_entries.to_be_bytes());
        bytes.extend(self.l1_offset.to_be_bytes());
        bytes.extend(self.refcount_table_offset.to_be_bytes());
        bytes.extend(self.refcount_table_clusters.to_be_bytes());
        // No snapshots.
        bytes.extend([0; 12]);
        bytes.extend(incompatible.to_be_bytes());
        // No compatible and autoclear features.
        bytes.extend([0; 16]);
        // Refcounts have 2^4 bits.
        bytes.extend(4_u32.to_be_bytes());
        bytes.extend(WRITTEN.to_be_bytes());
        bytes.extend([u8::from(is_zstd), 0, 0, 0, 0, 0, 0, 0]);
        bytes
    }
}

fn damaged(offset: u64, what: impl Into<String>) -> FormatError {
    FormatError::Damaged {
        format: NAME,
        offset,
        what: what.into(),
    }
}

fn unsupported(what: impl Into<String>) -> FormatError {
    FormatError::Unsupported {
        format: NAME,
        what: what.into(),
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut value = [0; 4];
    value.copy_from_slice(&bytes[at..at + 4]);
    u32::from_be_bytes(value)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut value = [0; 8];
    value.copy_from_slice(&bytes[at..at + 8]);
    u64::from_be_bytes(value)
}

impl Header {
    /// Reads and checks it.
    pub(super) fn read(input: &Input) -> Result<Self, FormatError> {
        let mut bytes = [0; WRITTEN as usize];
        input.read_at(NAME, 0, &mut bytes[..72])?;
        if bytes[..4] != MAGIC {
            return Err(damaged(0, "there is no `QFI\\xfb`: this is no qcow2 file"));
        }
        let version = u32_at(&bytes, 4);
        let mut length = 72;
        match version {
            2 => {}
            3 => {
                input.read_at(NAME, 72, &mut bytes[72..104])?;
                length = u32_at(&bytes, 100);
                if length < 104 || !length.is_multiple_of(8) {
                    return Err(damaged(100, format!("the header's length is {length}")));
                }
                if length >= WRITTEN {
                    input.read_at(NAME, 104, &mut bytes[104..])?;
                }
            }
            other => return Err(unsupported(format!("version {other}; 2 and 3 can be read"))),
        }
        let cluster_bits = u32_at(&bytes, 20);
        if !(9..=21).contains(&cluster_bits) {
            let what = format!("clusters of 2^{cluster_bits} bytes; from 2^9 to 2^21 are allowed");
            return Err(damaged(20, what));
        }
        if u64::from(length) > 1 << cluster_bits {
            let what = format!("the header's {length} bytes do not fit into the first cluster");
            return Err(damaged(100, what));
        }
        if u32_at(&bytes, 32) != 0 {
            let what = "it is encrypted; decrypt it with `qemu-img convert` first";
            return Err(unsupported(what));
        }
        let compression = Self::compression(&bytes)?;
        let mut header = Self {
            version,
            cluster_bits,
            size: u64_at(&bytes, 24),
            l1_entries: u32_at(&bytes, 36),
            l1_offset: u64_at(&bytes, 40),
            snapshots: u32_at(&bytes, 60),
            compression,
            backing: None,
        };
        header.check_size()?;
        header.check_l1()?;
        header.backing = header.read_backing(input, &bytes, length)?;
        Ok(header)
    }

    fn compression(bytes: &[u8]) -> Result<Compression, FormatError> {
        let features = u64_at(bytes, 72);
        if features & feature::CORRUPT != 0 {
            let what = "it is marked as corrupt; repair it with `qemu-img check -r all` first";
            return Err(damaged(72, what));
        }
        if features & feature::EXTERNAL_DATA != 0 {
            let what = "its data are in another file; join them with `qemu-img convert` first";
            return Err(unsupported(what));
        }
        if features & feature::EXTENDED_L2 != 0 {
            let what = "it has subclusters; remove them with `qemu-img convert` first";
            return Err(unsupported(what));
        }
        // Dirty: only its refcounts may be wrong, which reading does without.
        let unknown = features & !(feature::DIRTY | feature::COMPRESSION);
        if unknown != 0 {
            let what = format!("it needs features that are not known here: {unknown:#x}");
            return Err(unsupported(what));
        }
        match (features & feature::COMPRESSION != 0, bytes[104]) {
            (false, _) | (true, 0) => Ok(Compression::Deflate),
            (true, 1) => Ok(Compression::Zstd),
            (true, other) => Err(unsupported(format!("compression of type {other}"))),
        }
    }

    fn check_size(&self) -> Result<(), FormatError> {
        if self.size == 0 {
            return Err(unsupported("its disk has no byte"));
        }
        if self.size > MAX_SIZE {
            return Err(damaged(24, format!("a disk of {} bytes", self.size)));
        }
        Ok(())
    }

    fn check_l1(&self) -> Result<(), FormatError> {
        let needed = self.l1_needed();
        if needed * 8 > MAX_L1 {
            let what = "its L1 table has more than 32 MiB, as in QEMU; use larger clusters";
            return Err(unsupported(what));
        }
        if u64::from(self.l1_entries) < needed {
            let what = format!(
                "the L1 table has {} entries and the disk needs {needed}",
                self.l1_entries
            );
            return Err(damaged(36, what));
        }
        if self.l1_offset == 0 || !self.is_aligned(self.l1_offset) {
            let what = format!("the L1 table's offset is {:#x}", self.l1_offset);
            return Err(damaged(40, what));
        }
        Ok(())
    }

    /// L1 entries that the disk needs.
    pub(super) fn l1_needed(&self) -> u64 {
        self.size.div_ceil(1 << self.l2_span_bits())
    }

    /// An L2 table maps 2 to this power bytes: a cluster of 8-byte entries, a cluster each.
    pub(super) fn l2_span_bits(&self) -> u32 {
        2 * self.cluster_bits - 3
    }

    /// Whether an offset is a cluster's.
    pub(super) fn is_aligned(&self, offset: u64) -> bool {
        offset.trailing_zeros() >= self.cluster_bits
    }

    fn read_backing(
        &self,
        input: &Input,
        bytes: &[u8],
        length: u32,
    ) -> Result<Option<(String, Option<String>)>, FormatError> {
        let (offset, len) = (u64_at(bytes, 8), u32_at(bytes, 16));
        if offset == 0 {
            return Ok(None);
        }
        let cluster = 1 << self.cluster_bits;
        let is_inside = offset <= cluster && u64::from(len) <= cluster - offset;
        if len == 0 || len > MAX_BACKING || !is_inside {
            let what = format!("the backing file's name has {len} bytes at {offset:#x}");
            return Err(damaged(8, what));
        }
        let mut name = vec![0; len as usize];
        input.read_at(NAME, offset, &mut name)?;
        let name = String::from_utf8(name)
            .map_err(|_| damaged(offset, "the backing file's name is not UTF-8"))?;
        let format = self.read_backing_format(input, length, offset)?;
        Ok(Some((name, format)))
    }

    fn read_backing_format(
        &self,
        input: &Input,
        length: u32,
        end: u64,
    ) -> Result<Option<String>, FormatError> {
        let mut at = u64::from(length);
        // Each step is 8 bytes at least, in a cluster of 2 MiB at most.
        while at + 8 <= end {
            let mut head = [0; 8];
            input.read_at(NAME, at, &mut head)?;
            let (kind, len) = (u32_at(&head, 0), u32_at(&head, 4));
            if kind == 0 {
                break;
            }
            if u64::from(len) > end - at - 8 {
                let what = format!("a header extension of {len} bytes is too long");
                return Err(damaged(at, what));
            }
            if kind == BACKING_FORMAT {
                let mut format = vec![0; len.min(MAX_BACKING) as usize];
                input.read_at(NAME, at + 8, &mut format)?;
                return Ok(Some(String::from_utf8_lossy(&format).into_owned()));
            }
            at += 8 + u64::from(len).next_multiple_of(8);
        }
        Ok(None)
    }
}
