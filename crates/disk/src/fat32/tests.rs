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
        .map(|(path, content)| File {
            path,
            content,
            runs: &[],
        })
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
        for ((name, content), runs) in files.iter().zip(&system.runs) {
            let read = run("mtype", &["-i", image, &format!("::{name}")]);
            assert_eq!(read, bytes_of(content), "{name}");
            assert!(runs.len() <= 1, "{name} is contiguous");
            let mut placed = vec![0; read.len()];
            let offset = runs.first().map_or(0, |run| run.offset);
            system.image.read_at(offset, &mut placed).unwrap();
            assert_eq!(read, placed, "{name}");
            assert_eq!(bytes_of(&open(&system.image, name).unwrap()), read);
        }
        assert_eq!(system.runs[0][0].offset, DATA_OFFSET + BLOCK);
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
fn pieces_lie_where_they_are_told() {
    const FILES_OFFSET: u64 = DATA_OFFSET + BLOCK;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("esp");
    let content = Extents::from_bytes(noise(1, 3 * BLOCK as usize + 5));
    let run = |block: u64, len| Run {
        offset: FILES_OFFSET + block * BLOCK,
        len,
    };
    let runs = [
        run(300, BLOCK),
        run(0, 2 * 4096),
        run(1, 2 * BLOCK - 2 * 4096 + 5),
    ];
    let small = Extents::from_bytes(noise(2, 9));
    let files = [
        File {
            path: "EFI/BOOT/BOOTX64.EFI",
            content: &content,
            runs: &runs,
        },
        File {
            path: "a long name",
            content: &small,
            runs: &[],
        },
    ];
    for size in SIZES {
        let system = build(&volume(size), &files).unwrap();
        write_sparse(&system.image, &path);
        run_fsck(&path);
        assert_eq!(system.runs[0], runs);
        assert_eq!(system.runs[1][0].offset, FILES_OFFSET + 301 * BLOCK);
        for file in &files {
            let read = run_mtype(&path, file.path);
            assert!(read == bytes_of(file.content));
            assert!(bytes_of(&open(&system.image, file.path).unwrap()) == read);
        }
        assert!(
            system.image.data_len() < 4 * BLOCK,
            "free clusters take up no space"
        );
    }
    let refused = |runs: &[Run]| {
        let file = File {
            path: "f",
            content: &content,
            runs,
        };
        build(&volume(SIZES[0]), &[file]).unwrap_err()
    };
    let len = content.size();
    for runs in [
        &[run(0, len - 1)][..],
        &[run(0, len + 1)],
        &[run(0, 4097), run(1, len - 4097)],
        &[run(0, 0), run(0, len)],
        &[Run {
            offset: FILES_OFFSET + 1,
            len,
        }],
        &[Run { offset: 0, len }],
    ] {
        assert!(matches!(refused(runs), Fat32Error::Runs { .. }), "{runs:?}");
    }
    let overlapping = [run(0, BLOCK), run(0, len - BLOCK)];
    assert!(matches!(refused(&overlapping), Fat32Error::Place(_)));
    let directories = [Run {
        offset: DATA_OFFSET,
        len,
    }];
    assert!(matches!(refused(&directories), Fat32Error::Place(_)));
    let outside = [run(SIZES[0] / BLOCK, len)];
    assert!(matches!(refused(&outside), Fat32Error::Full { .. }));
}

fn run_fsck(path: &Path) {
    run("fsck.fat", &["-n", path.to_str().unwrap()]);
}

fn run_mtype(path: &Path, name: &str) -> Vec<u8> {
    run(
        "mtype",
        &["-i", path.to_str().unwrap(), &format!("::{name}")],
    )
}

#[test]
fn foreign_file_systems_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("esp");
    let image = path.to_str().unwrap();
    let file = folder.path().join("file");
    std::fs::File::create(&path)
        .unwrap()
        .set_len(64 << 20)
        .unwrap();
    run("mkfs.fat", &["-F", "32", "-s", "1", image]);
    run("mmd", &["-i", image, "::EFI"]);
    for n in 0..40 {
        std::fs::write(&file, noise(n, 3000)).unwrap();
        let name = format!("::EFI/file with a long name {n}");
        run("mcopy", &["-i", image, file.to_str().unwrap(), &name]);
    }
    let bytes = std::fs::read(&path).unwrap();
    let volume = Extents::from_bytes(bytes.clone());
    for n in 0..40 {
        let read = open(&volume, &format!("efi/FILE with a long name {n}")).unwrap();
        assert!(bytes_of(&read) == noise(n, 3000));
    }
    for name in ["", "EFI", "x", "EFI/x", "EFI/file with a long name 1/x"] {
        assert!(
            matches!(open(&volume, name), Err(FatReadError::NotFound(_))),
            "{name}"
        );
    }
    // A root directory that is its own successor.
    let mut looping = bytes;
    let table = 32 * 512;
    let root = 2_usize;
    looping[table + root * 4..][..4].copy_from_slice(&2_u32.to_le_bytes());
    let looping = Extents::from_bytes(looping);
    assert!(matches!(
        open(&looping, "x"),
        Err(FatReadError::NotFound(_))
    ));
}

proptest::proptest! {
    #[test]
    fn hostile_file_systems_are_refused(patches in proptest::collection::vec((0_usize..70_000, 0_u8..), 1..40)) {
        let content = Extents::from_bytes(noise(1, 70_000));
        let file = File { path: "EFI/BOOT/BOOTX64.EFI", content: &content, runs: &[] };
        let system = build(&volume(SIZES[0]), &[file]).unwrap();
        let [table, _] = Geometry::new(SIZES[0]).tables();
        let mut changed = Extents::new(system.image.size());
        let mut head = vec![0; 16_384];
        system.image.read_at(0, &mut head).unwrap();
        let mut tables = vec![0; 16_384];
        system.image.read_at(table, &mut tables).unwrap();
        let mut data = vec![0; 40_000];
        system.image.read_at(DATA_OFFSET, &mut data).unwrap();
        for (at, value) in patches {
            match at {
                0..512 => head[at] = value,
                512..16_384 => tables[at % 512] = value,
                _ => data[at % 16_384] = value,
            }
        }
        changed.push_bytes(0, head).unwrap();
        changed.push_bytes(table, tables).unwrap();
        changed.push_bytes(DATA_OFFSET, data).unwrap();
        let _ = open(&changed, "EFI/BOOT/BOOTX64.EFI");
    }
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
            runs: &[],
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
                runs: &[],
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
            runs: &[],
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
