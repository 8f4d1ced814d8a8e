//! Writing the table.

use super::{
    BACKUP_SECTORS, ENTRIES, ENTRY_SIZE, GptError, HEADER_SIZE, REVISION, SIGNATURE, Table, check,
};
use crate::bytes::put;
use crate::crc32::crc32;
use crate::{Extents, SECTOR};

/// First sector behind the primary table.
const PRIMARY_SECTORS: u64 = 34;

/// Puts protective MBR, primary and backup table on `disk`. `boot_code` is what a BIOS runs
/// (bytes 0–439 of the disk). The disk signature stays 0.
pub fn write(
    disk: &mut Extents,
    table: &Table,
    boot_code: Option<&[u8; 440]>,
) -> Result<(), GptError> {
    let size = disk.size();
    if !size.is_multiple_of(SECTOR) || size < 1 << 20 {
        return Err(GptError::DiskSize { size });
    }
    let sectors = size / SECTOR;
    let first_usable = table
        .partitions
        .iter()
        .map(|it| it.first_lba)
        .min()
        .ok_or(GptError::Empty)?;
    let last_usable = sectors - BACKUP_SECTORS - 1;
    check(
        &table.partitions,
        first_usable.max(PRIMARY_SECTORS),
        last_usable,
    )?;

    let entries = entries(table);
    let header = |own_lba, other_lba, entries_lba| Header {
        own_lba,
        other_lba,
        entries_lba,
        first_usable,
        last_usable,
    };
    let last = sectors - 1;
    let primary_header = header(1, last, 2).encode(table, &entries);
    let backup_header = header(last, 1, sectors - BACKUP_SECTORS).encode(table, &entries);

    let mut primary = protective_mbr(sectors, boot_code);
    primary.extend_from_slice(&primary_header);
    primary.extend_from_slice(&entries);
    let mut backup = entries;
    backup.extend_from_slice(&backup_header);
    disk.push_bytes(0, primary)?;
    disk.push_bytes((sectors - BACKUP_SECTORS) * SECTOR, backup)?;
    Ok(())
}

fn protective_mbr(sectors: u64, boot_code: Option<&[u8; 440]>) -> Vec<u8> {
    let mut mbr = vec![0; SECTOR as usize];
    if let Some(code) = boot_code {
        put(&mut mbr, 0, code);
    }
    // One inactive entry of type 0xEE over the whole disk, as far as 32 bits reach.
    put(
        &mut mbr,
        446,
        &[0x00, 0x00, 0x02, 0x00, 0xee, 0xff, 0xff, 0xff],
    );
    let covered = u32::try_from(sectors - 1).unwrap_or(u32::MAX);
    put(&mut mbr, 454, &1_u32.to_le_bytes());
    put(&mut mbr, 458, &covered.to_le_bytes());
    put(&mut mbr, 510, &[0x55, 0xaa]);
    mbr
}

fn entries(table: &Table) -> Vec<u8> {
    let mut entries = vec![0; ENTRIES as usize * ENTRY_SIZE];
    for partition in &table.partitions {
        let entry = &mut entries[(partition.number as usize - 1) * ENTRY_SIZE..][..ENTRY_SIZE];
        put(entry, 0, &partition.kind.to_disk());
        put(entry, 16, &partition.guid.to_disk());
        put(entry, 32, &partition.first_lba.to_le_bytes());
        put(entry, 40, &partition.last_lba.to_le_bytes());
        put(entry, 48, &partition.attributes.to_le_bytes());
        for (unit, at) in partition
            .name
            .encode_utf16()
            .zip((56..ENTRY_SIZE).step_by(2))
        {
            put(entry, at, &unit.to_le_bytes());
        }
    }
    entries
}

struct Header {
    own_lba: u64,
    other_lba: u64,
    entries_lba: u64,
    first_usable: u64,
    last_usable: u64,
}

impl Header {
    fn encode(&self, table: &Table, entries: &[u8]) -> Vec<u8> {
        let mut out = vec![0; SECTOR as usize];
        put(&mut out, 0, SIGNATURE);
        put(&mut out, 8, &REVISION.to_le_bytes());
        put(&mut out, 12, &(HEADER_SIZE as u32).to_le_bytes());
        put(&mut out, 24, &self.own_lba.to_le_bytes());
        put(&mut out, 32, &self.other_lba.to_le_bytes());
        put(&mut out, 40, &self.first_usable.to_le_bytes());
        put(&mut out, 48, &self.last_usable.to_le_bytes());
        put(&mut out, 56, &table.disk_guid.to_disk());
        put(&mut out, 72, &self.entries_lba.to_le_bytes());
        put(&mut out, 80, &ENTRIES.to_le_bytes());
        put(&mut out, 84, &(ENTRY_SIZE as u32).to_le_bytes());
        put(&mut out, 88, &crc32(entries).to_le_bytes());
        let checksum = crc32(&out[..HEADER_SIZE]);
        put(&mut out, 16, &checksum.to_le_bytes());
        out
    }
}
