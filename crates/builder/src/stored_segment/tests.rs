use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use nodeimage_images::store::StoreLimits;
use nodeimage_images::{Data, Kind, Node, Tree};

use super::*;
use crate::rootfs::{BoxError, Build, Layout, Links};

struct NoTrees;

impl Trees for NoTrees {
    fn entries(&self, _: &str) -> Result<u64, BoxError> {
        Ok(1)
    }

    fn tree(&self, _: &str) -> Result<Tree, BoxError> {
        Err("no image".into())
    }
    fn tar_tree(&self, _: &Data, _: &str) -> Result<Tree, BoxError> {
        Err("no tar".into())
    }
    fn layout(&self, _: &str, _: &[String]) -> Result<Layout, BoxError> {
        Err("no layout".into())
    }
}

fn component(text: &str) -> Component {
    let node = Node {
        kind: Kind::File(Data::Bytes(text.as_bytes().into())),
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: 0,
        xattrs: BTreeMap::new(),
    };
    Component {
        label: "files".to_owned(),
        source: "linuxkit.files".to_owned(),
        inputs: Inputs::Tree([7; 32]),
        build: Build::Tree(Tree::from([(b"x".to_vec(), node)])),
    }
}

fn with<R>(stop: &Stop, run: impl FnOnce(Segments<'_>) -> R) -> R {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), StoreLimits::default()).unwrap();
    run(Segments {
        store: &store,
        codec: Codec::Zstd,
        recipe: 1,
        threads: NonZeroUsize::MIN,
        stop,
        budget: &Budget::default(),
    })
}

#[test]
fn one_is_made_once() {
    with(&Stop::default(), |make| {
        let first = make.one(&NoTrees, &component("a")).unwrap();
        // Other content under the same inputs: only to see that nothing is made.
        let second = make.one(&NoTrees, &component("b")).unwrap();
        assert_eq!(first.file, second.file);
        assert_eq!(first.facts, second.facts);
    });
}

#[test]
fn facts_that_are_another_programs_are_made_anew() {
    with(&Stop::default(), |make| {
        let first = make.one(&NoTrees, &component("a")).unwrap();
        let place = place(&first.key);
        for meta in [
            b"".as_slice(),
            b"{}",
            br#"{"memory":1,"largest":1,"new":1}"#,
        ] {
            let stored = make.store.replace(Bucket::Segments, &place, b"?", meta);
            stored.unwrap();
            let again = make.one(&NoTrees, &component("a")).unwrap();
            assert_eq!(again.file, first.file);
            assert_eq!(again.facts, first.facts);
        }
    });
}

#[test]
fn damage_is_found_and_made_good() {
    with(&Stop::default(), |make| {
        let first = make.one(&NoTrees, &component("a")).unwrap();
        let segments = [first.clone()];
        assert!(!remove_damaged(make.store, &segments).unwrap());
        let sound = std::fs::read(&first.file.path).unwrap();
        let mut damaged = sound.clone();
        damaged[5] ^= 1;
        std::fs::write(&first.file.path, damaged).unwrap();
        // Another process, which has not written it itself.
        let store = Store::open(make.store.root(), StoreLimits::default()).unwrap();
        assert!(remove_damaged(&store, &segments).unwrap());
        let again = Segments {
            store: &store,
            ..make
        };
        again.one(&NoTrees, &component("a")).unwrap();
        assert_eq!(std::fs::read(&first.file.path).unwrap(), sound);
    });
}

#[test]
fn nothing_is_made_once_stopped_and_what_stands_is_found() {
    let flag = Arc::new(AtomicBool::new(false));
    let stop = Stop::new(Arc::clone(&flag));
    with(&stop, |make| {
        make.one(&NoTrees, &component("a")).unwrap();
        flag.store(true, std::sync::atomic::Ordering::Relaxed);
        make.one(&NoTrees, &component("a")).unwrap();
        let mut other = component("b");
        other.inputs = Inputs::Tree([8; 32]);
        let error = make.all(&NoTrees, &[component("a"), other]).unwrap_err();
        assert!(error.is_cancelled(), "{error}");
    });
}

#[test]
fn a_file_that_no_cpio_holds_is_told_with_its_image_at_once() {
    with(&Stop::default(), |make| {
        let layer = tempfile::NamedTempFile::new().unwrap();
        // Sparse: nothing is written, and it must not be read either.
        let len = (4 << 30) + 512;
        layer.as_file().set_len(len).unwrap();
        let file = Arc::new(StoredFile {
            path: layer.path().to_owned(),
            len,
            block_hashes: vec![],
        });
        let mut large = component("a");
        (large.label, large.source) = ("services[1]".to_owned(), "example.org/db:1".to_owned());
        if let Build::Tree(tree) = &mut large.build {
            let mut node = tree[&b"x"[..]].clone();
            node.kind = Kind::File(Data::Stored {
                file,
                offset: 512,
                len: 4 << 30,
            });
            tree.insert(b"var/lib/db/data".to_vec(), node);
        }
        for codec in Codec::ALL {
            let make = Segments { codec, ..make };
            let error = make.one(&NoTrees, &large).unwrap_err();
            let text = crate::explain(&error);
            for part in [
                "services[1]",
                "`example.org/db:1`",
                "`var/lib/db/data`",
                "4 GiB",
            ] {
                assert!(text.contains(part), "{text}");
            }
        }
    });
}

#[test]
fn every_codec_has_segments_of_its_own() {
    with(&Stop::default(), |make| {
        let mut files = Vec::new();
        for codec in Codec::ALL {
            let make = Segments { codec, ..make };
            let segment = make.one(&NoTrees, &component("a")).unwrap();
            files.push(std::fs::read(&segment.file.path).unwrap());
        }
        let magics: [&[u8]; 5] = [
            b"\x28\xb5\x2f\xfd",
            b"\x1f\x8b\x08\0\0\0\0\0",
            b"\x02\x21\x4c\x18",
            b"\xfd7zXZ\0\0\x01",
            b"070701",
        ];
        for (file, magic) in files.iter().zip(magics) {
            assert!(file.starts_with(magic), "{magic:?}");
        }
    });
}

#[test]
fn compressors_that_take_much_memory_are_few() {
    assert_eq!(at_once(Codec::Xz).get(), 4);
    assert_eq!(at_once(Codec::Zstd).get(), 12);
}

#[test]
fn the_key_counts_what_counts() {
    let kernel = |tar: Option<&str>, binary: &str, cmdline: &str, ucode: Option<&str>| {
        let mut it = component("");
        it.inputs = Inputs::Kernel {
            manifest: "m".to_owned(),
            binary: binary.to_owned(),
            tar: tar.map(str::to_owned),
            ucode: ucode.map(str::to_owned),
            cmdline: cmdline.to_owned(),
            links: Links::default(),
        };
        it
    };
    let plain = key(&kernel(Some("t"), "kernel", "", None), Codec::Zstd, 1);
    let boot_only = kernel(Some("t"), "vmlinuz", "quiet", Some("u"));
    assert_eq!(plain, key(&boot_only, Codec::Zstd, 1));
    let mut all = std::collections::BTreeSet::from([plain]);
    for other in [
        key(&kernel(None, "kernel", "", None), Codec::Zstd, 1),
        key(&kernel(Some("u"), "kernel", "", None), Codec::Zstd, 1),
        key(&kernel(Some("t"), "kernel", "", None), Codec::Gzip, 1),
        key(&kernel(Some("t"), "kernel", "", None), Codec::Zstd, 2),
    ] {
        assert!(all.insert(other));
    }
}
