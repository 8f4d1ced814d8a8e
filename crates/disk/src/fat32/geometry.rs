//! The reserved area: boot sector, FSInfo, their backup, and where the tables lie.

use super::{CLUSTER, DATA_OFFSET, FIRST_CLUSTER, Volume};
use crate::SECTOR;
use crate::bytes::put;

/// The sector that holds the backup of the boot sector.
pub(super) const BACKUP_SECTOR: u64 = 6;

const INFO_SECTOR: u16 = 1;

/// What follows from a size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    size: u64,
    clusters: u64,
    table_sectors: u64,
}

impl Geometry {
    /// For one of [`SIZES`](super::SIZES): the two tables always fit in front of the data area.
    pub(super) fn new(size: u64) -> Self {
        let clusters = (size - DATA_OFFSET) / CLUSTER;
        let table_sectors = ((clusters + FIRST_CLUSTER) * 4).div_ceil(SECTOR);
        Self {
            size,
            clusters,
            table_sectors,
        }
    }

    /// The number behind the last cluster's.
    pub(super) fn end_cluster(self) -> u64 {
        self.clusters + FIRST_CLUSTER
    }

    fn reserved_sectors(self) -> u64 {
        DATA_OFFSET / SECTOR - 2 * self.table_sectors
    }

    /// First byte of each table.
    pub(super) fn tables(self) -> [u64; 2] {
        let first = self.reserved_sectors();
        [first * SECTOR, (first + self.table_sectors) * SECTOR]
    }

    pub(super) fn boot_sector(self, volume: &Volume) -> Vec<u8> {
        // The casts fit: at most 2 GiB, 9216 sectors in front of the data area.
        let mut out = vec![0; SECTOR as usize];
        put(&mut out, 0, &[0xeb, 0x58, 0x90]);
        put(&mut out, 3, b"MSWIN4.1");
        put(&mut out, 11, &(SECTOR as u16).to_le_bytes());
        out[13] = (CLUSTER / SECTOR) as u8;
        put(
            &mut out,
            14,
            &(self.reserved_sectors() as u16).to_le_bytes(),
        );
        out[16] = 2;
        out[21] = 0xf8;
        put(&mut out, 24, &63_u16.to_le_bytes());
        put(&mut out, 26, &255_u16.to_le_bytes());
        put(&mut out, 28, &volume.start_lba.to_le_bytes());
        put(&mut out, 32, &((self.size / SECTOR) as u32).to_le_bytes());
        put(&mut out, 36, &(self.table_sectors as u32).to_le_bytes());
        put(&mut out, 44, &(FIRST_CLUSTER as u32).to_le_bytes());
        put(&mut out, 48, &INFO_SECTOR.to_le_bytes());
        put(&mut out, 50, &(BACKUP_SECTOR as u16).to_le_bytes());
        out[64] = 0x80;
        out[66] = 0x29;
        put(&mut out, 67, &volume.serial.to_le_bytes());
        put(&mut out, 71, &volume.label);
        put(&mut out, 82, b"FAT32   ");
        // Should a BIOS run it: int 0x18 (next boot device), then halt for good.
        put(&mut out, 90, &[0xcd, 0x18, 0xf4, 0xeb, 0xfd]);
        put(&mut out, 510, &[0x55, 0xaa]);
        out
    }
}

/// FSInfo: exact, so that checkers have nothing to say.
pub(super) fn info_sector(free: u64, next_free: u64, end_cluster: u64) -> Vec<u8> {
    let next_free = if next_free < end_cluster {
        next_free as u32
    } else {
        u32::MAX
    };
    let mut out = vec![0; SECTOR as usize];
    put(&mut out, 0, b"RRaA");
    put(&mut out, 484, b"rrAa");
    put(&mut out, 488, &(free as u32).to_le_bytes());
    put(&mut out, 492, &next_free.to_le_bytes());
    put(&mut out, 510, &[0x55, 0xaa]);
    out
}

/// The third boot sector: empty but for its signature.
pub(super) fn third_sector() -> Vec<u8> {
    let mut out = vec![0; SECTOR as usize];
    put(&mut out, 510, &[0x55, 0xaa]);
    out
}
