//! The one disk for every machine.
//!
//! | offset | content |
//! |---|---|
//! | 0 | protective MBR with GRUB's boot code, GPT; its backup at the disk's end |
//! | 512 KiB | block map, up to 4 MiB |
//! | 4 MiB | partition 1, BIOS boot, 1 MiB: GRUB's core.img, its configuration at 4.5 MiB |
//! | 8 MiB | partition 2, EFI system, FAT32; its first file, at 13 MiB, is the UKI |
//!
//! Kernel and initrd are stored once: UEFI firmware reads the UKI as a file, GRUB reads their
//! sectors. Partitions 3 to 5 are kept free for a root file system A, B and state. Everything that
//! is random elsewhere derives from the image id.

#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;

use crate::block_map::{BlockMap, BlockMapError, MAX_DISK, Segment};
use crate::derive::derive;
use crate::fat32::{self, Fat32Error, File, FileSystem, Volume};
use crate::gpt::{
    self, BACKUP_SECTORS, BASIC_DATA, BIOS_BOOT, EFI_SYSTEM, GptError, Partition, Table, guid_from,
};
use crate::grub::{self, GrubError, Sectors};
use crate::uki::Uki;
use crate::{Architecture, ExtentError, Extents, SECTOR, Sha256};

/// Start of the EFI system partition in bytes.
pub const ESP_OFFSET: u64 = 8 << 20;

/// Length of the BIOS boot partition in bytes.
const BIOS_BOOT_LEN: u64 = 1 << 20;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// The UKI's path on disks that only a BIOS boots: no firmware looks there.
const BIOS_PATH: &str = "NODEIMAGE.EFI";

/// Which firmware can boot a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Firmware {
    /// Both of the others.
    Hybrid,
    /// UEFI: no boot code and no BIOS boot partition.
    Uefi,
    /// BIOS: the UKI is in no place that UEFI firmware looks at.
    Bios,
}

impl fmt::Display for Firmware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hybrid => "hybrid",
            Self::Uefi => "uefi",
            Self::Bios => "bios",
        })
    }
}

/// GRUB for BIOS machines.
#[derive(Clone, Copy, Debug)]
pub struct GrubParts<'a> {
    /// boot.img.
    pub boot_img: &'a [u8],
    /// core.img with [`grub::EARLY_CONFIG`] built in.
    pub core_img: &'a [u8],
}

/// A segment of the initrd in the UKI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UkiSegment {
    /// Its key in the store.
    pub key: Sha256,
    /// First byte in the UKI file.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u64,
}

/// What a disk is made of.
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    /// The image id.
    pub image_id: Sha256,
    /// The machine it is for.
    pub architecture: Architecture,
    /// What boots it.
    pub firmware: Firmware,
    /// Size in bytes, whole MiB; by default whole GiB, as few as fit.
    pub size: Option<u64>,
    /// GRUB, for any firmware but UEFI.
    pub grub: Option<GrubParts<'a>>,
    /// The command line, the same as in the UKI.
    pub cmdline: &'a str,
    /// The unified kernel image.
    pub uki: &'a Uki,
    /// The initrd's segments, by ascending offset.
    pub segments: &'a [UkiSegment],
}

/// A disk, ready to be written in any format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canonical {
    /// Its content.
    pub disk: Extents,
    /// Its block map, which is also on it.
    pub map: BlockMap,
    /// Its partition table.
    pub table: Table,
    /// The UKI's bytes on the disk.
    pub uki: Range<u64>,
}

/// Why a disk can't be made.
#[derive(Debug, thiserror::Error)]
pub enum CanonicalError {
    /// The size isn't whole MiB.
    #[error("disk size: {0} bytes is not a whole number of MiB; round it up")]
    SizeUnit(u64),
    /// The size is too small.
    #[error("disk size: {} MiB is too small for this image; use at least {} MiB", size / MIB, least / MIB)]
    TooSmall {
        /// The size in bytes.
        size: u64,
        /// The least size in bytes.
        least: u64,
    },
    /// The size is too large.
    #[error("disk size: {0} bytes is more than 2 PiB; use less")]
    TooLarge(u64),
    /// Firmware that the architecture does not have.
    #[error("firmware \"{0}\": arm64 machines boot by UEFI only; use firmware \"uefi\"")]
    Firmware(Firmware),
    /// GRUB wasn't given.
    #[error(
        "firmware \"{0}\": GRUB's boot.img and core.img are missing; use a boot image with them"
    )]
    NoGrub(Firmware),
    /// The UKI is for another machine.
    #[error("the unified kernel image is for {uki}, the disk for {disk}; use one architecture")]
    Architecture {
        /// The UKI's machine.
        uki: Architecture,
        /// The disk's machine.
        disk: Architecture,
    },
    /// A segment isn't in the UKI.
    #[error("a segment of {len} bytes at offset {offset} is not inside the unified kernel image")]
    Segment {
        /// First byte in the UKI file.
        offset: u64,
        /// Its length in bytes.
        len: u64,
    },
    /// The boot code can't be set up.
    #[error(transparent)]
    Grub(#[from] GrubError),
    /// The file system can't be laid out.
    #[error(transparent)]
    Fat32(#[from] Fat32Error),
    /// The partition table can't be written.
    #[error(transparent)]
    Gpt(#[from] GptError),
    /// The block map can't be made.
    #[error(transparent)]
    BlockMap(#[from] BlockMapError),
    /// Two parts at one place: a fault of this module.
    #[error("disk layout: {0}")]
    Place(#[from] ExtentError),
}

/// Lays out the disk and hashes it.
pub fn assemble(parts: &Parts<'_>) -> Result<Canonical, CanonicalError> {
    check(parts)?;
    let esp = esp(parts)?;
    let mut disk = Extents::new(disk_size(parts.size, esp.image.size())?);
    disk.place(ESP_OFFSET, &esp.image)?;
    let uki_at = ESP_OFFSET + esp.offsets.first().copied().unwrap_or_default();
    let boot_code = match grub_parts(parts)? {
        None => None,
        Some(grub) => {
            let shift = |range: &Range<u64>| range.start + uki_at..range.end + uki_at;
            let kernel = Sectors::covering(&shift(&parts.uki.linux))?;
            let initrd = Sectors::covering(&shift(&parts.uki.initrd))?;
            disk.push_bytes(grub::CORE_OFFSET, grub::core(grub.core_img)?)?;
            disk.push_bytes(
                grub::CONFIG_OFFSET,
                grub::config(kernel, initrd, parts.cmdline)?,
            )?;
            Some(grub::boot_code(grub.boot_img)?)
        }
    };
    let table = table(parts, esp.image.size());
    gpt::write(&mut disk, &table, boot_code.as_ref())?;
    let segments = segments(parts, uki_at)?;
    let map = BlockMap::compute(&disk, parts.image_id, &segments)?;
    map.place_on(&mut disk)?;
    Ok(Canonical {
        disk,
        map,
        table,
        uki: uki_at..uki_at + parts.uki.file.size(),
    })
}

fn check(parts: &Parts<'_>) -> Result<(), CanonicalError> {
    let disk = parts.architecture;
    if disk == Architecture::Arm64 && parts.firmware != Firmware::Uefi {
        return Err(CanonicalError::Firmware(parts.firmware));
    }
    let uki = parts.uki.architecture;
    if uki != disk {
        Err(CanonicalError::Architecture { uki, disk })
    } else {
        Ok(())
    }
}

fn grub_parts<'a>(parts: &Parts<'a>) -> Result<Option<GrubParts<'a>>, CanonicalError> {
    match (parts.firmware, parts.grub) {
        (Firmware::Uefi, _) => Ok(None),
        (firmware, None) => Err(CanonicalError::NoGrub(firmware)),
        (_, grub) => Ok(grub),
    }
}

fn esp(parts: &Parts<'_>) -> Result<FileSystem, CanonicalError> {
    let path = match parts.firmware {
        Firmware::Bios => BIOS_PATH,
        Firmware::Hybrid | Firmware::Uefi => parts.architecture.efi_path(),
    };
    let files = [File {
        path,
        content: &parts.uki.file,
    }];
    let [a, b, c, d, ..] = derive("fat serial", &parts.image_id, "esp");
    let volume = Volume {
        size: fat32::needed_size(&files)?,
        serial: u32::from_le_bytes([a, b, c, d]),
        label: *b"NODEIMAGE  ",
        start_lba: (ESP_OFFSET / SECTOR) as u32,
    };
    Ok(fat32::build(&volume, &files)?)
}

fn disk_size(size: Option<u64>, esp: u64) -> Result<u64, CanonicalError> {
    let least = (ESP_OFFSET + esp + BACKUP_SECTORS * SECTOR).next_multiple_of(MIB);
    let size = size.unwrap_or(least.next_multiple_of(GIB));
    if !size.is_multiple_of(MIB) {
        return Err(CanonicalError::SizeUnit(size));
    }
    if size < least {
        return Err(CanonicalError::TooSmall { size, least });
    }
    if size > MAX_DISK {
        Err(CanonicalError::TooLarge(size))
    } else {
        Ok(size)
    }
}

fn table(parts: &Parts<'_>, esp_len: u64) -> Table {
    let partition = |number, kind, name: &str, start: u64, len: u64| Partition {
        number,
        kind,
        guid: guid_from(&parts.image_id, name),
        first_lba: start / SECTOR,
        last_lba: (start + len) / SECTOR - 1,
        attributes: 0,
        name: name.to_owned(),
    };
    let bios = || partition(1, BIOS_BOOT, "bios-boot", grub::CORE_OFFSET, BIOS_BOOT_LEN);
    let esp_kind = if parts.firmware == Firmware::Bios {
        BASIC_DATA
    } else {
        EFI_SYSTEM
    };
    let mut partitions = Vec::new();
    if parts.firmware != Firmware::Uefi {
        partitions.push(bios());
    }
    partitions.push(partition(2, esp_kind, "esp", ESP_OFFSET, esp_len));
    Table {
        disk_guid: guid_from(&parts.image_id, "disk"),
        partitions,
    }
}

fn segments(parts: &Parts<'_>, uki_at: u64) -> Result<Vec<Segment>, CanonicalError> {
    let inside = |it: &UkiSegment| {
        it.offset
            .checked_add(it.len)
            .is_some_and(|end| end <= parts.uki.file.size())
    };
    let place = |it: &UkiSegment| {
        if !inside(it) {
            return Err(CanonicalError::Segment {
                offset: it.offset,
                len: it.len,
            });
        }
        Ok(Segment {
            key: it.key,
            offset: uki_at + it.offset,
            len: it.len,
        })
    };
    parts.segments.iter().map(place).collect()
}
