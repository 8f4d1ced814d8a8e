//! Reading.

use std::ops::Range;

use nodeimage_disk::SECTOR;

use super::NAME;
use super::header::Header;
use crate::{Disk, FormatError, Input, OpenOptions, Opened};

/// Entries from here on are no blocks: zero, or never written.
const NO_BLOCK: u32 = u32::MAX - 1;

/// Most entries of the map: 16 TiB in blocks of 1 MiB.
const MAX_ENTRIES: u64 = 1 << 24;

struct VdiDisk {
    input: Input,
    header: Header,
    map: Vec<u32>,
}

/// Opens a file.
pub(super) fn open(input: Input, _: &OpenOptions) -> Result<Opened, FormatError> {
    let header = Header::read(&input)?;
    let map = read_map(&input, &header)?;
    let kind = if header.is_static {
        "static"
    } else {
        "dynamic"
    };
    let facts = vec![
        ("subformat", kind.to_owned()),
        ("block size", header.block.to_string()),
        ("blocks in the file", header.allocated.to_string()),
    ];
    Ok(Opened {
        kind: NAME,
        disk: Box::new(VdiDisk { input, header, map }),
        facts,
    })
}

/// The map: its blocks are inside the file, and each is used once.
fn read_map(input: &Input, header: &Header) -> Result<Vec<u32>, FormatError> {
    let entries = header.size.div_ceil(header.block);
    if entries > MAX_ENTRIES {
        return Err(FormatError::Unsupported {
            format: NAME,
            what: "its block map has more than 64 MiB: the disk is too large".to_owned(),
        });
    }
    let mut bytes = vec![0; entries as usize * 4];
    input.read_at(NAME, header.map_offset, &mut bytes)?;
    let map: Vec<u32> = bytes
        .chunks_exact(4)
        .map(|entry| u32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]]))
        .collect();
    let damaged = |at: usize, what: String| FormatError::Damaged {
        format: NAME,
        offset: header.map_offset + at as u64 * 4,
        what,
    };
    let mut used = Vec::new();
    for (at, entry) in map.iter().enumerate().filter(|(_, it)| **it < NO_BLOCK) {
        // 2^60 at most.
        let start = header.data_offset + u64::from(*entry) * header.block;
        if start >= input.len() {
            let what = format!("block {at} is at {start:#x}, outside the file");
            return Err(damaged(at, what));
        }
        used.push((*entry, at));
    }
    used.sort_unstable();
    if let Some(pair) = used.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        let what = format!("block {} is block {} too", pair[1].1, pair[0].1);
        return Err(damaged(pair[1].1, what));
    }
    Ok(map)
}

impl Disk for VdiDisk {
    fn size(&self) -> u64 {
        self.header.size.next_multiple_of(SECTOR)
    }

    fn next_data(&self, from: u64) -> Result<Option<Range<u64>>, FormatError> {
        let block = self.header.block;
        let first = (from / block).min(self.map.len() as u64) as usize;
        let is_used = |entry: &u32| *entry < NO_BLOCK;
        let Some(skip) = self.map[first..].iter().position(is_used) else {
            return Ok(None);
        };
        let rest = &self.map[first + skip..];
        let count = rest.iter().take_while(|it| is_used(it)).count();
        let start = (first + skip) as u64 * block;
        let end = (start + count as u64 * block).min(self.header.size);
        let start = start.max(from);
        Ok((start < end).then_some(start..end))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), FormatError> {
        let block = self.header.block;
        let mut at = offset;
        let mut rest = buffer;
        while !rest.is_empty() {
            let skip = at % block;
            let len = (block - skip).min(rest.len() as u64) as usize;
            let (now, later) = rest.split_at_mut(len);
            // The disk's last sector may be longer than the disk.
            match self.map.get((at / block) as usize) {
                Some(entry) if *entry < NO_BLOCK => {
                    let start = self.header.data_offset + u64::from(*entry) * block + skip;
                    // The last block may be cut short.
                    let there = self.input.len().saturating_sub(start).min(len as u64);
                    let (inside, behind) = now.split_at_mut(there as usize);
                    behind.fill(0);
                    self.input
                        .read_at(NAME, start.min(self.input.len()), inside)?;
                }
                _ => now.fill(0),
            }
            at += len as u64;
            rest = later;
        }
        Ok(())
    }
}
