//! The map's bytes. Reading them believes nothing: they may come from any disk.

use sha2::{Digest, Sha256 as Hasher};

use super::{
    BlockMap, CAPACITY, MAX_DISK, MAX_SEGMENTS, OFFSET, OWN_BLOCKS, Segment, check_segments,
};
use crate::bytes::{array, put, u32_at, u64_at};
use crate::{BLOCK, Sha256, ZERO_BLOCK_HASH};

const MAGIC: &[u8; 8] = b"NIBLKMAP";
const VERSION: u32 = 1;
const OVERFLOWED: u32 = 1;
const CHECKSUM_AT: usize = 104;
const HEADER: usize = 136;
const BLOCK_ENTRY: usize = 36;
const SEGMENT_ENTRY: usize = 48;

/// How many blocks can be listed beside this many segments.
pub(super) fn room(segments: usize) -> usize {
    (CAPACITY as usize - HEADER - segments * SEGMENT_ENTRY) / BLOCK_ENTRY
}

/// Why bytes are no valid block map.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Something else lies there.
    #[error("no block map here: the magic is missing; is this a disk made by nodeimage?")]
    Magic,
    /// A later format.
    #[error("block map: version {0}; this program reads version 1, use a newer one")]
    Version(u32),
    /// Fewer bytes than the header says.
    #[error("block map: cut short, {have} of {need} bytes; read all of [512 KiB, 4 MiB)")]
    Short {
        /// Bytes at hand.
        have: usize,
        /// Bytes needed.
        need: usize,
    },
    /// Bytes were changed.
    #[error("block map: its checksum does not match; the disk is damaged, write it again")]
    Checksum,
    /// The checksum is right, but the content breaks a rule.
    #[error("block map: {0}; it was not made by nodeimage, do not trust this disk")]
    Invalid(&'static str),
}

impl BlockMap {
    /// The encoded map, at most [`CAPACITY`] bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![0; HEADER];
        put(&mut out, 0, MAGIC);
        put(&mut out, 8, &VERSION.to_le_bytes());
        put(&mut out, 12, &u32::from(self.overflowed).to_le_bytes());
        put(&mut out, 16, &self.image_id);
        put(&mut out, 48, &self.disk_size.to_le_bytes());
        put(&mut out, 56, &(BLOCK as u32).to_le_bytes());
        // Both counts are bounded by the capacity.
        put(&mut out, 60, &(self.blocks.len() as u32).to_le_bytes());
        put(&mut out, 64, &(self.segments.len() as u32).to_le_bytes());
        put(&mut out, 72, &self.content);
        for (index, hash) in &self.blocks {
            out.extend_from_slice(&index.to_le_bytes());
            out.extend_from_slice(hash);
        }
        for segment in &self.segments {
            out.extend_from_slice(&segment.key);
            out.extend_from_slice(&segment.offset.to_le_bytes());
            out.extend_from_slice(&segment.len.to_le_bytes());
        }
        let checksum = checksum(&out);
        put(&mut out, CHECKSUM_AT, &checksum);
        out
    }

    /// Reads an encoded map; zero bytes may follow it, as they do on a disk.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        if !bytes.starts_with(MAGIC) {
            return Err(FormatError::Magic);
        }
        let short = |need| FormatError::Short {
            have: bytes.len(),
            need,
        };
        let header: &[u8; HEADER] = bytes.first_chunk().ok_or_else(|| short(HEADER))?;
        let version = field(u32_at(header, 8))?;
        if version != VERSION {
            return Err(FormatError::Version(version));
        }
        let block_count = field(u32_at(header, 60))? as usize;
        let segment_count = field(u32_at(header, 64))? as usize;
        if segment_count > MAX_SEGMENTS || block_count > room(segment_count) {
            return Err(FormatError::Invalid("it lists more than fits"));
        }
        let segments_at = HEADER + block_count * BLOCK_ENTRY;
        let need = segments_at + segment_count * SEGMENT_ENTRY;
        let map = bytes.get(..need).ok_or_else(|| short(need))?;
        if bytes[need..].iter().any(|byte| *byte != 0) || bytes.len() as u64 > CAPACITY {
            return Err(FormatError::Invalid("other bytes than zeros follow it"));
        }
        if map[CHECKSUM_AT..HEADER] != checksum(map) {
            return Err(FormatError::Checksum);
        }
        let parsed = Self {
            image_id: field(array(header, 16))?,
            disk_size: field(u64_at(header, 48))?,
            overflowed: field(u32_at(header, 12))? == OVERFLOWED,
            content: field(array(header, 72))?,
            blocks: parse_blocks(&map[HEADER..segments_at])?,
            segments: parse_segments(&map[segments_at..])?,
        };
        parsed.check(header, &map[HEADER..segments_at])?;
        Ok(parsed)
    }

    /// The rules that a right checksum does not prove.
    fn check(&self, header: &[u8; HEADER], list: &[u8]) -> Result<(), FormatError> {
        let rule = |holds: bool, broken| {
            if holds {
                Ok(())
            } else {
                Err(FormatError::Invalid(broken))
            }
        };
        rule(
            field(u32_at(header, 12))? <= OVERFLOWED,
            "it has an unknown flag",
        )?;
        rule(
            field(u32_at(header, 56))? == BLOCK as u32,
            "its block size is not 512 KiB",
        )?;
        rule(
            field(u32_at(header, 68))? == 0,
            "a reserved field is not zero",
        )?;
        let size = self.disk_size;
        rule(
            (OFFSET + CAPACITY..=MAX_DISK).contains(&size),
            "its disk size is impossible",
        )?;
        if self.overflowed {
            rule(
                self.blocks.is_empty(),
                "it is marked as overflowed and lists blocks",
            )?;
        } else {
            rule(
                self.content == sha256(list),
                "the hash of its block list is wrong",
            )?;
        }
        let ascending = self.blocks.windows(2).all(|pair| pair[0].0 < pair[1].0);
        rule(ascending, "its blocks are not ascending")?;
        for (index, hash) in &self.blocks {
            let index = u64::from(*index);
            rule(
                index < size.div_ceil(BLOCK),
                "it lists a block behind the disk's end",
            )?;
            rule(!OWN_BLOCKS.contains(&index), "it lists its own blocks")?;
            rule(*hash != ZERO_BLOCK_HASH, "it lists a zero block")?;
        }
        let segments = check_segments(&self.segments, size);
        rule(
            segments.is_ok(),
            "its segments overlap or lie outside the disk",
        )
    }
}

fn parse_blocks(list: &[u8]) -> Result<Vec<(u32, Sha256)>, FormatError> {
    let entries = list.chunks_exact(BLOCK_ENTRY);
    entries
        .map(|entry| Ok((field(u32_at(entry, 0))?, field(array(entry, 4))?)))
        .collect()
}

fn parse_segments(list: &[u8]) -> Result<Vec<Segment>, FormatError> {
    let entries = list.chunks_exact(SEGMENT_ENTRY);
    entries
        .map(|entry| {
            let key = field(array(entry, 0))?;
            let offset = field(u64_at(entry, 32))?;
            Ok(Segment {
                key,
                offset,
                len: field(u64_at(entry, 40))?,
            })
        })
        .collect()
}

/// A field whose place was checked to be there.
fn field<T>(value: Option<T>) -> Result<T, FormatError> {
    value.ok_or(FormatError::Invalid("a field is cut short"))
}

fn checksum(map: &[u8]) -> Sha256 {
    let mut hasher = Hasher::new();
    hasher.update(&map[..CHECKSUM_AT]);
    hasher.update(&map[HEADER..]);
    hasher.finalize().into()
}

fn sha256(bytes: &[u8]) -> Sha256 {
    Hasher::digest(bytes).into()
}
