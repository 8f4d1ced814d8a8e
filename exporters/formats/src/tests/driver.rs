//! Several files of one disk.

use std::cell::Cell;
use std::ops::{ControlFlow, Range};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use nodeimage_disk::{BLOCK, Extents};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::sample::{SEED, content, disk, label, write};
use crate::{
    Disk, Format, FormatError, OpenOptions, Progress, Target, WriteOptions, open, write_files,
    write_stream,
};

const SIZE: u64 = 40 << 20;

fn sample() -> Extents {
    let pieces = [
        ('p', 0, 3 << 20),
        ('n', 10 << 20, 5 << 20),
        ('z', 20 << 20, 1 << 20),
    ];
    disk(SIZE, &pieces)
}

fn targets(folder: &TempDir, names: &[&str]) -> Vec<Target> {
    let target = |name: &&str| {
        let (format, settings) = Format::parse(name).unwrap();
        let path = folder.path().join(format!("node{}", format.ending));
        Target {
            format,
            settings,
            path,
        }
    };
    names.iter().map(target).collect()
}

fn names(folder: &TempDir) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Counts how often each byte is read, and fails where it is told to.
struct Counting<'a> {
    disk: &'a Extents,
    read: AtomicU64,
    broken: Range<u64>,
}

impl Disk for Counting<'_> {
    fn size(&self) -> u64 {
        self.disk.size()
    }
    fn next_data(&self, from: u64) -> Result<Option<Range<u64>>, FormatError> {
        Disk::next_data(self.disk, from)
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), FormatError> {
        self.read.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        if self.broken.contains(&offset) {
            return Err(FormatError::Damaged {
                format: "test",
                offset,
                what: "broken".to_owned(),
            });
        }
        Disk::read_at(self.disk, offset, buffer)
    }
}

#[test]
fn many_files_are_one_pass() {
    let folder = tempfile::tempdir().unwrap();
    let sample = sample();
    let disk = Counting {
        disk: &sample,
        read: AtomicU64::new(0),
        broken: 0..0,
    };
    let wanted = ["raw", "qcow2-efi:zlib", "qcow2:zstd", "vdi", "raw-bios"];
    let targets = targets(&folder, &wanted);
    let options = WriteOptions {
        threads: 3,
        sha256: true,
        on_bytes: None,
    };
    let written = write_files(&disk, SEED, &targets, &options).unwrap();
    let blocks = crate::data_blocks(&sample).count() as u64;
    assert_eq!(disk.read.load(Ordering::Relaxed), blocks * BLOCK);
    for (target, written) in targets.iter().zip(written) {
        let name = label(target.format, &target.settings);
        let bytes = std::fs::read(&target.path).unwrap();
        assert_eq!(written.len, bytes.len() as u64, "{name}");
        assert_eq!(
            written.sha256,
            Some(Sha256::digest(&bytes).into()),
            "{name}"
        );
        // The same as alone.
        let alone = folder.path().join("alone");
        write(&sample, (target.format, target.settings), &alone, 1).unwrap();
        assert!(std::fs::read(&alone).unwrap() == bytes, "{name}");
        std::fs::remove_file(alone).unwrap();
        let opened = open(&target.path, &OpenOptions::default()).unwrap();
        assert_eq!(content(opened.disk.as_ref()), content(&sample), "{name}");
    }
    assert_eq!(names(&folder).len(), wanted.len());
}

#[test]
fn one_name_for_two_is_refused_first() {
    let folder = tempfile::tempdir().unwrap();
    for pair in [["qcow2", "qcow2-bios"], ["raw", "raw"]] {
        let targets = targets(&folder, &pair);
        let error = write_files(&sample(), SEED, &targets, &WriteOptions::default()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(pair[0]) && text.contains(pair[1]), "{text}");
    }
    // However it is written.
    let mut targets = targets(&folder, &["raw", "vdi"]);
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    targets[1].path = folder.path().join("sub/../node.img");
    let error = write_files(&sample(), SEED, &targets, &WriteOptions::default()).unwrap_err();
    assert!(matches!(error, FormatError::SameFile { .. }), "{error}");
    assert_eq!(names(&folder), ["sub"]);
}

#[test]
fn an_error_leaves_no_file_and_no_old_one_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let targets = targets(&folder, &["raw", "qcow2:zlib", "vdi"]);
    std::fs::write(&targets[1].path, "old").unwrap();
    let check = |name: &str| {
        assert_eq!(names(&folder), ["node.qcow2"], "{name}");
        assert_eq!(std::fs::read(&targets[1].path).unwrap(), b"old", "{name}");
    };
    let sample = sample();
    for broken in [0..1, 14 << 20..15 << 20] {
        let disk = Counting {
            disk: &sample,
            read: AtomicU64::new(0),
            broken,
        };
        for threads in [1, 4] {
            let options = WriteOptions {
                threads,
                ..WriteOptions::default()
            };
            let error = write_files(&disk, SEED, &targets, &options).unwrap_err();
            assert!(error.to_string().contains("broken"), "{error}");
            check("broken");
        }
    }
    let left = Cell::new(5);
    let stop = |_, _| {
        left.set(left.get() - 1);
        match left.get() {
            0 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    };
    let options = WriteOptions {
        threads: 2,
        on_bytes: Some(Progress::new(&stop)),
        sha256: false,
    };
    let error = write_files(&sample, SEED, &targets, &options).unwrap_err();
    assert!(matches!(error, FormatError::Cancelled));
    check("cancelled");

    // A folder has the last one's name.
    std::fs::create_dir(&targets[2].path).unwrap();
    let error = write_files(&sample, SEED, &targets, &WriteOptions::default()).unwrap_err();
    assert!(matches!(error, FormatError::NotAFile(_)), "{error}");
    std::fs::remove_dir(&targets[2].path).unwrap();
    check("a folder");
}

#[test]
fn what_a_format_cannot_hold_is_refused_first() {
    let folder = tempfile::tempdir().unwrap();
    let targets = targets(&folder, &["qcow2", "vdi"]);
    let huge = Extents::new(17 << 40);
    let error = write_files(&huge, SEED, &targets, &WriteOptions::default()).unwrap_err();
    assert!(
        matches!(error, FormatError::Limit { format: "vdi", .. }),
        "{error}"
    );
    for size in [0, 511, 1000] {
        let odd = Extents::new(size);
        let error = write_files(&odd, SEED, &targets, &WriteOptions::default()).unwrap_err();
        assert!(error.to_string().contains("512"), "{error}");
    }
    assert_eq!(names(&folder).len(), 0);
}

#[test]
fn a_stream_says_how_far_it_is_and_can_be_stopped() {
    let sample = sample();
    let (format, settings) = Format::parse("qcow2:zstd").unwrap();
    let calls = Cell::new(0);
    let last = Cell::new((0, 0));
    let count = |done, total| {
        calls.set(calls.get() + 1);
        last.set((done, total));
        ControlFlow::Continue(())
    };
    let options = WriteOptions {
        threads: 2,
        on_bytes: Some(Progress::new(&count)),
        sha256: false,
    };
    let mut out = Vec::new();
    write_stream(&sample, SEED, format, &settings, &mut out, &options).unwrap();
    let blocks = crate::data_blocks(&sample).count() as u64;
    // It runs twice.
    assert_eq!(
        (calls.get(), last.get()),
        (2 * blocks, (blocks * BLOCK, blocks * BLOCK))
    );
    let stop = |_, _| ControlFlow::Break(());
    let options = WriteOptions {
        on_bytes: Some(Progress::new(&stop)),
        ..options
    };
    let mut out = Vec::new();
    let error = write_stream(&sample, SEED, format, &settings, &mut out, &options).unwrap_err();
    assert!(matches!(error, FormatError::Cancelled) && out.is_empty());
}

#[test]
fn names_and_settings_are_parsed() {
    let parsed = |text: &str| {
        let (format, settings) = Format::parse(text).unwrap();
        label(format, &settings)
    };
    assert_eq!(parsed("qcow2"), "qcow2:stored:0");
    assert_eq!(parsed("qcow2-efi:zstd"), "qcow2-efi:zstd:3");
    assert_eq!(parsed("qcow2:zlib:9"), "qcow2:zlib:9");
    assert_eq!(parsed("qcow2:9"), "qcow2:zlib:9");
    for wrong in [
        "qcow3",
        "",
        "raw:zstd",
        "qcow2:zlib:13",
        "qcow2:zlib:0",
        "qcow2:zstd:x",
        "qcow2:3:zstd",
        "qcow2:zlib:1:1",
        "raw:1",
    ] {
        let error = Format::parse(wrong).unwrap_err().to_string();
        let lists = ["there is", "there are"]
            .iter()
            .any(|it| error.contains(it));
        assert!(lists, "{wrong}: {error}");
    }
    let of = |name: &str| Format::of_file_name(name).map(|format| format.name);
    assert_eq!(of("node.qcow2"), Some("qcow2"));
    assert_eq!(of("node-efi.qcow2"), Some("qcow2-efi"));
    assert_eq!(of("NODE.VDI"), Some("vdi"));
    assert_eq!(of("node.raw"), Some("aws"));
    assert_eq!(of("node"), None);
    assert_eq!(of(".img"), None);
}

#[test]
fn files_that_are_no_files() {
    let missing = PathBuf::from("/nonexistent/disk.img");
    let error = open(&missing, &OpenOptions::default()).unwrap_err();
    assert!(matches!(error, FormatError::Input { .. }), "{error}");
    for path in ["/dev/null", "/"] {
        let error = open(&PathBuf::from(path), &OpenOptions::default()).unwrap_err();
        assert!(matches!(error, FormatError::NotSeekable(_)), "{error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    std::fs::write(&empty, "").unwrap();
    let error = open(&empty, &OpenOptions::default()).unwrap_err();
    assert!(error.to_string().contains("empty"), "{error}");
}
