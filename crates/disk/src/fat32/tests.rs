use std::path::Path;

use super::*;
use crate::fixture::{bytes_of, noise, run, write_sparse};

fn volume(size: u64) -> Volume {
    Volume {
        size,
        serial: 0x1234_abcd,
        label: *b"NODEIMAGE  ",
        start_lba: 16384,
    }
}

fn build_at(size: u64, files: &[(&str, Extents)], path: &Path) -> FileSystem {
    let files: Vec<_> = files
        .iter()
        .map(|(path, content)| File { path, content })
        .collect();
    let system = build(&volume(size), &files).unwrap();
    write_sparse(&system.image, path);
    // Complete silence about problems, and an exact FSInfo, are part of its exit status.
    run("fsck.fat", &["-n", path.to_str().unwrap()]);
    system
}

#[test]
fn tools_read_back_every_file_in_every_size() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("esp");
    let image = path.to_str().unwrap();
    let files = [
        (
            "EFI/BOOT/BOOTX64.EFI",
            Extents::from_bytes(noise(1, 100_001)),
        ),
        ("EFI/empty", Extents::new(0)),
        (
            "loader/entries/a long name, with spaces.conf",
            Extents::from_bytes(noise(2, 4096)),
        ),
        (
            "loader/entries/a long name, with dots...conf",
            Extents::from_bytes(noise(3, 4097)),
        ),
        ("Grüße.txt", Extents::from_bytes(noise(4, 1))),
        ("LOADER~1", Extents::from_bytes(noise(5, 5))),
        ("exactly13char", Extents::from_bytes(noise(6, 6))),
    ];
    for size in SIZES {
        let system = build_at(size, &files, &path);
        for ((name, content), offset) in files.iter().zip(&system.offsets) {
            let read = run("mtype", &["-i", image, &format!("::{name}")]);
            assert_eq!(read, bytes_of(content), "{name}");
            let mut placed = vec![0; read.len()];
            system.image.read_at(*offset, &mut placed).unwrap();
            assert_eq!(read, placed, "{name} is contiguous");
        }
        assert_eq!(system.offsets[0], DATA_OFFSET + BLOCK);
        assert_eq!(system.image.size(), size);
    }
    let listing = String::from_utf8(run("mdir", &["-/", "-i", image, "::"])).unwrap();
    for text in [
        "NODEIMAGE",
        "1234-ABCD",
        "BOOTX64  EFI    100001 1980-01-01   0:00 ",
    ] {
        assert!(listing.contains(text), "{text} not in {listing}");
    }
    // Exact names have no long name.
    assert!(!listing.contains("BOOTX64.EFI"), "{listing}");
}

#[test]
fn directories_longer_than_a_cluster() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("esp");
    let names: Vec<_> = (0..300)
        .map(|n| format!("d/configuration number {n}.conf"))
        .collect();
    let files: Vec<_> = (0..300)
        .map(|n| (names[n].as_str(), Extents::from_bytes(noise(n as u64, n))))
        .collect();
    build_at(SIZES[0], &files, &path);
    for n in [1, 99, 150, 299] {
        let name = format!("::{}", names[n]);
        assert_eq!(
            run("mtype", &["-i", path.to_str().unwrap(), &name]),
            noise(n as u64, n)
        );
    }
}

#[test]
fn an_empty_file_system_is_sound() {
    let folder = tempfile::tempdir().unwrap();
    build_at(SIZES[0], &[], &folder.path().join("esp"));
}

#[test]
fn sizes_follow_the_need() {
    let need = |len| {
        let content = Extents::new(len);
        needed_size(&[File {
            path: "EFI/BOOT/BOOTX64.EFI",
            content: &content,
        }])
    };
    // In front of the file: 4.5 MiB and a block for the directories.
    let front = DATA_OFFSET + BLOCK;
    for (size, next) in SIZES
        .iter()
        .zip(SIZES.iter().skip(1).map(Some).chain([None]))
    {
        assert_eq!(need(size - front), Ok(*size));
        match next {
            Some(next) => assert_eq!(need(size - front + 1), Ok(*next)),
            None => assert_eq!(
                need(size - front + 1),
                Err(Fat32Error::Full {
                    need: size - DATA_OFFSET + 4096,
                    limit: size - DATA_OFFSET
                })
            ),
        }
    }
    assert!(need(u64::MAX).is_err());
}

#[test]
fn a_full_file_system_is_sound() {
    let folder = tempfile::tempdir().unwrap();
    let files = [("BIG", Extents::new(SIZES[0] - DATA_OFFSET - BLOCK))];
    build_at(SIZES[0], &files, &folder.path().join("esp"));
    let content = Extents::new(SIZES[0]);
    let error = build(
        &volume(SIZES[0]),
        &[File {
            path: "BIG",
            content: &content,
        }],
    )
    .unwrap_err();
    assert!(matches!(error, Fat32Error::Full { .. }));
}

#[test]
fn every_size_is_fat32_to_firmware() {
    for size in SIZES {
        let geometry = Geometry::new(size);
        assert!(geometry.end_cluster() - FIRST_CLUSTER >= 65_525);
        let [first, second] = geometry.tables();
        assert!(first >= 8 * SECTOR && second > first);
        assert!(first / SECTOR <= u64::from(u16::MAX));
    }
}

#[test]
fn impossible_inputs_are_refused() {
    let content = Extents::new(1);
    let attempt = |volume: &Volume, paths: &[&str]| {
        let files: Vec<_> = paths
            .iter()
            .map(|path| File {
                path,
                content: &content,
            })
            .collect();
        build(volume, &files).map(|_| ())
    };
    let good = volume(SIZES[0]);
    for paths in [
        &[""][..],
        &["/a"],
        &["a/"],
        &["a//b"],
        &["a/../b"],
        &["."],
        &["a\\b"],
        &["a:b"],
        &["a\n"],
        &["a."],
        &["a "],
        &["a", "A"],
        &["a", "a/b"],
        &["a/b", "a"],
        &["a/b", "A/c"],
        &["ä", "Ä"],
        &["1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7"],
    ] {
        let error = attempt(&good, paths).unwrap_err();
        assert!(
            matches!(error, Fat32Error::Path { .. }),
            "{paths:?}: {error}"
        );
    }
    attempt(&good, &[&"n".repeat(255)]).unwrap();
    attempt(&good, &[&"n".repeat(256)]).unwrap_err();
    let many: Vec<_> = (0..=MAX_FILES).map(|n| n.to_string()).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    attempt(&good, &many[1..]).unwrap();
    assert_eq!(
        attempt(&good, &many),
        Err(Fat32Error::TooManyFiles(MAX_FILES + 1))
    );
    assert_eq!(
        attempt(&volume(300 << 20), &["a"]),
        Err(Fat32Error::Size(300 << 20))
    );
    let lower = Volume {
        label: *b"nodeimage  ",
        ..good.clone()
    };
    assert!(matches!(attempt(&lower, &["a"]), Err(Fat32Error::Label(_))));
    let huge = Extents::new(4 << 30);
    let error = build(
        &good,
        &[File {
            path: "a",
            content: &huge,
        }],
    )
    .unwrap_err();
    assert!(matches!(error, Fat32Error::FileTooLarge { .. }));
}

#[test]
fn short_names() {
    let text = |short: ShortText| short.map(|it| String::from_utf8(it.to_vec()).unwrap());
    let exact = |name| text(names::exact(name));
    assert_eq!(exact("BOOTAA64.EFI").as_deref(), Some("BOOTAA64EFI"));
    assert_eq!(exact("A").as_deref(), Some("A          "));
    for name in [
        "NODEIMAGE.EFI",
        "boot",
        "A.B.C",
        ".A",
        "A.EFIX",
        "A.",
        "A B",
    ] {
        assert_eq!(exact(name), None, "{name}");
    }
    let mut taken = std::collections::BTreeSet::new();
    for (name, short) in [
        ("NODEIMAGE.EFI", "NODEIM~1EFI"),
        ("nodeimage two.efi", "NODEIM~2EFI"),
        (".profile", "~1      PRO"),
        ("a+b.c.text", "A_BC~1  TEX"),
        ("ü", "_~1        "),
    ] {
        let it = names::tailed(name, &taken).unwrap();
        assert_eq!(text(Some(it)).as_deref(), Some(short), "{name}");
        taken.insert(it);
    }
}

type ShortText = Option<[u8; 11]>;
