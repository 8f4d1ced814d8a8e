//! Reading, fixed and dynamic.

use std::ops::Range;

use nodeimage_disk::SECTOR;

use super::NAME;
use super::footer::{Footer, Kind, LEN};
use super::header::Header;
use crate::{Disk, FormatError, Input, OpenOptions, Opened};

/// An entry of the table whose block is zero.
pub(super) const UNUSED: u32 = u32::MAX;

/// Most entries of the table.
const MAX_ENTRIES: u64 = 1 << 24;

/// Opens a file.
pub(super) fn open(input: Input, _: &OpenOptions) -> Result<Opened, FormatError> {
    let footer = Footer::read(&input)?;
    match footer.kind {
        Kind::Fixed => open_fixed(input, &footer),
        Kind::Dynamic => open_dynamic(input, &footer),
    }
}

fn open_fixed(input: Input, footer: &Footer) -> Result<Opened, FormatError> {
    let there = input.len() - LEN;
    if footer.size > there {
        return Err(FormatError::Damaged {
            format: NAME,
            offset: there,
            what: format!(
                "the disk has {} bytes and the file {there}: it was cut short",
                footer.size
            ),
        });
    }
    Ok(Opened {
        kind: NAME,
        disk: Box::new(FixedDisk {
            input,
            size: footer.size,
        }),
        facts: vec![("subformat", "fixed".to_owned())],
    })
}

struct FixedDisk {
    input: Input,
    size: u64,
}

impl Disk for FixedDisk {
    fn size(&self) -> u64 {
        self.size
    }

    fn next_data(&self, from: u64) -> Result<Option<Range<u64>>, FormatError> {
        crate::raw::next_data_of(&self.input, from, self.size)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), FormatError> {
        self.input.read_at(NAME, offset, buffer)
    }
}

fn open_dynamic(input: Input, footer: &Footer) -> Result<Opened, FormatError> {
    let header = Header::read(&input, footer.header_offset)?;
    let table = read_table(&input, footer, &header)?;
    let used = table.iter().filter(|entry| **entry != UNUSED).count();
    let facts = vec![
        ("subformat", "dynamic".to_owned()),
        ("block size", header.block.to_string()),
        ("blocks in the file", used.to_string()),
    ];
    let disk = Box::new(DynamicDisk {
        input,
        size: footer.size,
        header,
        table,
    });
    Ok(Opened {
        kind: NAME,
        disk,
        facts,
    })
}

/// The table: its blocks are inside the file and do not overlap.
fn read_table(input: &Input, footer: &Footer, header: &Header) -> Result<Vec<u32>, FormatError> {
    let damaged = |offset: u64, what: String| FormatError::Damaged {
        format: NAME,
        offset,
        what,
    };
    let entries = footer.size.div_ceil(header.block.into());
    if entries > header.entries.into() {
        let what = format!(
            "{} blocks of {} bytes are too few for a disk of {} bytes",
            header.entries, header.block, footer.size
        );
        return Err(damaged(footer.header_offset, what));
    }
    if entries > MAX_ENTRIES {
        return Err(FormatError::Unsupported {
            format: NAME,
            what: "its block allocation table has more than 64 MiB: the disk is too large"
                .to_owned(),
        });
    }
    // What is outside the file is refused before there is memory for it.
    let end = header.table_offset.checked_add(entries * 4);
    if end.is_none_or(|end| end > input.len()) {
        let what = "the block allocation table is outside the file: it was cut short";
        return Err(damaged(header.table_offset, what.to_owned()));
    }
    let mut bytes = vec![0; entries as usize * 4];
    input.read_at(NAME, header.table_offset, &mut bytes)?;
    let table: Vec<u32> = bytes
        .chunks_exact(4)
        .map(|entry| u32::from_be_bytes([entry[0], entry[1], entry[2], entry[3]]))
        .collect();
    let place = |at: usize| header.table_offset + at as u64 * 4;
    let len = header.bitmap() + u64::from(header.block);
    let mut used = Vec::new();
    for (at, entry) in table.iter().enumerate().filter(|(_, it)| **it != UNUSED) {
        // 2^41 at most.
        let start = u64::from(*entry) * SECTOR;
        if start + len > input.len() {
            let what = format!("block {at} is at {start:#x}, outside the file");
            return Err(damaged(place(at), what));
        }
        used.push((start, at));
    }
    used.sort_unstable();
    if let Some(pair) = used.windows(2).find(|it| it[1].0 - it[0].0 < len) {
        let what = format!("blocks {} and {} overlap", pair[0].1, pair[1].1);
        return Err(damaged(place(pair[1].1), what));
    }
    Ok(table)
}

struct DynamicDisk {
    input: Input,
    size: u64,
    header: Header,
    table: Vec<u32>,
}

impl DynamicDisk {
    /// Reads from one block that is in the file.
    fn read_block(&self, entry: u32, skip: u64, buffer: &mut [u8]) -> Result<(), FormatError> {
        let start = u64::from(entry) * SECTOR;
        let data = start + self.header.bitmap() + skip;
        self.input.read_at(NAME, data, buffer)?;
        let (first, last) = (skip / SECTOR, (skip + buffer.len() as u64 - 1) / SECTOR);
        let mut bits = vec![0; (last / 8 - first / 8 + 1) as usize];
        self.input.read_at(NAME, start + first / 8, &mut bits)?;
        if bits.iter().all(|byte| *byte == 0xff) {
            return Ok(());
        }
        for sector in first..=last {
            let byte = bits[(sector / 8 - first / 8) as usize];
            // Never written: zero, whatever the file has there.
            if byte & (0x80 >> (sector % 8)) == 0 {
                let from = (sector * SECTOR).max(skip) - skip;
                let to = ((sector + 1) * SECTOR - skip).min(buffer.len() as u64);
                buffer[from as usize..to as usize].fill(0);
            }
        }
        Ok(())
    }
}

impl Disk for DynamicDisk {
    fn size(&self) -> u64 {
        self.size
    }

    fn next_data(&self, from: u64) -> Result<Option<Range<u64>>, FormatError> {
        let block = u64::from(self.header.block);
        let first = (from / block).min(self.table.len() as u64) as usize;
        let is_used = |entry: &u32| *entry != UNUSED;
        let Some(skip) = self.table[first..].iter().position(is_used) else {
            return Ok(None);
        };
        let rest = &self.table[first + skip..];
        let count = rest.iter().take_while(|it| is_used(it)).count();
        let start = ((first + skip) as u64 * block).max(from);
        let end = ((first + skip + count) as u64 * block).min(self.size);
        Ok((start < end).then_some(start..end))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), FormatError> {
        let block = u64::from(self.header.block);
        let mut at = offset;
        let mut rest = buffer;
        while !rest.is_empty() {
            let skip = at % block;
            let len = (block - skip).min(rest.len() as u64) as usize;
            let (now, later) = rest.split_at_mut(len);
            match self.table.get((at / block) as usize) {
                Some(entry) if *entry != UNUSED => self.read_block(*entry, skip, now)?,
                _ => now.fill(0),
            }
            at += len as u64;
            rest = later;
        }
        Ok(())
    }
}
