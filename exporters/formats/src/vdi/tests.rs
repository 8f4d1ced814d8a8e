//! Files that others made, and wrong ones.

use crate::tests::sample::{content, disk, qemu_img, write};
use crate::{Format, OpenOptions, open};

#[test]
fn what_qemu_writes_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (raw, vdi) = (folder.path().join("raw"), folder.path().join("x"));
    let disk = disk(
        12 << 20,
        &[('p', 100, 300_000), ('n', (9 << 20) + 77, 5000)],
    );
    write(&disk, Format::parse("raw").unwrap(), &raw, 1).unwrap();
    for (options, subformat) in [("static=off", "dynamic"), ("static=on", "static")] {
        qemu_img(
            &["convert", "-f", "raw", "-O", "vdi", "-o", options],
            &[&raw, &vdi],
        );
        let opened = open(&vdi, &OpenOptions::default()).unwrap();
        assert_eq!((opened.kind, opened.disk.size()), ("vdi", 12 << 20));
        assert_eq!(opened.facts[0].1, subformat);
        assert_eq!(content(opened.disk.as_ref()), content(&disk));
    }
}

#[test]
fn wrong_files_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let disk = disk(
        12 << 20,
        &[('p', 100, 300_000), ('n', (9 << 20) + 77, 5000)],
    );
    write(&disk, Format::parse("vdi").unwrap(), &path, 1).unwrap();
    let sound = std::fs::read(&path).unwrap();
    for (offset, bytes, said) in [
        (0x46, &[2, 0][..], "version 2.1"),
        (0x4c, &[4, 0, 0, 0], "another image"),
        (0x1b8, &[1], "another image"),
        (0x168, &[0, 16, 0, 0], "sectors of 4096"),
        (0x170, &[0; 8], "no byte"),
        (0x170, &[0xff; 8], "too few"),
        (0x178, &[0, 0, 0, 0], "blocks of 0"),
        (0x178, &[1, 0, 16, 0], "blocks of"),
        (0x180, &[1, 0, 0, 0], "too few"),
        (0x154, &[0, 1, 0, 0], "block map is at"),
        (0x154, &[0, 0, 0xff, 0], "block map is at"),
        (512, &[9, 0, 0, 0], "outside the file"),
        (512 + 4, &[0, 0, 0, 0], "block 1 is block 0 too"),
    ] {
        let mut wrong = sound.clone();
        wrong[offset..offset + bytes.len()].copy_from_slice(bytes);
        std::fs::write(&path, wrong).unwrap();
        let options = OpenOptions {
            format: Some("vdi".to_owned()),
            ..OpenOptions::default()
        };
        let error = open(&path, &options).unwrap_err().to_string();
        assert!(error.contains(said), "{said}: {error}");
    }
}
