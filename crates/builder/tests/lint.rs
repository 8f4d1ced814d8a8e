//! Lints that look into images: stand-in ones in a local source, no registry.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use acceptance_tests::fixture::{self, Codec, Image, Layer, Layout};
use nodeimage_builder::lint::{Linted, look, nothing};
use nodeimage_builder::{Builder, Settings};
use nodeimage_images::Config;
use nodeimage_spec::lint::{Facts, Selection};
use nodeimage_spec::{Architecture, Document, Spec, parse};
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

    /// An image of one layer; names that end in `/` are directories, `a -> b` is a link.
    fn image(&mut self, name: &str, entries: &[&str], labels: &[(&str, &str)]) {
        let layer = layer(entries).finish();
        let image = Image {
            layers: vec![self.layout.layer(&layer, Codec::None).unwrap()],
            labels: labels
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                .collect(),
            ..Image::default()
        };
        self.layout
            .add(&format!("fixture.example/{name}:1"), &image)
            .unwrap();
    }

    /// A kernel image with these entries in its tar.
    fn kernel(&mut self, name: &str, entries: &[&str]) {
        let tar = layer(entries).finish();
        let mut kernel = Layer::new();
        kernel.file("kernel", 0o644, b"k").unwrap();
        kernel.file("kernel.tar", 0o644, &tar).unwrap();
        let image = Image {
            layers: vec![self.layout.layer(&kernel.finish(), Codec::None).unwrap()],
            ..Image::default()
        };
        self.layout
            .add(&format!("fixture.example/{name}:1"), &image)
            .unwrap();
    }

    fn builder(&self) -> Builder {
        let at = self.layout.dir().display();
        let text =
            format!("[sources]\n\"builtin\" = \"oci:{at}\"\n\"fixture.example\" = \"oci:{at}\"\n");
        let path = self.dir.path().join("nodeimage.toml");
        std::fs::write(&path, text).unwrap();
        let mut settings = Settings::with_store(self.dir.path().join("store"));
        settings.config = Config::load(&path).unwrap();
        settings.offline = true;
        settings
            .builder(None, &Arc::new(AtomicBool::new(false)))
            .unwrap()
    }

    fn look(&self, yaml: &str) -> Facts {
        self.look_for(yaml, "all")
    }

    fn look_for(&self, yaml: &str, enabled: &str) -> Facts {
        let spec = spec(yaml);
        let mut selection = Selection::default();
        selection.enable(enabled).unwrap();
        let builder = self.builder();
        look(builder.images(), &linted(&spec, &selection)).unwrap()
    }
}

fn layer(entries: &[&str]) -> Layer {
    let mut layer = Layer::new();
    for entry in entries {
        match entry.split_once(" -> ") {
            Some((name, target)) => layer.symlink(name, target),
            None if entry.ends_with('/') => layer.dir(entry),
            None => layer.file(entry, 0o755, b"x"),
        }
        .unwrap();
    }
    layer
}

fn spec(yaml: &str) -> Spec {
    let documents = [Document {
        name: "node.yml",
        text: &yaml.replace("F/", "fixture.example/"),
    }];
    parse(&documents).unwrap().spec
}

fn linted<'a>(spec: &'a Spec, selection: &'a Selection) -> Linted<'a> {
    Linted {
        spec,
        lock: None,
        architecture: Architecture::Amd64,
        selection,
    }
}

fn found(facts: &Facts) -> Vec<String> {
    let texts = facts.found.iter().map(|fault| {
        format!(
            "{} {}: {}",
            fault.id.unwrap_or_default(),
            fault.path,
            fault.message
        )
    });
    texts.collect()
}

const ONBOOT: &str = "onboot: [{name: a, image: F/once:1}]\n";
const SERVICES: &str = "services: [{name: a, image: F/once:1}]\n";

#[test]
fn a_sound_machine() {
    let place = Place::new();
    let facts = place.look(fixture::MACHINE);
    assert_eq!(facts.skipped, []);
    assert_eq!(found(&facts), [""; 0]);
    let settled: Vec<_> = facts.settled.iter().copied().collect();
    assert_eq!(settled, ["no-init", "no-runtime"]);
    let web = &facts.images["fixture.example/web:1"];
    assert_eq!(web.label.readonly, Some(true));
    assert_eq!(web.command, ["/bin/web"]);
}

#[test]
fn no_init() {
    let mut place = Place::new();
    place.image("base", &["usr/bin/runc", "init/"], &[]);
    place.image("other", &["usr/bin/runc"], &[]);
    let facts = place.look("init: [F/base:1]\n");
    assert_eq!(
        found(&facts),
        ["no-init init: no image in `init` has a file /init, so the kernel panics"]
    );
    let facts = place.look("init: [F/base:1]\nfiles: [{path: /init, contents: a, mode: '0755'}]\n");
    assert_eq!(found(&facts), [""; 0]);
    place.image("linked", &["init -> usr/bin/init"], &[]);
    assert_eq!(
        found(&place.look("init: [F/other:1, F/linked:1]\n")),
        [""; 0]
    );
}

#[test]
fn no_runtime() {
    let mut place = Place::new();
    place.image("init", &["init"], &[]);
    place.image("own", &["init"], &[("io.nodeimage.init", "1")]);
    place.image("ctrs", &["usr/bin/containerd"], &[]);
    place.image("runc", &["usr/local/bin/runc"], &[]);
    place.image("crun", &["usr/bin/crun"], &[]);
    let no = |what: &str| format!("no-runtime {what}");
    for (init, section, expected) in [
        (
            "F/init:1",
            ONBOOT,
            vec![no(
                "onboot: `onboot` has containers, and no init image has runc",
            )],
        ),
        ("F/init:1, F/runc:1", ONBOOT, vec![]),
        (
            "F/init:1, F/crun:1",
            ONBOOT,
            vec![no(
                "onboot: `onboot` has containers, and no init image has runc",
            )],
        ),
        (
            "F/init:1, F/runc:1",
            SERVICES,
            vec![no(
                "services: `services` has containers, and no init image has containerd",
            )],
        ),
        ("F/init:1, F/runc:1, F/ctrs:1", SERVICES, vec![]),
        (
            "F/own:1",
            SERVICES,
            vec![no(
                "services: `services` has containers, and the init images have neither runc nor crun",
            )],
        ),
        ("F/own:1, F/crun:1", SERVICES, vec![]),
        ("builtin:init, F/runc:1", SERVICES, vec![]),
        ("F/init:1", "", vec![]),
    ] {
        let facts = place.look(&format!("init: [{init}]\n{section}"));
        assert_eq!(found(&facts), expected, "{init} {section}");
        assert_eq!(facts.skipped, []);
    }
}

#[test]
fn usr_merge() {
    let mut place = Place::new();
    place.image("merged", &["init", "usr/lib/x", "lib -> usr/lib"], &[]);
    place.image("out", &["init", "lib -> ../lib"], &[]);
    place.image("split", &["lib/a"], &[]);
    place.kernel("modules", &["lib/", "lib/modules/", "lib/modules/m.ko"]);
    place.kernel("clashing", &["lib/x", "usr/lib/x"]);
    place.kernel("moved", &["usr/lib/modules/m.ko"]);
    let yaml =
        |kernel: &str, init: &str| format!("kernel: {{image: F/{kernel}:1}}\ninit: [{init}]\n");

    let differs = |path: &str, name: &str| {
        format!(
            "usr-merge-linuxkit {path}: `fixture.example/{name}:1` has the directory `lib`, and the \
             init image `fixture.example/merged:1` a link of that name to `usr/lib`"
        )
    };
    let facts = place.look(&yaml("modules", "F/merged:1"));
    assert_eq!(found(&facts), [differs("kernel.image", "modules")]);
    let facts = place.look(&yaml("moved", "F/merged:1, F/split:1"));
    assert_eq!(found(&facts), [differs("init[1]", "split")]);
    assert_eq!(
        found(&place.look(&yaml("modules", "F/split:1"))).len(),
        1,
        "no-init"
    );

    let facts = place.look(&yaml("clashing", "F/merged:1"));
    assert_eq!(
        found(&facts)[1],
        "usr-merge kernel.image: `fixture.example/clashing:1` has the directory `lib`, which can't \
         be put where the link of the init image `fixture.example/merged:1` leads: both have \
         `usr/lib/x` where it leads; leave one of them out"
    );
    let facts = place.look(&yaml("modules", "F/out:1"));
    assert!(
        found(&facts)[1].ends_with("leads: it leads outside the root to `../lib`"),
        "{:?}",
        found(&facts)
    );
    assert_eq!(facts.skipped, []);
}

#[test]
fn what_a_build_refuses_lints_refuse_and_no_more() {
    let mut place = Place::new();
    place.image("merged", &["init", "usr/lib/x", "lib -> usr/lib"], &[]);
    place.kernel("clashing", &["lib/x", "usr/lib/x"]);
    place.kernel("modules", &["lib/modules/m.ko"]);
    for (kernel, refused) in [("clashing", true), ("modules", false)] {
        let yaml = format!("kernel: {{image: F/{kernel}:1}}\ninit: [F/merged:1]\n");
        let facts = place.look_for(&yaml, "usr-merge");
        let ids: Vec<_> = facts.found.iter().filter_map(|fault| fault.id).collect();
        assert_eq!(ids.contains(&"usr-merge"), refused);
    }
}

#[test]
fn what_could_not_be_seen_is_said() {
    let mut place = Place::new();
    place.image("init", &["init"], &[]);
    place.image(
        "labelled",
        &["x"],
        &[("org.mobyproject.config", "{\"bindz\": []}")],
    );
    let facts = place.look(
        "kernel: {image: F/none:1}\ninit: [F/init:1, F/none:1]\nonboot:\n  - {name: a, image: F/labelled:1}\n  - {name: b, image: elsewhere.example/b:1}\n  - {name: c, image: F/none:1}\n",
    );
    assert!(facts.settled.is_empty());
    assert_eq!(found(&facts), [""; 0]);
    let skipped: Vec<_> = facts
        .skipped
        .iter()
        .map(|skipped| (skipped.subject.as_str(), skipped.reason.as_str()))
        .collect();
    assert_eq!(skipped.len(), 3, "{skipped:#?}");
    let none = &facts.skipped[2 - usize::from(skipped[2].0 == "fixture.example/labelled:1")];
    assert_eq!(none.subject, "fixture.example/none:1");
    assert_eq!(
        none.reason,
        "it is not at hand: neither the store nor a local source has it"
    );
    assert!(none.lints.contains(&"no-init") && none.lints.contains(&"root-user"));
    let about = |subject: &str| {
        let mut skipped = skipped.iter();
        skipped.find(|(name, _)| *name == subject).unwrap().1
    };
    assert!(about("fixture.example/labelled:1").contains("unknown key `bindz`"));
    assert!(about("elsewhere.example/b:1").contains("registries are not asked"));
}

#[test]
fn only_lints_that_run_are_missed() {
    let spec = spec("init: [F/none:1]\nonboot: [{name: a, image: F/none:2}]\n");
    let selection = Selection::default();
    let facts = nothing(&linted(&spec, &selection), "there is no store");
    let subjects: Vec<_> = facts
        .skipped
        .iter()
        .map(|skipped| (skipped.subject.as_str(), skipped.lints.clone()))
        .collect();
    assert_eq!(
        subjects,
        [
            (
                "fixture.example/none:2",
                vec!["all-capabilities", "ignored-user", "secret-in-env"]
            ),
            (
                "fixture.example/none:1",
                vec!["no-init", "no-runtime", "usr-merge"]
            ),
        ]
    );
}
