//! Files that others made, and wrong ones; the footer's fields.

use std::path::PathBuf;

use super::footer::{checksum, geometry};
use crate::tests::sample::{content, disk, qemu_img, write};
use crate::{Format, OpenOptions, open};

fn sample(size: u64) -> nodeimage_disk::Extents {
    let pieces = [('p', 100, 300_000), ('n', (9 << 20) + 77, 5000)];
    disk(size, &pieces)
}

#[test]
fn geometry_is_the_specifications() {
    // Worked out from the specification.
    assert_eq!(geometry(2048), (30, 4, 17));
    assert_eq!(geometry((1 << 30) / 512), (2080, 16, 63));
    assert_eq!(geometry(65535 * 16 * 63), (16191, 16, 255));
    assert_eq!(geometry(u64::MAX), (65535, 16, 255));
}

#[test]
fn fields_are_the_specifications() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.vhd");
    let disk = sample((12 << 20) + 512);
    for (name, size, kind, data) in [
        ("vhd", 13_u64 << 20, 2_u32, u64::MAX),
        ("dynamic-vhd", (12 << 20) + 512, 3, 512),
    ] {
        write(&disk, Format::parse(name).unwrap(), &path, 1).unwrap();
        let file = std::fs::read(&path).unwrap();
        let footer = &file[file.len() - 512..];
        assert_eq!(&footer[..16], b"conectix\0\0\0\x02\0\x01\0\0");
        assert_eq!(footer[16..24], data.to_be_bytes());
        assert_eq!(&footer[24..40], b"\0\0\0\0win \0\x0a\0\0Wi2k");
        assert_eq!(footer[40..48], size.to_be_bytes());
        assert_eq!(footer[48..56], size.to_be_bytes());
        assert_eq!(footer[60..64], kind.to_be_bytes());
        assert_eq!(footer[64..68], checksum(footer, 64).to_be_bytes());
        assert!(footer[68..84].iter().any(|byte| *byte != 0));
        assert!(footer[84..].iter().all(|byte| *byte == 0));
        match kind {
            2 => assert_eq!(file.len() as u64, size + 512),
            _ => assert_eq!(&file[..512], footer),
        }
        let info = qemu_img(&["info", "-f", "vpc", "--output=json"], &[&path]);
        assert!(
            info.contains(&format!("\"virtual-size\": {size},")),
            "{info}"
        );
    }
}

#[test]
fn what_qemu_writes_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (raw, vhd) = (folder.path().join("raw"), folder.path().join("x"));
    let disk = sample(12 << 20);
    write(&disk, Format::parse("raw").unwrap(), &raw, 1).unwrap();
    for (options, subformat) in [
        ("subformat=fixed,force_size=on", "fixed"),
        ("subformat=fixed", "fixed"),
        ("subformat=dynamic,force_size=on", "dynamic"),
        ("subformat=dynamic", "dynamic"),
    ] {
        let words = ["convert", "-f", "raw", "-O", "vpc", "-o", options];
        qemu_img(&words, &[&raw, &vhd]);
        let opened = open(&vhd, &OpenOptions::default()).unwrap();
        assert_eq!(opened.kind, "vhd");
        assert!(opened.disk.size() >= 12 << 20);
        assert_eq!(opened.facts[0].1, subformat);
        assert_eq!(content(opened.disk.as_ref()), content(&disk));
    }
}

/// Opens a file with some bytes changed and its checksums made right again.
fn changed(sound: &[u8], path: &PathBuf, changes: &[(usize, &[u8])]) -> Result<(), String> {
    let mut file = sound.to_vec();
    for (offset, bytes) in changes {
        file[*offset..offset + bytes.len()].copy_from_slice(bytes);
    }
    let len = file.len();
    for (start, size, at) in [(0, 512, 64), (512, 1024, 36), (len - 512, 512, 64)] {
        let sum = checksum(&file[start..start + size], at);
        file[start + at..start + at + 4].copy_from_slice(&sum.to_be_bytes());
    }
    std::fs::write(path, file).unwrap();
    let options = OpenOptions {
        format: Some("dynamic-vhd".to_owned()),
        ..OpenOptions::default()
    };
    open(path, &options).map(drop).map_err(|it| it.to_string())
}

#[test]
fn wrong_files_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    write(
        &sample(12 << 20),
        Format::parse("dynamic-vhd").unwrap(),
        &path,
        1,
    )
    .unwrap();
    let sound = std::fs::read(&path).unwrap();
    let end = sound.len() - 512;
    assert_eq!(changed(&sound, &path, &[]), Ok(()));
    let first = sound[1536..1540].to_vec();
    for (offset, bytes, said) in [
        (end + 12, &[0, 2][..], "version 2"),
        (end + 60, &[0, 0, 0, 4], "another image"),
        (end + 60, &[0, 0, 0, 6], "type 6"),
        (end + 60, &[0, 0, 0, 2], "cut short"),
        (end + 48, &[0xff; 6], "too few"),
        (512, b"x", "no dynamic header"),
        (512 + 16, &[0xff; 8], "outside the file"),
        (512 + 24, &[0, 2], "version 2"),
        (512 + 28, &[0, 0, 0, 1], "too few"),
        (512 + 32, &[0, 0x20, 0, 1], "blocks of"),
        (1536, &[0, 1, 0, 0], "outside the file"),
        (1540, &first, "overlap"),
    ] {
        let error = changed(&sound, &path, &[(offset, bytes)]).unwrap_err();
        assert!(error.contains(said), "{said}: {error}");
    }
    // The copy in front stands in for a damaged end.
    let mut wrong = sound.clone();
    wrong[end + 50] ^= 1;
    std::fs::write(&path, &wrong).unwrap();
    let opened = open(&path, &OpenOptions::default()).unwrap();
    assert_eq!(opened.disk.size(), 12 << 20);
    wrong[50] ^= 1;
    std::fs::write(&path, &wrong).unwrap();
    let error = open(&path, &OpenOptions::default()).unwrap_err();
    assert!(error.to_string().contains("checksum"), "{error}");
}

#[test]
fn sectors_that_were_never_written_are_zero() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let all = disk(2 << 20, &[('n', 0, 2 << 20)]);
    write(&all, Format::parse("dynamic-vhd").unwrap(), &path, 1).unwrap();
    let mut file = std::fs::read(&path).unwrap();
    // The bitmap is in the fifth sector, behind the table: sectors 9 and 10 of the block.
    file[2048 + 1] = 0b1001_1111;
    std::fs::write(&path, file).unwrap();
    let opened = open(&path, &OpenOptions::default()).unwrap();
    let (mut found, mut expected) = (vec![1; 3000], vec![0; 3000]);
    opened.disk.read_at(9 * 512 - 100, &mut found).unwrap();
    all.read_at(9 * 512 - 100, &mut expected).unwrap();
    expected[100..1124].fill(0);
    assert!(found == expected);
}

#[test]
fn disks_that_are_too_large_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    for name in ["vhd", "dynamic-vhd"] {
        let largest = disk(2040 << 30, &[]);
        write(&largest, Format::parse(name).unwrap(), &path, 1).unwrap();
        qemu_img(&["info", "-f", "vpc"], &[&path]);
        let larger = disk((2040 << 30) + 512, &[]);
        let error = write(&larger, Format::parse(name).unwrap(), &path, 1).unwrap_err();
        assert!(error.to_string().contains("2040 GiB"), "{error}");
    }
}
