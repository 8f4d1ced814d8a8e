//! Layers made to hurt: each is refused with an error that names layer, entry or limit, leaves
//! nothing behind, and a good copy works afterwards.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use common::layout::compress;
use common::tar::{Header, seal};
use common::{Codec, Layout, REFERENCE, Tar, show, store, tree_of};
use nodeimage_images::config::Source;
use nodeimage_images::source::{Remote, SourceError};
use nodeimage_images::{Config, Digest, ErrorKind, Images, LayerProblem, Limits, Store};

fn refused(layer: Tar) -> String {
    tree_of(vec![layer.finish()]).unwrap_err().to_string()
}

/// The error of an image whose layer is `blob`; the store must be empty of layers then.
struct Case {
    dir: tempfile::TempDir,
    limits: Limits,
}

impl Case {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            limits: Limits::default(),
        }
    }

    fn layout(&self) -> Layout {
        Layout::create(self.dir.path().join("layout"))
    }

    fn images(&self) -> Images {
        let mut config = common::config("docker.io", Source::Oci(self.dir.path().join("layout")));
        config.limits = self.limits;
        Images::new(store(self.dir.path()), &config, None)
    }

    fn refuse(&self, blob: &[u8], tar: &[u8]) -> LayerProblem {
        let digest = self
            .layout()
            .manifest_of("amd64", &[Digest::of(tar)], &[blob.to_vec()], "");
        self.refuse_image(&digest)
    }

    fn refuse_image(&self, digest: &Digest) -> LayerProblem {
        let images = self.images();
        let image = images.open(REFERENCE, digest, "amd64").unwrap();
        let error = images.tree(&image).unwrap_err();
        assert_clean(images.store());
        let text = error.to_string();
        assert!(
            text.starts_with(&format!("{REFERENCE}: layer 1 (sha256:")),
            "{text}"
        );
        match *error.kind {
            ErrorKind::Layer(layer) => layer.problem,
            other => panic!("{other}"),
        }
    }
}

fn assert_clean(store: &Store) {
    let count = |dir: &str| std::fs::read_dir(store.root().join(dir)).unwrap().count();
    assert_eq!(
        (count("layers-v1"), count("tmp"), count("locks")),
        (0, 0, 0)
    );
}

#[test]
fn names_that_lead_outside() {
    for name in [
        "../etc/passwd",
        "a/../../b",
        "..",
        "/..",
        "/../etc/passwd",
        "a/../b",
    ] {
        let error = refused(Tar::new().file(name, "x"));
        assert!(error.contains("layer 1") && error.contains(name), "{error}");
        let error = refused(Tar::new().file("a", "").hardlink("b", name));
        assert!(
            error.contains("\"b\"") && error.contains("links to"),
            "{error}"
        );
        let error = refused(Tar::new().pax(&[("path", name.as_bytes())]).file("x", ""));
        assert!(error.contains(name), "{error}");
    }
    assert!(refused(Tar::new().pax(&[("path", b"a\0b")]).file("x", "")).contains("NUL"));
    // Absolute names are names in the root.
    let tree = tree_of(vec![Tar::new().file("/etc/passwd", "x").finish()]).unwrap();
    assert_eq!(show(&tree), ["etc dir", "etc/passwd file x"]);
    assert!(refused(Tar::new().file(".wh..", "")).contains("whiteout"));
    assert!(refused(Tar::new().file("a/.wh.", "")).contains("whiteout"));
    assert!(refused(Tar::new().symlink("./", "x")).contains("root must be a directory"));
}

#[test]
fn links_that_lead_outside_stay_inside() {
    let layer = Tar::new()
        .symlink("a", "/")
        .symlink("b", "../../../..")
        .symlink("c", "b/a/b")
        .file("a/1", "")
        .file("b/2", "")
        .file("c/3", "");
    let tree = tree_of(vec![layer.finish()]).unwrap();
    let names: Vec<_> = show(&tree)
        .into_iter()
        .filter(|line| line.ends_with("file "))
        .collect();
    assert_eq!(names, ["1 file ", "2 file ", "3 file "]);
    // A directory swapped for a link and back between two entries.
    let swap = Tar::new()
        .dir("d")
        .file("d/x", "1")
        .symlink("d", "/etc")
        .file("d/y", "2")
        .dir("d")
        .file("d/z", "3");
    let tree = tree_of(vec![swap.finish()]).unwrap();
    assert_eq!(
        show(&tree),
        ["d dir", "d/z file 3", "etc dir", "etc/y file 2"]
    );
}

#[test]
fn headers_that_lie() {
    let size = |size: u64| Header {
        name: b"f",
        size,
        ..Header::default()
    };
    let end = |tar: Tar| tree_of(vec![tar.unfinished()]).unwrap_err().to_string();
    assert!(end(Tar::new().raw(&size(5000), b"")).contains("ends in the middle"));
    assert!(end(Tar::new().append(&size(600).block()).append(&[0; 600])).contains("in the middle"));
    assert!(end(Tar::new().append(&[1; 512])).contains("checksum"));
    assert!(end(Tar::new().append(&[0, 0, 1])).contains("ends in the middle"));
    let patch = |at: usize, bytes: &[u8]| {
        let mut block = size(0).block();
        block[at..at + bytes.len()].copy_from_slice(bytes);
        seal(&mut block);
        refused(Tar::new().append(&block))
    };
    assert!(patch(124, &[0xff; 12]).contains("size"));
    assert!(
        patch(
            124,
            &[
                0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
            ]
        )
        .contains("size")
    );
    assert!(patch(124, &[0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]).contains("size"));
    assert!(patch(124, b"9999999").contains("size"));
    assert!(patch(108, &[0x80, 0, 0, 1, 0, 0, 0, 0]).contains("owner"));
    assert!(patch(156, b"Z").contains("type is unknown"));
    assert!(patch(156, b"S").contains("sparse"));
    let sparse = Tar::new().pax(&[("GNU.sparse.major", b"1")]).file("f", "");
    assert!(refused(sparse).contains("sparse"));
    let huge = Tar::new()
        .pax(&[("size", b"18446744073709551615")])
        .file("f", "");
    assert!(refused(huge).contains("more than a file can have"));
    let long = Tar::new()
        .pax(&[("comment", &vec![b'x'; 2 << 20])])
        .file("f", "");
    assert!(refused(long).contains("1 MiB"));
    let xattr = Tar::new()
        .pax(&[("SCHILY.xattr.user.x", &vec![b'x'; 65 << 10])])
        .file("f", "");
    assert!(refused(xattr).contains("64 KiB"));
    assert!(end(Tar::new().pax(&[("path", b"x")])).contains("ends in the middle"));
    let target = Tar::new()
        .pax(&[("linkpath", &vec![b'x'; 5000])])
        .symlink("l", "x");
    assert!(refused(target).contains("target"));
}

#[test]
fn nesting_has_an_end() {
    let deep = "d/".repeat(300) + "f";
    assert!(refused(Tar::new().pax(&[("path", deep.as_bytes())]).file("f", "")).contains("deep"));
    // Ever longer through links: x → 250 directories, then x/… again below it.
    let part = "d".repeat(250);
    let mut tar = Tar::new();
    let mut inside = String::new();
    for level in 0..20 {
        let name = format!("l{level}");
        inside = if inside.is_empty() {
            part.clone()
        } else {
            format!("{inside}/{part}")
        };
        let target = if level == 0 {
            part.clone()
        } else {
            format!("l{}/{part}", level - 1)
        };
        tar = tar
            .pax(&[("linkpath", target.as_bytes())])
            .symlink(&name, "x");
        tar = tar.file(&format!("{name}/f"), "");
    }
    assert!(refused(tar).contains("4096"));
}

#[test]
fn a_good_image_works_after_a_bad_one() {
    let case = Case::new();
    let tar = Tar::new().file("a", &"text ".repeat(10_000)).finish();
    for codec in [Codec::Plain, Codec::Gzip, Codec::Zstd] {
        let layout = case.layout();
        let digest = layout.manifest("amd64", vec![tar.clone()], codec);
        let blob = compress(&tar, codec);
        let path = layout.blob_path(&Digest::of(&blob));
        // One bit, at every tenth of it.
        for tenth in 0..10 {
            let mut bad = blob.clone();
            let at = bad.len() * tenth / 10;
            bad[at] ^= 0x10;
            std::fs::write(&path, &bad).unwrap();
            let problem = case.refuse_image(&digest);
            assert!(
                matches!(problem, LayerProblem::Digest(_) | LayerProblem::Tar(_)),
                "{problem}"
            );
        }
        std::fs::write(&path, &blob).unwrap();
        let images = case.images();
        let image = images.open(REFERENCE, &digest, "amd64").unwrap();
        assert_eq!(images.tree(&image).unwrap().len(), 1);
        images
            .store()
            .remove(
                nodeimage_images::store::Bucket::Layers,
                Digest::of(&tar).bytes(),
            )
            .unwrap();
    }
}

#[test]
fn blobs_that_are_not_what_was_promised() {
    let case = Case::new();
    let tar = Tar::new().file("a", "x").finish();
    let other = Tar::new().file("a", "y").finish();
    let problem = case.refuse(&compress(&tar, Codec::Gzip), &other);
    assert!(matches!(problem, LayerProblem::DiffId { .. }), "{problem}");
    // Broken before it was named.
    let zstd = compress(&tar, Codec::Zstd);
    let problem = case.refuse(&zstd[..zstd.len() - 3], &tar);
    assert!(
        matches!(problem, LayerProblem::Codec { codec: "zstd", .. }),
        "{problem}"
    );
    let gzip = compress(&tar, Codec::Gzip);
    let problem = case.refuse(&gzip[..gzip.len() - 9], &tar);
    assert!(
        matches!(problem, LayerProblem::Codec { codec: "gzip", .. }),
        "{problem}"
    );
    let problem = case.refuse(&[&gzip[..], b"garbage"].concat(), &tar);
    assert!(
        matches!(problem, LayerProblem::Codec { codec: "gzip", .. }),
        "{problem}"
    );
    let problem = case.refuse(b"\x28\xb5\x2f\xfd\x04\xff\xff\xff", &tar);
    assert!(
        matches!(problem, LayerProblem::Codec { codec: "zstd", .. }),
        "{problem}"
    );
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(28).unwrap();
    std::io::Write::write_all(&mut encoder, &tar).unwrap();
    let problem = case.refuse(&encoder.finish().unwrap(), &tar);
    assert!(
        matches!(problem, LayerProblem::Codec { codec: "zstd", .. }),
        "{problem}"
    );
    let layout = case.layout();
    let digest = layout.manifest_of(
        "amd64",
        &[Digest::of(&tar)],
        std::slice::from_ref(&tar),
        "+encrypted",
    );
    let problem = case.refuse_image(&digest);
    assert!(matches!(problem, LayerProblem::MediaType(_)), "{problem}");
    // The length in the manifest is wrong.
    for size in [tar.len() - 1, tar.len() + 1] {
        let layer = serde_json::json!({"mediaType": common::layout::LAYER,
            "digest": Digest::of(&tar), "size": size});
        let config = serde_json::json!({"architecture": "amd64", "os": "linux",
            "rootfs": {"diff_ids": [Digest::of(&tar)]}});
        let digest = layout.manifest_json(&config, &[layer]);
        let images = case.images();
        let image = images.open(REFERENCE, &digest, "amd64").unwrap();
        let error = images.tree(&image).unwrap_err().to_string();
        assert!(error.contains("its manifest says"), "{error}");
        assert_clean(images.store());
    }
}

#[test]
fn bombs_meet_a_limit() {
    let zeros = Tar::new().raw(
        &Header {
            name: b"z",
            size: 1 << 40,
            ..Header::default()
        },
        b"",
    );
    let bomb = |codec: Codec, megabytes: usize| {
        let source = zeros.clone().unfinished();
        let source = source.chain(std::io::repeat(0).take((megabytes as u64) << 20));
        match codec {
            Codec::Gzip => {
                let level = flate2::Compression::fast();
                let mut encoder = flate2::read::GzEncoder::new(source, level);
                let mut bytes = Vec::new();
                encoder.read_to_end(&mut bytes).unwrap();
                bytes
            }
            _ => zstd::encode_all(source, 1).unwrap(),
        }
    };
    let mut case = Case::new();
    let problem = case.refuse(&bomb(Codec::Zstd, 300), b"");
    assert!(
        matches!(
            problem,
            LayerProblem::Limit {
                key: "layer_ratio",
                ..
            }
        ),
        "{problem}"
    );
    assert!(
        problem
            .to_string()
            .contains("raise `layer_ratio` in [limits]"),
        "{problem}"
    );
    case.limits.layer_bytes = 20 << 20;
    for codec in [Codec::Gzip, Codec::Zstd] {
        let problem = case.refuse(&bomb(codec, 50), b"");
        assert!(
            matches!(
                problem,
                LayerProblem::Limit {
                    key: "layer_bytes",
                    ..
                }
            ),
            "{problem}"
        );
    }
    // Also behind the archive's end, where no entry is.
    let tail = [Tar::new().file("a", "").finish(), vec![0; 30 << 20]].concat();
    let problem = case.refuse(&compress(&tail, Codec::Gzip), &tail);
    assert!(
        matches!(
            problem,
            LayerProblem::Limit {
                key: "layer_bytes",
                ..
            }
        ),
        "{problem}"
    );
}

#[test]
fn floods_meet_a_limit() {
    let mut case = Case::new();
    case.limits.entries = 1000;
    let devices = |count: u32| {
        let add = |tar: Tar, n| tar.device(b'3', &format!("dev/{n}"), (1, n));
        (0..count).fold(Tar::new(), add).finish()
    };
    let flood = devices(1001);
    let problem = case.refuse(&flood, &flood);
    assert!(
        matches!(
            problem,
            LayerProblem::Limit {
                key: "entries",
                limit: 1000,
                ..
            }
        ),
        "{problem}"
    );
    // All layers together.
    let digest = case
        .layout()
        .manifest("amd64", vec![devices(600), devices(500)], Codec::Zstd);
    let images = case.images();
    let image = images.open(REFERENCE, &digest, "amd64").unwrap();
    let error = images.tree(&image).unwrap_err().to_string();
    assert!(
        error.contains("layer 2") && error.contains("entries"),
        "{error}"
    );
    // Parents that nobody named count as well.
    let mut case = Case::new();
    case.limits.entries = 1000;
    let add = |tar: Tar, n: u32| tar.file(&format!("{n}/a/b/c/d/e/f"), "");
    let digest = case.layout().manifest(
        "amd64",
        vec![(0..300).fold(Tar::new(), add).finish()],
        Codec::Zstd,
    );
    let images = case.images();
    let image = images.open(REFERENCE, &digest, "amd64").unwrap();
    assert!(
        images
            .tree(&image)
            .unwrap_err()
            .to_string()
            .contains("entries")
    );
    // Long names, one megabyte of them.
    let mut case = Case::new();
    case.limits.name_bytes = 1 << 20;
    let add = |tar: Tar, n: u32| {
        let path = format!("{n}/{}", "x".repeat(250));
        tar.pax(&[("path", path.as_bytes())]).file("f", "")
    };
    let names = (0..5000).fold(Tar::new(), add).finish();
    let problem = case.refuse(&names, &names);
    assert!(
        matches!(
            problem,
            LayerProblem::Limit {
                key: "name_bytes",
                ..
            }
        ),
        "{problem}"
    );
}

/// Ten million entries, made as they are read.
struct Flood {
    manifest: Vec<u8>,
    config: Vec<u8>,
}

struct Entries {
    next: u64,
    count: u64,
    block: Vec<u8>,
    at: usize,
}

impl Read for Entries {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.at == self.block.len() {
            if self.next == self.count {
                return Ok(0);
            }
            let name = format!(
                "some/directory/{:03}/file-{:07}",
                self.next % 1000,
                self.next
            );
            let header = Header {
                name: name.as_bytes(),
                ..Header::default()
            };
            self.block = header.block().to_vec();
            self.next += 1;
            self.at = 0;
        }
        let n = buffer.len().min(self.block.len() - self.at);
        buffer[..n].copy_from_slice(&self.block[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

const FLOOD: u64 = 10_000_000;

impl Remote for Flood {
    fn resolve(&self, _: &str) -> Result<Digest, SourceError> {
        Ok(Digest::of(&self.manifest))
    }

    fn manifest(&self, _: &str, _: &Digest) -> Result<(String, Vec<u8>), SourceError> {
        Ok((String::new(), self.manifest.clone()))
    }

    fn blob(&self, _: &str, digest: &Digest, _: u64) -> Result<Box<dyn Read + Send>, SourceError> {
        if *digest == Digest::of(&self.config) {
            return Ok(Box::new(std::io::Cursor::new(self.config.clone())));
        }
        Ok(Box::new(Entries {
            next: 0,
            count: FLOOD,
            block: Vec::new(),
            at: 0,
        }))
    }
}

/// Runs in a process of its own, for its peak memory.
#[test]
#[ignore = "run by ten_million_entries_stay_below_256_mib"]
fn child_flood() {
    let dir = std::env::var("NODEIMAGE_TEST_DIR").unwrap();
    let layer = Digest::of(b"never reached");
    let config =
        format!(r#"{{"architecture":"amd64","os":"linux","rootfs":{{"diff_ids":["{layer}"]}}}}"#)
            .into_bytes();
    let manifest = format!(
        r#"{{"schemaVersion":2,"config":{{"digest":"{}","size":{}}},"layers":[{{"mediaType":"{}",
            "digest":"{layer}","size":{}}}]}}"#,
        Digest::of(&config),
        config.len(),
        common::layout::LAYER,
        FLOOD * 512,
    );
    let flood = Arc::new(Flood {
        manifest: manifest.into_bytes(),
        config,
    });
    let images = Images::new(store(Path::new(&dir)), &Config::default(), Some(flood));
    let resolved = images.resolve(REFERENCE, &["amd64"]).unwrap();
    let image = images.open(REFERENCE, &resolved.digest, "amd64").unwrap();
    let error = images.tree(&image).unwrap_err().to_string();
    assert!(
        error.contains("entries") && error.contains("500000"),
        "{error}"
    );
    assert_clean(images.store());
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    println!("peak {peak} kB");
    assert!(peak < 256 << 10, "peak {peak} kB");
}

#[test]
fn ten_million_entries_stay_below_256_mib() {
    let dir = tempfile::tempdir().unwrap();
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "child_flood", "--nocapture"])
        .env("NODEIMAGE_TEST_DIR", dir.path())
        .status()
        .unwrap();
    assert!(status.success());
}
