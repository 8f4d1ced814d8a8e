//! Reading a table, strictly: only tables of the shape that [`write`](super::write) makes.

use super::{
    BACKUP_SECTORS, ENTRIES, ENTRY_SIZE, GptError, Guid, HEADER_SIZE, Partition, REVISION,
    SIGNATURE, Table, check,
};
use crate::bytes::{array, u32_at, u64_at};
use crate::crc32::crc32;
use crate::{Extents, SECTOR};

const TABLE_BYTES: usize = ENTRIES as usize * ENTRY_SIZE;

/// The table of a disk: protective MBR, both headers, both entry arrays and their checksums must
/// be right and agree.
pub fn parse(disk: &Extents) -> Result<Table, GptError> {
    let size = disk.size();
    if !size.is_multiple_of(SECTOR) || size < 1 << 20 {
        return Err(GptError::DiskSize { size });
    }
    let last = size / SECTOR - 1;
    let mut mbr = [0; SECTOR as usize];
    disk.read_at(0, &mut mbr)?;
    if mbr[510..] != [0x55, 0xaa] || mbr[450] != 0xee {
        return Err(GptError::Invalid("the protective MBR is missing"));
    }
    let primary = Header::read(disk, 1)?;
    let backup = Header::read(disk, last)?;
    let entries = read_entries(disk, 2)?;
    if crc32(&entries) != primary.entries_crc {
        return Err(GptError::Invalid("the checksum of the entries is wrong"));
    }
    if entries != read_entries(disk, last + 1 - BACKUP_SECTORS)? {
        return Err(GptError::Invalid(
            "the backup entries differ from the primary ones",
        ));
    }
    let expected = Header {
        other_lba: 1,
        entries_lba: last + 1 - BACKUP_SECTORS,
        ..primary.clone()
    };
    if primary.other_lba != last || primary.entries_lba != 2 || backup != expected {
        return Err(GptError::Invalid(
            "the backup header does not match the primary one",
        ));
    }
    let partitions: Vec<_> = (1..=ENTRIES)
        .zip(entries.chunks_exact(ENTRY_SIZE))
        .filter(|(_, entry)| entry.iter().any(|byte| *byte != 0))
        .map(|(number, entry)| parse_entry(number, entry))
        .collect::<Option<_>>()
        .ok_or(GptError::Invalid("a partition's name is no UTF-16"))?;
    if primary.first_usable < 34 || primary.last_usable > last - BACKUP_SECTORS {
        return Err(GptError::Invalid(
            "the usable sectors cover the table itself",
        ));
    }
    check(&partitions, primary.first_usable, primary.last_usable)?;
    Ok(Table {
        disk_guid: primary.disk_guid,
        partitions,
    })
}

#[derive(Clone, PartialEq, Eq)]
struct Header {
    other_lba: u64,
    first_usable: u64,
    last_usable: u64,
    disk_guid: Guid,
    entries_lba: u64,
    entries_crc: u32,
}

impl Header {
    fn read(disk: &Extents, lba: u64) -> Result<Self, GptError> {
        let mut sector = [0; SECTOR as usize];
        disk.read_at(lba * SECTOR, &mut sector)?;
        if !sector.starts_with(SIGNATURE) {
            return Err(GptError::Invalid("a header is missing"));
        }
        Self::decode(sector, lba).ok_or(GptError::Invalid("a header is damaged"))
    }

    fn decode(mut sector: [u8; SECTOR as usize], lba: u64) -> Option<Self> {
        let checksum = u32_at(&sector, 16)?;
        sector[16..20].fill(0);
        let fixed = u32_at(&sector, 8)? == REVISION
            && u32_at(&sector, 12)? == HEADER_SIZE as u32
            && crc32(&sector[..HEADER_SIZE]) == checksum
            && u32_at(&sector, 20)? == 0
            && u64_at(&sector, 24)? == lba
            && u32_at(&sector, 80)? == ENTRIES
            && u32_at(&sector, 84)? == ENTRY_SIZE as u32
            && sector[HEADER_SIZE..].iter().all(|byte| *byte == 0);
        fixed.then_some(())?;
        Some(Self {
            other_lba: u64_at(&sector, 32)?,
            first_usable: u64_at(&sector, 40)?,
            last_usable: u64_at(&sector, 48)?,
            disk_guid: Guid::from_disk(array(&sector, 56)?),
            entries_lba: u64_at(&sector, 72)?,
            entries_crc: u32_at(&sector, 88)?,
        })
    }
}

fn read_entries(disk: &Extents, lba: u64) -> Result<Vec<u8>, GptError> {
    let mut entries = vec![0; TABLE_BYTES];
    disk.read_at(lba * SECTOR, &mut entries)?;
    Ok(entries)
}

fn parse_entry(number: u32, entry: &[u8]) -> Option<Partition> {
    let units: Vec<u16> = entry[56..]
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .take_while(|unit| *unit != 0)
        .collect();
    Some(Partition {
        number,
        kind: Guid::from_disk(array(entry, 0)?),
        guid: Guid::from_disk(array(entry, 16)?),
        first_lba: u64_at(entry, 32)?,
        last_lba: u64_at(entry, 40)?,
        attributes: u64_at(entry, 48)?,
        name: String::from_utf16(&units).ok()?,
    })
}
