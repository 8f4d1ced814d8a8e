//! Whole machines of stand-in images: what the pipeline does with its store.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use acceptance_tests::fixture::{self, Codec, Image, Layer, Layout};
use nodeimage_builder::locking::{self, Wanted};
use nodeimage_builder::{Builder, Settings, explain};
use nodeimage_images::Config;
use nodeimage_spec::{
    Architecture, DiskOptions, Document, Lock, LockedSpec, Outcome, lock_spec, parse,
};
use sha2::Digest as _;
use tempfile::TempDir;

struct Place {
    dir: TempDir,
    layout: Layout,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut layout = Layout::create(dir.path().join("images")).unwrap();
        fixture::machine(&mut layout, Codec::None).unwrap();
        Self { dir, layout }
    }

    fn settings(&self) -> Settings {
        let at = self.layout.dir().display();
        let text =
            format!("[sources]\n\"builtin\" = \"oci:{at}\"\n\"fixture.example\" = \"oci:{at}\"\n");
        let path = self.dir.path().join("nodeimage.toml");
        std::fs::write(&path, text).unwrap();
        let mut settings = Settings::with_store(self.dir.path().join("store"));
        settings.config = Config::load(&path).unwrap();
        settings.offline = true;
        settings.threads = NonZeroUsize::new(2).unwrap();
        settings
    }

    fn builder(&self) -> Builder {
        let stop = Arc::new(AtomicBool::new(false));
        self.settings().builder(None, &stop).unwrap()
    }

    fn store(&self, bucket: &str) -> std::path::PathBuf {
        self.dir.path().join("store").join(bucket)
    }
}

fn locked(builder: &Builder, yaml: &str) -> LockedSpec {
    let documents = [Document {
        name: "node.yml",
        text: yaml,
    }];
    let spec = parse(&documents).unwrap().spec;
    let lock = locking::lock(
        builder.images(),
        &Wanted {
            spec: &spec,
            architectures: &[Architecture::Amd64],
            keep: None,
            update: &Default::default(),
            threads: NonZeroUsize::MIN,
        },
    )
    .unwrap();
    let options = DiskOptions::default();
    let mut inline = |_: &str, _: bool| Err("no source".to_owned());
    match lock_spec(
        &spec,
        Architecture::Amd64,
        Some(&lock),
        None,
        &options,
        &mut inline,
    )
    .unwrap()
    {
        Outcome::Locked(locked) => *locked,
        Outcome::Unpinned(names) => panic!("{names:?}"),
    }
}

fn digest(builder: &Builder, locked: &LockedSpec) -> [u8; 32] {
    let machine = builder.machine(locked).unwrap();
    builder.disk(locked, &machine).unwrap().map.digest()
}

fn damage(dir: &Path) -> usize {
    let mut count = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[0] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        count += 1;
    }
    count
}

#[test]
fn damaged_parts_are_removed_and_made_anew() {
    let place = Place::new();
    let builder = place.builder();
    let locked = locked(&builder, fixture::MACHINE);
    let right = digest(&builder, &locked);
    drop(builder);
    assert!(damage(&place.store("segments-v1")) > 4);
    assert!(
        damage(&place.store("images-v1")) > 3,
        "kernel, boot parts, facts"
    );
    assert!(damage(&place.store("layers-v1")) > 4);
    let builder = place.builder();
    let machine = builder.machine(&locked).unwrap();
    assert!(builder.remove_damaged(&machine).unwrap());
    assert_eq!(digest(&builder, &locked), right);
    let machine = builder.machine(&locked).unwrap();
    assert!(!builder.remove_damaged(&machine).unwrap());
    for segment in &machine.segments {
        let blocks = nodeimage_disk::Extents::from_file(Arc::clone(&segment.file));
        let mut scratch = Vec::new();
        for (block, expected) in blocks.blocks().zip(&segment.file.block_hashes) {
            block.read(&mut scratch).unwrap();
            assert_eq!(sha2::Sha256::digest(&scratch).as_slice(), expected);
        }
    }
}

#[test]
fn a_warm_disk_needs_no_layer_and_no_source() {
    let place = Place::new();
    let builder = place.builder();
    let locked = locked(&builder, fixture::MACHINE);
    let right = digest(&builder, &locked);
    drop(builder);
    std::fs::remove_dir_all(place.store("layers-v1")).unwrap();
    std::fs::remove_dir_all(place.layout.dir()).unwrap();
    assert_eq!(digest(&place.builder(), &locked), right);
}

#[test]
fn boot_parts_are_those_of_the_lock() {
    let place = Place::new();
    let builder = place.builder();
    let mut locked = locked(&builder, fixture::MACHINE);
    let machine = builder.machine(&locked).unwrap();
    let other = nodeimage_spec::Digest::of(b"other");
    locked.boot.parts.insert("core.img".to_owned(), other);
    let error = builder.disk(&locked, &machine).unwrap_err().to_string();
    assert!(
        error.contains("`core.img`") && error.contains("not the one in the lock"),
        "{error}"
    );
    locked.boot.parts.remove("core.img");
    let error = builder.disk(&locked, &machine).unwrap_err().to_string();
    assert!(error.contains("has no `core.img`"), "{error}");
}

#[test]
fn stopping_ends_it_before_anything_is_packed() {
    let place = Place::new();
    let locked = locked(&place.builder(), fixture::MACHINE);
    let stop = Arc::new(AtomicBool::new(true));
    let builder = place.settings().builder(None, &stop).unwrap();
    let error = builder.machine(&locked).unwrap_err();
    assert!(error.is_cancelled(), "{}", explain(&error));
}

#[test]
fn a_replaced_hard_link_is_unlinked_in_front() {
    let place = Place::new();
    let builder = place.builder();
    let plain = locked(&builder, fixture::MACHINE);
    let labels = |locked: &LockedSpec| -> Vec<String> {
        let segments = builder.machine(locked).unwrap().segments;
        segments.into_iter().map(|segment| segment.label).collect()
    };
    let before = labels(&plain);
    let more = "  - path: usr/bin/runc-again\n    contents: mine\n";
    let replaced = locked(&builder, &format!("{}{more}", fixture::MACHINE));
    let mut after = labels(&replaced);
    let at = after.iter().position(|label| label == "files unlinks");
    let at = at.unwrap_or_else(|| panic!("{after:?}"));
    assert_eq!(after[at + 1], "files");
    after.remove(at);
    assert_eq!(after, before);
    assert_ne!(digest(&builder, &plain), digest(&builder, &replaced));
}

#[test]
fn failures_come_together_and_say_why() {
    let mut place = Place::new();
    for name in ["one", "two"] {
        let mut layer = Layer::new();
        layer.file("TRAILER!!!", 0o644, name.as_bytes()).unwrap();
        let image = Image {
            layers: vec![place.layout.layer(&layer.finish(), Codec::None).unwrap()],
            ..Image::default()
        };
        let reference = format!("fixture.example/{name}:1");
        place.layout.add(&reference, &image).unwrap();
    }
    let yaml = fixture::MACHINE.replace(
        "  - fixture.example/tools:1\n",
        "  - fixture.example/one:1\n  - fixture.example/two:1\n",
    );
    let builder = place.builder();
    let error = builder.machine(&locked(&builder, &yaml)).unwrap_err();
    let text = explain(&error);
    let lines: Vec<_> = text.lines().collect();
    let line = |label: &str, image: &str| {
        format!(
            "cannot pack {label} (`fixture.example/{image}:1`): the file `TRAILER!!!` cannot be in an initrd; rename it in its \
             image"
        )
    };
    assert_eq!(lines, [line("init[1]", "one"), line("init[2]", "two")]);
}

#[test]
fn a_lock_keeps_what_it_has_and_drops_what_is_gone() {
    let mut place = Place::new();
    let builder = place.builder();
    let names = |yaml: &str| {
        let documents = [Document {
            name: "node.yml",
            text: yaml,
        }];
        parse(&documents).unwrap().spec
    };
    let spec = names(fixture::MACHINE);
    let none = Default::default();
    let wanted = |keep| Wanted {
        spec: &spec,
        architectures: &[Architecture::Amd64],
        keep,
        update: &none,
        threads: NonZeroUsize::MIN,
    };
    let first = locking::lock(builder.images(), &wanted(None)).unwrap();
    assert!(first.boot.is_some() && first.init.is_some());
    assert!(locking::missing(&first, &spec, Architecture::Amd64).is_empty());
    let all = locking::missing(&Lock::default(), &spec, Architecture::Amd64);
    assert_eq!(all.len(), first.images.len() + 2);
    assert!(!locking::missing(&first, &spec, Architecture::Arm64).is_empty());

    // The tag moves: kept, and nobody is asked, unless it is to be updated.
    let mut layer = Layer::new();
    layer.file("bin/once", 0o755, b"new").unwrap();
    let mut moved = Layout::create(place.dir.path().join("moved")).unwrap();
    let image = Image {
        layers: vec![moved.layer(&layer.finish(), Codec::None).unwrap()],
        ..Image::default()
    };
    let digest = moved.add("fixture.example/once:1", &image).unwrap();
    place.layout = moved;
    let builder = place.builder();
    let kept = locking::lock(builder.images(), &wanted(Some(&first))).unwrap();
    assert_eq!(kept, first);
    let name = "fixture.example/once:1".to_owned();
    let update = [name.clone()].into();
    let updated = locking::lock(
        builder.images(),
        &Wanted {
            update: &update,
            ..wanted(Some(&first))
        },
    )
    .unwrap();
    assert_eq!(updated.images[&name].digest.to_string(), digest);
    assert_ne!(updated.images[&name], first.images[&name]);
    let everything = locking::lock(builder.images(), &wanted(None)).unwrap_err();
    assert_eq!(
        everything.failures.len(),
        first.images.len() + 1,
        "{everything}"
    );
    let less = names("init: [builtin:init]\n");
    let lock = locking::lock(
        builder.images(),
        &Wanted {
            spec: &less,
            ..wanted(Some(&first))
        },
    )
    .unwrap();
    assert!(lock.images.is_empty(), "{lock}");
    assert_eq!(lock.init, first.init);
}
