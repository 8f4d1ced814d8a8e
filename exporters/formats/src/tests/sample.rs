//! Disks to write, and looking at what became of them.

use std::path::{Path, PathBuf};
use std::process::Command;

use nodeimage_disk::{BLOCK, Extents, SECTOR};
use sha2::{Digest, Sha256};

use crate::{Codec, Disk, FORMATS, Format, Settings, Target, WriteOptions, Written, data_blocks};

pub(crate) const SEED: [u8; 32] = [7; 32];

/// A xorshift generator's bytes: the same everywhere.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(next).collect()
}

/// Text that compresses to about a third.
pub(crate) fn prose(seed: u64, len: usize) -> Vec<u8> {
    let words = [
        "node ",
        "image ",
        "disk ",
        "of ",
        "zero ",
        "cluster\n",
        "byte ",
    ];
    let pick = noise(seed, len / 4 + 1);
    let mut text = Vec::new();
    for byte in pick {
        text.extend(words[usize::from(byte) % words.len()].bytes());
        text.push(byte);
    }
    text.truncate(len);
    text
}

/// A disk of pieces: what each is, where and how long.
pub(crate) fn disk(size: u64, pieces: &[(char, u64, u64)]) -> Extents {
    let mut disk = Extents::new(size);
    for (at, (kind, offset, len)) in pieces.iter().enumerate() {
        let (seed, len) = (at as u64 + 1, *len as usize);
        let bytes = match kind {
            'n' => noise(seed, len),
            'p' => prose(seed, len),
            _ => vec![0; len],
        };
        disk.push_bytes(*offset, bytes).unwrap();
    }
    disk
}

/// Disks that are odd in some way.
pub(crate) fn odd_disks() -> Vec<(&'static str, Extents)> {
    const MIB: u64 = 1 << 20;
    let mixed: Vec<_> = (0..160)
        .map(|at| (if at % 3 == 0 { 'n' } else { 'p' }, at * 65536, 65536))
        .collect();
    vec![
        ("all zero", disk(5 * MIB, &[])),
        ("one sector", disk(SECTOR, &[('n', 0, SECTOR)])),
        ("one sector of zeros", disk(SECTOR, &[])),
        ("all data", disk(4 * MIB, &[('n', 0, 4 * MIB)])),
        ("all prose", disk(3 * MIB, &[('p', 0, 3 * MIB)])),
        (
            "an odd size",
            disk(
                3 * MIB + 5 * SECTOR,
                &[('p', 3 * MIB - 700, 700 + 5 * SECTOR)],
            ),
        ),
        (
            "holes at both ends",
            disk(
                64 * MIB,
                &[('p', 20 * MIB + 77, 2 * MIB), ('n', 30 * MIB, 12345)],
            ),
        ),
        ("mixed clusters", disk(10 * MIB, &mixed)),
        (
            "more than a stream holds back",
            disk(40 * MIB, &[('n', 0, 30 * MIB), ('p', 32 * MIB, 8 * MIB)]),
        ),
        (
            "around 512 MiB and 2 GiB",
            disk(
                3 << 30,
                &[
                    ('p', (512 << 20) - 1000, 2000),
                    ('n', (1 << 30) - 65536, 131_072),
                    ('p', (2 << 30) - 1, 2),
                    ('n', (3 << 30) - 1, 1),
                ],
            ),
        ),
    ]
}

/// Formats and the settings to try, each file once.
pub(crate) fn formats() -> Vec<(&'static Format, Settings)> {
    let mut all: Vec<(&Format, Settings)> = Vec::new();
    for format in FORMATS {
        // Names that differ in the file's name only.
        if format.reader.is_none() && FORMATS.iter().any(|it| is_alias(format, it)) {
            continue;
        }
        for choice in format.choices {
            let level = (choice.codec != Codec::Stored).then_some(choice.level);
            let settings = format.settings(Some(choice.codec), level).unwrap();
            all.push((format, settings));
        }
    }
    all
}

/// Whether a format takes disks of this size.
pub(crate) fn fits(format: &Format, size: u64) -> bool {
    match format.kind {
        "gcp" => size.is_multiple_of(1 << 30),
        "vhd" => size <= 2040 << 30,
        _ => true,
    }
}

fn is_alias(format: &Format, other: &Format) -> bool {
    other.reader.is_some()
        && other.kind == format.kind
        && std::ptr::fn_addr_eq(other.writer, format.writer)
}

pub(crate) fn label(format: &Format, settings: &Settings) -> String {
    format!(
        "{}:{}:{}",
        format.name,
        settings.codec.name(),
        settings.level
    )
}

/// Writes one file.
pub(crate) fn write(
    disk: &dyn Disk,
    (format, settings): (&'static Format, Settings),
    path: &Path,
    threads: usize,
) -> Result<Written, crate::FormatError> {
    let target = Target {
        format,
        settings,
        path: path.to_owned(),
    };
    let options = WriteOptions {
        threads,
        sha256: false,
        on_bytes: None,
    };
    Ok(crate::write_files(disk, SEED, &[target], &options)?[0])
}

/// Every block that is not zero, by its hash: equal for equal content.
pub(crate) fn content(disk: &dyn Disk) -> Vec<(u64, [u8; 32])> {
    let mut found = Vec::new();
    for block in data_blocks(disk) {
        let block = block.unwrap();
        let len = (disk.size() - block * BLOCK).min(BLOCK);
        let mut bytes = vec![0; len as usize];
        disk.read_at(block * BLOCK, &mut bytes).unwrap();
        bytes.resize(BLOCK as usize, 0);
        if !crate::zero::is_zero(&bytes) {
            found.push((block, Sha256::digest(&bytes).into()));
        }
    }
    found
}

/// What QEMU calls a kind; none: it can't read it.
pub(crate) fn qemu_name(kind: &str) -> Option<&'static str> {
    match kind {
        "raw" => Some("raw"),
        "qcow2" => Some("qcow2"),
        "vdi" => Some("vdi"),
        "vhd" => Some("vpc"),
        "vhdx" => Some("vhdx"),
        "vmdk" => Some("vmdk"),
        _ => None,
    }
}

/// Runs `qemu-img`, which must succeed.
pub(crate) fn qemu_img(words: &[&str], files: &[&PathBuf]) -> String {
    let done = Command::new("qemu-img")
        .args(words)
        .args(files)
        .output()
        .expect("qemu-img is installed");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        done.status.success(),
        "qemu-img {words:?}: {said}{}",
        String::from_utf8_lossy(&done.stderr)
    );
    said
}
