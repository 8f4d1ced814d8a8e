//! Files that QEMU made, and files that nobody should make.

use std::path::{Path, PathBuf};
use std::process::Command;

use nodeimage_disk::Extents;
use tempfile::TempDir;

use crate::tests::sample::{content, disk, qemu_img, write};
use crate::{Format, OpenOptions, Opened, open};

struct Lab {
    folder: TempDir,
}

impl Lab {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A raw file of the sample.
    fn raw(&self) -> (Extents, PathBuf) {
        let pieces = [
            ('p', 0, 300_000),
            ('n', 3 << 20, 200_000),
            ('p', (9 << 20) + 77, 5000),
        ];
        let disk = disk(12 << 20, &pieces);
        let path = self.at("raw");
        write(&disk, Format::parse("raw").unwrap(), &path, 1).unwrap();
        (disk, path)
    }

    /// `qemu-img create` of a qcow2 file: options, its name, its size.
    fn create(&self, words: &[&str]) {
        let words = [&["create", "-q", "-f", "qcow2"], words].concat();
        self.run("qemu-img", &words);
    }

    fn run(&self, program: &str, words: &[&str]) {
        let done = Command::new(program)
            .args(words)
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{program} {words:?}: {said}");
    }

    fn open(&self, name: &str, backing: &[&str]) -> Result<Opened, String> {
        let options = OpenOptions {
            backing: backing.iter().map(|name| self.at(name)).collect(),
            ..OpenOptions::default()
        };
        open(&self.at(name), &options).map_err(|error| error.to_string())
    }

    /// Changes bytes of a file.
    fn patch(&self, name: &str, offset: usize, bytes: &[u8]) {
        let path = self.at(name);
        let mut all = std::fs::read(&path).unwrap();
        all[offset..offset + bytes.len()].copy_from_slice(bytes);
        std::fs::write(path, all).unwrap();
    }
}

fn fact(opened: &Opened, name: &str) -> String {
    let found = opened.facts.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| value.clone()).unwrap_or_default()
}

#[test]
fn what_qemu_writes_is_read() {
    let lab = Lab::new();
    let (disk, raw) = lab.raw();
    for (options, compress) in [
        ("compat=0.10", false),
        ("compat=0.10", true),
        ("compat=1.1", false),
        ("compat=1.1,cluster_size=512", false),
        ("cluster_size=512", true),
        ("cluster_size=2M", false),
        ("cluster_size=2M", true),
        ("compression_type=zstd", true),
        ("compression_type=zstd,cluster_size=2M", true),
        ("compression_type=zstd,cluster_size=4k", true),
        ("preallocation=metadata", false),
        ("refcount_bits=1", false),
    ] {
        let path = lab.at("qemu.qcow2");
        let mut words = vec!["convert", "-f", "raw", "-O", "qcow2", "-o", options];
        words.extend(compress.then_some("-c"));
        qemu_img(&words, &[&raw, &path]);
        let opened = lab.open("qemu.qcow2", &[]).unwrap();
        let text = format!("{options} {compress}");
        assert_eq!(
            (opened.kind, opened.disk.size()),
            ("qcow2", 12 << 20),
            "{text}"
        );
        assert_eq!(content(opened.disk.as_ref()), content(&disk), "{text}");
        let version = if options.contains("0.10") { "2" } else { "3" };
        assert_eq!(fact(&opened, "version"), version);
    }
}

#[test]
fn backing_files_are_read_when_they_are_named() {
    let lab = Lab::new();
    let (_, raw) = lab.raw();
    lab.run(
        "qemu-img",
        &["convert", "-O", "qcow2", "-c", "raw", "base.qcow2"],
    );
    // The top is larger than what it stands on.
    lab.create(&["-b", "base.qcow2", "-F", "qcow2", "mid.qcow2"]);
    lab.create(&["-b", "mid.qcow2", "-F", "qcow2", "top.qcow2", "20M"]);
    let io = |name, command| lab.run("qemu-io", &["-f", "qcow2", "-c", command, name]);
    io("mid.qcow2", "write -P 0x55 4M 100k");
    io("top.qcow2", "write -z 0 128k");
    io("top.qcow2", "write -P 0x66 15M 3k");
    lab.run("qemu-img", &["convert", "-O", "raw", "top.qcow2", "flat"]);
    let flat = lab.open("flat", &[]).unwrap();
    let top = lab.open("top.qcow2", &["mid.qcow2", "base.qcow2"]).unwrap();
    assert_eq!(content(top.disk.as_ref()), content(flat.disk.as_ref()));
    assert_eq!(fact(&top, "backing file"), "mid.qcow2");
    let (mut expected, mut found) = (vec![0; 2_000_001], vec![1; 2_000_001]);
    for offset in [0, 100_001, 3_900_000, 11_500_001] {
        flat.disk.read_at(offset, &mut expected).unwrap();
        top.disk.read_at(offset, &mut found).unwrap();
        assert!(expected == found, "at {offset}");
    }

    for allowed in [
        &[][..],
        &["base.qcow2"],
        &["mid.qcow2"],
        &["raw"],
        &["none"],
    ] {
        let error = lab.open("top.qcow2", allowed).unwrap_err();
        assert!(error.contains("was not allowed"), "{error}");
    }
    // Another file of that name is not meant.
    std::fs::create_dir(lab.at("elsewhere")).unwrap();
    std::fs::copy(&raw, lab.at("elsewhere/base.qcow2")).unwrap();
    let error = lab
        .open("mid.qcow2", &["elsewhere/base.qcow2"])
        .unwrap_err();
    assert!(error.contains("was not allowed"), "{error}");

    // A raw base is read as such, whatever its bytes are.
    lab.create(&["-b", "mid.qcow2", "-F", "raw", "as-raw.qcow2"]);
    let bytes = std::fs::read(lab.at("mid.qcow2")).unwrap();
    let opened = lab.open("as-raw.qcow2", &["mid.qcow2"]).unwrap();
    let mut front = vec![0; 4096];
    opened.disk.read_at(0, &mut front).unwrap();
    assert!(front == bytes[..4096]);
}

#[test]
fn loops_and_strange_names_are_refused() {
    let lab = Lab::new();
    lab.create(&["a.qcow2", "1M"]);
    lab.create(&["-b", "a.qcow2", "-F", "qcow2", "b.qcow2"]);
    lab.run(
        "qemu-img",
        &["rebase", "-u", "-b", "b.qcow2", "-F", "qcow2", "a.qcow2"],
    );
    let error = lab.open("a.qcow2", &["a.qcow2", "b.qcow2"]).unwrap_err();
    assert!(error.contains("loop"), "{error}");
    for name in [
        "json:{\"driver\":\"raw\"}",
        "nbd://host/disk",
        "/etc/passwd",
        "../../../etc/passwd",
        "/dev/zero",
    ] {
        lab.run(
            "qemu-img",
            &["rebase", "-u", "-b", name, "-F", "raw", "b.qcow2"],
        );
        let error = lab.open("b.qcow2", &["a.qcow2"]).unwrap_err();
        assert!(error.contains("was not allowed"), "{error}");
    }
}

#[test]
fn what_cannot_be_read_is_said() {
    let lab = Lab::new();
    let create = |options: &str| {
        lab.create(&["-o", options, "x.qcow2", "1M"]);
        lab.open("x.qcow2", &[]).unwrap_err()
    };
    let error = create("data_file=data,data_file_raw=on");
    assert!(error.contains("in another file"), "{error}");
    let error = create("extended_l2=on");
    assert!(error.contains("subclusters"), "{error}");
    lab.create(&["x.qcow2", "1M"]);
    for (offset, bytes, said) in [
        (32, &[0, 0, 0, 2][..], "encrypted"),
        (4, &[0, 0, 0, 4], "version 4"),
        (72 + 7, &[2], "corrupt"),
        (72 + 6, &[0x80], "0x8000"),
        (20, &[0, 0, 0, 22], "2^22"),
        (20, &[0, 0, 0, 8], "2^8"),
        (24, &[0xff; 8], "bytes"),
        (24, &[0; 8], "no byte"),
        (24, &[0, 0, 1, 0, 0, 0, 0, 0], "entries"),
        (40, &[0, 0, 0, 0, 0, 0, 0, 1], "L1"),
        (40, &[0x7f, 0, 0, 0, 0, 0, 0, 0], "beyond the file's end"),
        (100, &[0xff, 0xff, 0xff, 0xf8], "do not fit"),
    ] {
        let path = lab.at("x.qcow2");
        let sound = std::fs::read(&path).unwrap();
        lab.patch("x.qcow2", offset, bytes);
        let error = lab.open("x.qcow2", &[]).unwrap_err();
        assert!(error.contains(said), "{said}: {error}");
        std::fs::write(path, sound).unwrap();
    }
}

#[test]
fn snapshots_are_left_out() {
    let lab = Lab::new();
    let (disk, _) = lab.raw();
    lab.run("qemu-img", &["convert", "-O", "qcow2", "raw", "x.qcow2"]);
    lab.run(
        "qemu-io",
        &["-f", "qcow2", "-c", "write -P 1 0 9M", "x.qcow2"],
    );
    lab.run("qemu-img", &["snapshot", "-c", "first", "x.qcow2"]);
    lab.run(
        "qemu-io",
        &["-f", "qcow2", "-c", "write -P 2 1M 64k", "x.qcow2"],
    );
    lab.run("qemu-img", &["convert", "-O", "raw", "x.qcow2", "flat"]);
    let (opened, flat) = (
        lab.open("x.qcow2", &[]).unwrap(),
        lab.open("flat", &[]).unwrap(),
    );
    assert_eq!(content(opened.disk.as_ref()), content(flat.disk.as_ref()));
    assert_ne!(content(opened.disk.as_ref()), content(&disk));
    assert!(fact(&opened, "snapshots").starts_with('1'));
}

/// A file with one L2 table, and where its entries and the L1 table are.
fn small(lab: &Lab, format: &str) -> (usize, usize) {
    let disk = disk(1 << 30, &[('p', 0, 200_000), ('p', 600 << 20, 100)]);
    write(&disk, Format::parse(format).unwrap(), &lab.at("x"), 1).unwrap();
    let bytes = std::fs::read(lab.at("x")).unwrap();
    let l2 = u64::from_be_bytes(bytes[65536..65544].try_into().unwrap()) & !(1 << 63);
    (65536, l2 as usize)
}

fn read_front(path: &Path) -> String {
    let opened = match open(path, &OpenOptions::default()) {
        Ok(opened) => opened,
        Err(error) => return error.to_string(),
    };
    let mut bytes = vec![0; 512 << 10];
    match opened.disk.read_at(0, &mut bytes) {
        Ok(()) => "sound".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn wrong_entries_are_told_with_their_place() {
    let lab = Lab::new();
    let path = lab.at("x");
    for (at_l1, value, said) in [
        (true, 0x8000_0000_0000_0200_u64, "where no cluster begins"),
        (true, 0x0000_7fff_ffff_0000, "beyond the file's end"),
        (false, 0x8000_0000_0000_0200, "where no cluster begins"),
        (false, 0x0000_7fff_ffff_0000, "outside the file"),
        // Compressed, outside; then compressed, and what is there is none.
        (false, 0x403f_ffff_ffff_ffff, "outside the file"),
        (false, 0x4000_0000_0000_0001, "a compressed cluster"),
        (false, 0x7fc0_0000_0000_0001, "a compressed cluster"),
    ] {
        let (l1, l2) = small(&lab, "qcow2");
        let at = if at_l1 { l1 } else { l2 };
        assert_eq!(read_front(&path), "sound");
        lab.patch("x", at, &value.to_be_bytes());
        let error = read_front(&path);
        let place = if said.contains("compressed") { 1 } else { at };
        assert!(
            error.contains(said) && error.contains(&format!("at byte {place}:")),
            "{error}"
        );
    }
    // Two L1 entries for one table: 512 MiB twice for the price of one, a million times over.
    let (l1, l2) = small(&lab, "qcow2");
    lab.patch("x", l1 + 8, &(l2 as u64).to_be_bytes());
    assert!(read_front(&path).contains("two L1 entries"));
    // Compressed clusters that are cut short, or hold other bytes.
    for format in ["qcow2:zlib", "qcow2:zstd"] {
        let (_, l2) = small(&lab, format);
        let bytes = std::fs::read(&path).unwrap();
        let entry = u64::from_be_bytes(bytes[l2..l2 + 8].try_into().unwrap());
        let data = (entry & ((1 << 54) - 1)) as usize;
        lab.patch("x", data, &[0xff; 64]);
        let error = read_front(&path);
        assert!(
            error.contains(&format!("at byte {data}: a compressed")),
            "{format}: {error}"
        );
    }
}
