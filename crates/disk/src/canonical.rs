//! The one disk for every machine.
//!
//! | offset | content |
//! |---|---|
//! | 0 | protective MBR with GRUB's boot code, GPT; its backup at the disk's end |
//! | 512 KiB | block map, up to 4 MiB |
//! | 4 MiB | partition 1, BIOS boot, 1 MiB: GRUB's core.img, its configuration at 4.5 MiB |
//! | 8 MiB | partition 2, EFI system, FAT32: the UKI, whose head lies at 12.5 MiB and whose kernel and segments each have a [home](crate::place) |
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
use crate::fat32::{self, CLUSTER, Fat32Error, File, FileSystem, Run, Volume};
use crate::gpt::{
    self, BACKUP_SECTORS, BASIC_DATA, BIOS_BOOT, EFI_SYSTEM, GptError, Partition, Table, guid_from,
};
use crate::grub::{self, GrubError, Sectors};
use crate::place::{self, Piece};
use crate::uki::Uki;
use crate::{Architecture, BLOCK, ExtentError, Extents, SECTOR, Sha256};

/// Start of the EFI system partition in bytes.
pub const ESP_OFFSET: u64 = 8 << 20;

/// Length of the BIOS boot partition in bytes.
const BIOS_BOOT_LEN: u64 = 1 << 20;

/// Room for the directories in front of the UKI's head: both change with the UKI's length.
const DIRECTORIES: u64 = 8 * CLUSTER;

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
    /// What its place on the disk follows from: the same for the next version of its component.
    pub identity: Sha256,
    /// Whether it differs in every image, as the UKI's head does: then it lies behind that one.
    pub is_volatile: bool,
    /// First byte in the UKI file: a cluster's.
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
    /// Where the UKI's pieces lie on the disk, in the order of its bytes.
    pub uki: Vec<Range<u64>>,
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
    /// A segment isn't in the UKI, not at a cluster or before the one in front of it.
    #[error(
        "a segment of {len} bytes at offset {offset} is not inside the unified kernel image, \
         or not in its place"
    )]
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
    let pieces = pieces(parts)?;
    let (esp, disk_size) = esp(parts, &pieces)?;
    let mut disk = Extents::new(disk_size);
    disk.place(ESP_OFFSET, &esp.image)?;
    let uki = Places::new(&esp);
    let boot_code = match grub_parts(parts)? {
        None => None,
        Some(grub) => {
            let kernel = uki.kernel(&parts.uki.linux)?;
            let initrd = uki.sectors(&parts.uki.initrd)?;
            disk.push_bytes(grub::CORE_OFFSET, grub::core(grub.core_img)?)?;
            disk.push_bytes(
                grub::CONFIG_OFFSET,
                grub::config(kernel, &initrd, parts.cmdline)?,
            )?;
            Some(grub::boot_code(grub.boot_img)?)
        }
    };
    let table = table(parts, esp.image.size());
    gpt::write(&mut disk, &table, boot_code.as_ref())?;
    let mut segments = Vec::with_capacity(parts.segments.len());
    for it in parts.segments {
        let places = uki.of(&(it.offset..it.offset + it.len));
        segments.push(Segment {
            key: it.key,
            offset: places.first().map(|place| place.start).unwrap_or_default(),
            len: it.len,
        });
    }
    segments.sort_by_key(|segment| segment.offset);
    let map = BlockMap::compute(&disk, parts.image_id, &segments)?;
    map.place_on(&mut disk)?;
    Ok(Canonical {
        disk,
        map,
        table,
        uki: uki.0.into_iter().map(|(_, place)| place).collect(),
    })
}

/// The UKI's pieces: ranges of its bytes and their places on the disk.
struct Places(Vec<(Range<u64>, Range<u64>)>);

impl Places {
    fn new(esp: &FileSystem) -> Self {
        let mut at = 0;
        let piece = |run: &Run| {
            let start = ESP_OFFSET + run.offset;
            let piece = (at..at + run.len, start..start + run.len);
            at += run.len;
            piece
        };
        Self(esp.runs.iter().take(1).flatten().map(piece).collect())
    }

    /// Where these bytes of the UKI lie.
    fn of(&self, bytes: &Range<u64>) -> Vec<Range<u64>> {
        let cut = |(piece, place): &(Range<u64>, Range<u64>)| {
            let start = bytes.start.max(piece.start);
            let end = bytes.end.min(piece.end);
            let shift = |at| place.start + (at - piece.start);
            (start < end).then(|| shift(start)..shift(end))
        };
        self.0.iter().filter_map(cut).collect()
    }

    /// The kernel, which is one piece.
    fn kernel(&self, bytes: &Range<u64>) -> Result<Sectors, GrubError> {
        Sectors::covering(self.of(bytes).first().unwrap_or(&(0..0)))
    }

    fn sectors(&self, bytes: &Range<u64>) -> Result<Vec<Sectors>, GrubError> {
        self.of(bytes).iter().map(Sectors::covering).collect()
    }
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

/// The pieces of the UKI that have places of their own: its head and what changes with it, behind
/// the directories, the kernel, the segments.
fn pieces(parts: &Parts<'_>) -> Result<Pieces, CanonicalError> {
    let named = |name: &str| derive("piece", &Sha256::default(), name);
    let end = parts.uki.file.size();
    let mut starts = vec![
        (0, named("head"), true),
        (parts.uki.linux.start, named("kernel"), false),
    ];
    let first = parts.segments.first().map(|segment| segment.offset);
    if first != Some(parts.uki.initrd.start) {
        starts.push((parts.uki.initrd.start, named("initrd"), false));
    }
    let mut least = parts.uki.initrd.start;
    for it in parts.segments {
        let stop = it.offset.checked_add(it.len).filter(|stop| *stop <= end);
        let Some(stop) = stop.filter(|_| it.offset >= least && it.offset.is_multiple_of(CLUSTER))
        else {
            return Err(CanonicalError::Segment {
                offset: it.offset,
                len: it.len,
            });
        };
        least = stop.max(it.offset + 1);
        starts.push((it.offset, it.identity, it.is_volatile));
    }
    let ends = starts.iter().skip(1).map(|(start, ..)| *start).chain([end]);
    let mut pieces = Pieces {
        homes: vec![Piece {
            identity: named("head"),
            len: DIRECTORIES,
        }],
        parts: Vec::with_capacity(starts.len()),
    };
    for ((start, identity, is_volatile), end) in starts.iter().zip(ends) {
        let len = end.saturating_sub(*start);
        let whole = len.checked_next_multiple_of(CLUSTER).unwrap_or(u64::MAX);
        let part = match pieces.homes.first_mut().filter(|_| *is_volatile) {
            Some(head) => {
                let skip = head.len;
                head.len = skip.saturating_add(whole);
                Part { home: 0, skip, len }
            }
            None => {
                pieces.homes.push(Piece {
                    identity: *identity,
                    len,
                });
                let home = pieces.homes.len() - 1;
                Part { home, skip: 0, len }
            }
        };
        pieces.parts.push(part);
    }
    Ok(pieces)
}

/// The UKI's pieces and their homes.
struct Pieces {
    /// What has a home: first what lies behind the directories, then the others.
    homes: Vec<Piece>,
    /// The UKI's bytes, in their order.
    parts: Vec<Part>,
}

/// Some of the UKI's bytes.
struct Part {
    home: usize,
    /// Bytes in front of them in their home.
    skip: u64,
    len: u64,
}

/// The file system with the UKI, and the disk's size.
///
/// Space costs nothing on a sparse disk, so it has room for the pieces to stay where they are: 1000
/// MiB, which the smallest disk of a whole GiB holds, or more; less only on a disk that is
/// asked to be smaller.
fn esp(parts: &Parts<'_>, pieces: &Pieces) -> Result<(FileSystem, u64), CanonicalError> {
    let roomy = fat32::SIZES[2..].iter().copied();
    let roomy = roomy.filter(|size| place::is_roomy(&pieces.homes, blocks(*size)));
    let tight = fat32::SIZES[2..].iter().chain(&fat32::SIZES[..2]).copied();
    let mut least: Option<u64> = None;
    for size in roomy.chain(tight) {
        let Some(places) = place::place(&pieces.homes, blocks(size)) else {
            continue;
        };
        let needed = least_disk(size);
        if parts.size.is_some_and(|wanted| wanted < needed) {
            least = Some(least.map_or(needed, |least| least.min(needed)));
            continue;
        }
        return Ok((
            file_system(parts, pieces, &places, size)?,
            disk_size(parts.size, needed)?,
        ));
    }
    match (least, parts.size) {
        (Some(least), Some(size)) => Err(CanonicalError::TooSmall { size, least }),
        _ => {
            let blocks = pieces.homes.iter().map(Piece::blocks);
            let need = blocks.fold(0, u64::saturating_add).saturating_mul(BLOCK);
            let limit = fat32::SIZES[fat32::SIZES.len() - 1] - fat32::DATA_OFFSET;
            Err(Fat32Error::Full { need, limit }.into())
        }
    }
}

/// Blocks for files in a file system of this size.
fn blocks(size: u64) -> u64 {
    (size - fat32::DATA_OFFSET) / BLOCK
}

fn file_system(
    parts: &Parts<'_>,
    pieces: &Pieces,
    places: &[u64],
    size: u64,
) -> Result<FileSystem, CanonicalError> {
    let path = match parts.firmware {
        Firmware::Bios => BIOS_PATH,
        Firmware::Hybrid | Firmware::Uefi => parts.architecture.efi_path(),
    };
    let run = |part: &Part| Run {
        offset: fat32::DATA_OFFSET + places.get(part.home).unwrap_or(&0) * BLOCK + part.skip,
        len: part.len,
    };
    let runs: Vec<_> = pieces.parts.iter().map(run).collect();
    let [a, b, c, d, ..] = derive("fat serial", &parts.image_id, "esp");
    let volume = Volume {
        size,
        serial: u32::from_le_bytes([a, b, c, d]),
        label: *b"NODEIMAGE  ",
        start_lba: (ESP_OFFSET / SECTOR) as u32,
    };
    let file = File {
        path,
        content: &parts.uki.file,
        runs: &runs,
    };
    Ok(fat32::build(&volume, &[file])?)
}

/// The smallest disk for a file system of this size.
fn least_disk(esp: u64) -> u64 {
    (ESP_OFFSET + esp + BACKUP_SECTORS * SECTOR).next_multiple_of(MIB)
}

fn disk_size(size: Option<u64>, least: u64) -> Result<u64, CanonicalError> {
    let size = size.unwrap_or(least.next_multiple_of(GIB));
    if !size.is_multiple_of(MIB) {
        return Err(CanonicalError::SizeUnit(size));
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
