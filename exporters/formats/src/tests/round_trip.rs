//! Every format gives back what it was given: to our readers and to QEMU's, whatever the disk.

use nodeimage_disk::{BLOCK, Extents, SECTOR};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::sample::{
    SEED, content, disk, fits, formats, label, odd_disks, qemu_img, qemu_name, write,
};
use crate::{FormatError, OpenOptions, WriteOptions, open, write_stream};

/// Writes, reads back and compares. Returns false if the format can't hold such a disk.
fn goes_round(
    name: &str,
    disk: &Extents,
    format: (&'static crate::Format, crate::Settings),
    folder: &TempDir,
    judges: bool,
) -> bool {
    let name = format!("{name} as {}", label(format.0, &format.1));
    let path = folder.path().join(format!("disk{}", format.0.ending));
    match write(disk, format, &path, 2) {
        Ok(_) => {}
        Err(FormatError::Limit { .. }) => return false,
        Err(error) => panic!("{name}: {error}"),
    }
    let options = OpenOptions::default();
    let has_reader = crate::FORMATS
        .iter()
        .any(|it| it.kind == format.0.kind && it.reader.is_some());
    if has_reader {
        let opened = open(&path, &options).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(opened.kind, format.0.kind, "{name}");
        assert!(opened.disk.size() >= disk.size(), "{name}");
        assert_eq!(content(opened.disk.as_ref()), content(disk), "{name}");
    }
    if let Some(qemu) = qemu_name(format.0.kind).filter(|_| judges) {
        if matches!(qemu, "qcow2" | "vdi" | "vhdx" | "vmdk") {
            qemu_img(&["check", "-q", "-f", qemu], &[&path]);
        }
        let raw = folder.path().join("qemu.raw");
        let words = ["convert", "-f", qemu, "-O", "raw"];
        qemu_img(&words, &[&path, &raw]);
        let opened = open(&raw, &options).unwrap();
        assert!(opened.disk.size() >= disk.size(), "{name}");
        assert_eq!(
            content(opened.disk.as_ref()),
            content(disk),
            "{name}: QEMU's"
        );
        std::fs::remove_file(raw).unwrap();
    }
    std::fs::remove_file(path).unwrap();
    true
}

#[test]
fn odd_disks_go_round() {
    let folder = tempfile::tempdir().unwrap();
    for (name, disk) in odd_disks() {
        for format in formats() {
            let done = goes_round(name, &disk, format, &folder, true);
            let expected = fits(format.0, disk.size());
            assert_eq!(done, expected, "{name} as {}", format.0.name);
        }
    }
}

#[test]
fn large_disks_go_round_or_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    // What fixed VHDs are filled up to.
    const MIB: u64 = 1 << 20;
    let sizes = [64 << 30, (127 << 30) + SECTOR, (2 << 40) - SECTOR, 8 << 40];
    for size in sizes {
        let pieces = [
            ('p', 0, 100_000),
            ('n', size / 3, 100_000),
            ('p', size - 70_000, 70_000),
        ];
        let disk = disk(size, &pieces);
        for format in formats() {
            // Their files are as long as the disk, and compressing zeros takes its time.
            let is_long = matches!(format.0.kind, "gcp" | "ova") && size > 64 << 30;
            if is_long {
                continue;
            }
            let done = goes_round("large", &disk, format, &folder, true);
            let known = matches!(format.0.kind, "raw" | "qcow2" | "vdi" | "vhd" | "gcp");
            let expected = fits(format.0, size.next_multiple_of(MIB));
            assert!(done == expected || !known, "{size} as {}", format.0.name);
        }
    }
}

#[test]
fn threads_and_holes_and_streams_make_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    for (name, disk) in odd_disks() {
        // As a file without any hole.
        let dense = folder.path().join("dense");
        let is_small = disk.size() < 100 << 20;
        if is_small {
            let mut bytes = vec![0; disk.size() as usize];
            disk.read_at(0, &mut bytes).unwrap();
            std::fs::write(&dense, bytes).unwrap();
        }
        for format in formats() {
            if !fits(format.0, disk.size()) {
                continue;
            }
            let name = format!("{name} as {}", label(format.0, &format.1));
            let path = folder.path().join("file");
            let read = || Sha256::digest(std::fs::read(&path).unwrap());
            write(&disk, format, &path, 1).unwrap();
            if std::fs::metadata(&path).unwrap().len() > 200 << 20 {
                continue;
            }
            let one = read();
            write(&disk, format, &path, 5).unwrap();
            assert!(one == read(), "{name}: with 5 threads");
            if is_small {
                let options = OpenOptions {
                    format: Some("raw".to_owned()),
                    ..OpenOptions::default()
                };
                let dense = open(&dense, &options).unwrap();
                write(dense.disk.as_ref(), format, &path, 2).unwrap();
                assert!(one == read(), "{name}: without holes");
            }
            let mut stream = Vec::new();
            let options = WriteOptions {
                threads: 3,
                sha256: true,
                on_bytes: None,
            };
            let (format, settings) = format;
            let written = write_stream(&disk, SEED, format, &settings, &mut stream, &options);
            let written = written.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(one == Sha256::digest(&stream), "{name}: as a stream");
            assert_eq!(written.len, stream.len() as u64, "{name}");
            assert_eq!(written.sha256, Some(one.into()), "{name}");
        }
    }
}

/// Pieces on a disk of so many sectors: kinds, gaps and lengths in sectors or bytes.
fn any_disk() -> impl Strategy<Value = Extents> {
    let piece = (
        prop_oneof![Just('n'), Just('p'), Just('z')],
        prop_oneof![0_u64..4, 0_u64..300_000, 0..(3_u64 << 20)],
        prop_oneof![1_u64..10, 1_u64..70_000, 1..(1_u64 << 20)],
    );
    (
        proptest::collection::vec(piece, 0..12),
        prop_oneof![Just(0), 0_u64..9000],
    )
        .prop_map(|(pieces, rest)| {
            let mut at = 0;
            let mut placed = Vec::new();
            for (kind, gap, len) in pieces {
                placed.push((kind, at + gap, len));
                at += gap + len;
            }
            let size = (at.div_ceil(SECTOR) + rest).max(1) * SECTOR;
            disk(size, &placed)
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_disk_goes_round(disk in any_disk(), judged in 0_usize..100) {
        let folder = tempfile::tempdir().unwrap();
        let formats = formats();
        for (at, format) in formats.iter().enumerate() {
            // QEMU looks at one of them.
            let judges = at == judged % formats.len();
            let done = goes_round("any", &disk, *format, &folder, judges);
            prop_assert_eq!(done, fits(format.0, disk.size()));
        }
    }

    #[test]
    fn any_range_reads_the_same(
        disk in any_disk(),
        ranges in proptest::collection::vec((0.0..1.0_f64, 0_u64..200_000), 1..20),
    ) {
        let folder = tempfile::tempdir().unwrap();
        for format in formats() {
            if !fits(format.0, disk.size()) {
                continue;
            }
            let path = folder.path().join(format!("disk{}", format.0.ending));
            write(&disk, format, &path, 2).unwrap();
            let Ok(opened) = open(&path, &OpenOptions::default()) else {
                prop_assert!(crate::FORMATS.iter().all(|it| it.kind != format.0.kind
                    || it.reader.is_none()));
                continue;
            };
            for (start, len) in &ranges {
                let start = (disk.size() as f64 * start) as u64;
                let len = (disk.size() - start).min(*len) as usize;
                let (mut expected, mut found) = (vec![1; len], vec![2; len]);
                disk.read_at(start, &mut expected).unwrap();
                opened.disk.read_at(start, &mut found).unwrap();
                prop_assert!(expected == found, "{} at {}", format.0.name, start);
                // What is left out is zero.
                if let Some(data) = opened.disk.next_data(start).unwrap() {
                    prop_assert!(data.start >= start && data.end > data.start);
                    let zeros = (data.start - start).min(len as u64) as usize;
                    prop_assert!(expected[..zeros].iter().all(|it| *it == 0));
                }
            }
        }
    }
}

#[test]
fn blocks_come_once() {
    let disk = disk(
        9 * BLOCK,
        &[('n', 3, 1), ('n', BLOCK - 1, 2), ('n', 8 * BLOCK, 1)],
    );
    let blocks: Vec<_> = crate::data_blocks(&disk).map(Result::unwrap).collect();
    assert_eq!(blocks, [0, 1, 8]);
}
