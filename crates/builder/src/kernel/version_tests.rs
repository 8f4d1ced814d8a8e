use std::io::Write;

use super::*;

fn said(bytes: &[u8]) -> Said {
    read(&mut &bytes[..]).unwrap()
}

fn version(bytes: &[u8]) -> Option<Version> {
    said(bytes).version
}

fn bzimage(version: &[u8]) -> Vec<u8> {
    let mut head = vec![0; 0x410];
    head[0x202..0x206].copy_from_slice(b"HdrS");
    head[VERSION_POINTER..VERSION_POINTER + 2].copy_from_slice(&0x100u16.to_le_bytes());
    head[0x300..0x300 + version.len()].copy_from_slice(version);
    head
}

/// An uncompressed kernel with a banner at an offset.
fn image(at: usize, banner: &str) -> Vec<u8> {
    // `L` is what the search stops at.
    let mut bytes = b"MZ L Linux Linux version %s ".repeat(at / 28 + 1);
    bytes.truncate(at);
    bytes.extend_from_slice(banner.as_bytes());
    bytes
}

const BANNER_6_12: &str = "Linux version 6.12.63+deb13-arm64 (debian-kernel@lists.debian.org)";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

#[test]
fn a_bzimage_has_its_release_in_the_header() {
    let release = |bytes: &[u8]| said(bytes).release;
    let debian = said(&bzimage(
        b"6.1.0-56-cloud-amd64 (debian-kernel@lists.debian.org) #1",
    ));
    assert_eq!(debian.release.as_deref(), Some("6.1.0-56-cloud-amd64"));
    assert_eq!(debian.version, Some(Version(6, 1)));
    assert_eq!(release(&bzimage(b"")), None);
    assert_eq!(release(&bzimage(&[0xff, b' '])), None);
    assert_eq!(release(b"MZ"), None);
    assert_eq!(release(&bzimage(&[b'6'; 256])), None, "too long");
    assert_eq!(release(&bzimage(b"6.1\x1b[2J x")), None);
    assert_eq!(release(&bzimage("6.1-\u{fc} x".as_bytes())), None);
    assert_eq!(release(&bzimage(b"6.1\0")).as_deref(), Some("6.1"));
    let mut at_the_end = bzimage(b"");
    at_the_end.truncate(0x300);
    assert_eq!(release(&at_the_end), None);
    at_the_end.truncate(VERSION_POINTER + 1);
    assert_eq!(release(&at_the_end), None);
    let mut outside = bzimage(b"6.1");
    outside[VERSION_POINTER..VERSION_POINTER + 2].copy_from_slice(&0xffffu16.to_le_bytes());
    assert_eq!(release(&outside), None);
}

#[test]
fn releases_are_read_as_versions() {
    for (release, expected) in [
        ("4.9.184-linuxkit", Some(Version(4, 9))),
        ("5.10", Some(Version(5, 10))),
        ("", None),
        ("x", None),
        ("6", None),
        ("6.", None),
        (".6", None),
        ("99999999999.1", None),
        ("6.99999999999", None),
    ] {
        assert_eq!(Version::parse(release), expected, "{release}");
    }
    assert!(Version(4, 20) < Version(5, 9) && Version(5, 9) < Version(5, 10));
}

#[test]
fn other_kernels_have_a_banner() {
    const BUFFER: usize = 256 * 1024;
    let expected = Some(Version(6, 12));
    for at in [
        0,
        1,
        63,
        5000,
        BUFFER - 70,
        BUFFER - 20,
        BUFFER - 1,
        BUFFER,
        3 * BUFFER - 7,
    ] {
        assert_eq!(version(&image(at, BANNER_6_12)), expected, "{at}");
    }
    let whole = image(100_000, BANNER_6_12);
    assert_eq!(version(&gzip(&whole)), expected);
    assert_eq!(version(&zstd::encode_all(&whole[..], 1).unwrap()), expected);
    assert_eq!(said(&whole).release, None, "the header has none");
}

#[test]
fn a_banner_at_the_very_end_is_read_if_it_is_whole() {
    assert_eq!(
        version(&image(9, "Linux version 5.4.0 ")),
        Some(Version(5, 4))
    );
    assert_eq!(
        version(&image(9, "Linux version 5.4")),
        None,
        "cut, perhaps"
    );
    assert_eq!(version(&image(9, "Linux version ")), None);
    let long = "Linux version 5.1111111111111111111111 ";
    assert_eq!(version(&image(9, long)), None);
}

#[test]
fn the_first_banner_with_a_version_counts() {
    let two = "Linux version %s Linux version 5.4.0-x Linux version 6.1.0-x";
    assert_eq!(version(&image(300, two)), Some(Version(5, 4)));
}

#[test]
fn zboot_images_are_unpacked_or_new_anyway() {
    let zboot = |payload: &[u8], offset: u32, len: u32| {
        let mut bytes = vec![0; 0x1000];
        bytes[..2].copy_from_slice(b"MZ");
        bytes[4..8].copy_from_slice(b"zimg");
        bytes[8..12].copy_from_slice(&offset.to_le_bytes());
        bytes[12..16].copy_from_slice(&len.to_le_bytes());
        bytes.extend_from_slice(payload);
        bytes
    };
    let payload = gzip(&image(100_000, BANNER_6_12));
    let len = payload.len() as u32;
    assert_eq!(version(&zboot(&payload, 0x1000, len)), Some(Version(6, 12)));
    for (offset, len) in [(0, 0), (0x1000, 7), (u32::MAX, u32::MAX), (0x1001, len)] {
        let found = version(&zboot(&payload, offset, len));
        assert_eq!(found, Some(FIRST_ZBOOT), "{offset} {len}");
    }
    let packed = zboot(b"\xfd7zXZ\0 something", 0x1000, 16);
    assert_eq!(version(&packed), Some(FIRST_ZBOOT));
    assert_eq!(version(&packed[..10]), None, "no header");
}

#[test]
fn damaged_data_says_nothing() {
    let whole = image(400_000, BANNER_6_12);
    for packed in [gzip(&whole), zstd::encode_all(&whole[..], 1).unwrap()] {
        assert_eq!(version(&packed[..packed.len() / 3]), None);
        let mut damaged = packed.clone();
        let middle = damaged.len() / 2;
        damaged[4..middle].fill(0xff);
        assert_eq!(version(&damaged), None);
    }
    assert_eq!(version(b""), None);
    assert_eq!(version(b"\x1f"), None);
}
