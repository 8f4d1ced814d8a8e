//! What depends on processes: many at once, stopped ones, installed ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use acceptance_tests::cli;
use tfplugin::testing::{Action, Terraform};

use crate::world::{ADDRESS, Counter, IMAGE, UNLOCKED, World};

/// Ctrl-C, as a terminal sends it: to the whole group.
pub(crate) fn interrupt(child: &Child) {
    let status = std::process::Command::new("kill")
        .args(["-INT", "--", &format!("-{}", child.id())])
        .status()
        .unwrap();
    assert!(status.success());
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < end, "{what} doesn't come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// How often each item was fetched, from the provider's log.
fn fetched(log: &Path) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in fs::read_to_string(log).unwrap().lines() {
        let Some((_, rest)) = line.split_once(": started") else {
            continue;
        };
        let item = rest
            .split("item=")
            .nth(1)
            .unwrap_or_else(|| panic!("{line}"));
        let item = match item.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next(),
            None => item.split(' ').next(),
        };
        *counts.entry(item.unwrap().to_owned()).or_default() += 1;
    }
    counts
}

fn entries(dir: &Path) -> usize {
    fs::read_dir(dir).map_or(0, Iterator::count)
}

#[test]
fn many_resources_and_aliases_build_once() {
    let mut world = World::spawned();
    world.lock();
    let log = world.path("log");
    world.terraform.env("TF_LOG_PROVIDER", "INFO");
    world.terraform.env("TF_LOG_PATH", &log);
    let alias = world
        .provider(&world.layout(), "")
        .replace("{\n  cache_dir", "{\n  alias = \"other\"\n  cache_dir");
    world.config(
        &(alias
            + r#"
resource "nodeimage_image" "node" {
  count  = 10
  config = file("node.yml")
  lock   = file("node.lock")
}
resource "nodeimage_image" "other" {
  provider = nodeimage.other
  count    = 2
  config   = file("node.yml")
  lock     = file("node.lock")
}
resource "nodeimage_file" "node" {
  image = nodeimage_image.node[0]
  path  = "node.img"
}
resource "nodeimage_file" "other" {
  provider = nodeimage.other
  image    = nodeimage_image.other[0]
  path     = "other.img"
}
"#),
    );
    let tf = &world.terraform;
    tf.apply();
    let digest = tf.resource("nodeimage_file.node")["disk_digest"].clone();
    assert_eq!(tf.resource("nodeimage_file.other")["disk_digest"], digest);
    for at in 0..10 {
        assert_eq!(
            tf.resource(&format!("nodeimage_image.node[{at}]"))["disk_digest"],
            digest
        );
    }
    let fetched = fetched(&log);
    assert!(fetched.len() >= 6, "{fetched:?}");
    for (item, times) in &fetched {
        assert_eq!(*times, 1, "{item} was fetched more than once");
    }
    for left in ["tmp", "locks"] {
        assert_eq!(entries(&world.store().join(left)), 0, "left in {left}");
    }
    tf.assert_no_changes();
    tf.destroy();
}

#[test]
fn interrupted_while_it_builds() {
    let world = World::spawned();
    let tf = &world.terraform;
    big_image(&world);
    world.edit(
        "services:\n",
        "services:\n  - name: big\n    image: fixture.example/big:1\n    command: [\"/big\"]\n",
    );
    world.lock();
    let file = "resource \"nodeimage_file\" \"disk\" {\n  image = nodeimage_image.node\n  path = \"out/disk.img\"\n}\n";
    world.config(&(IMAGE.to_owned() + file));
    let child = tf.spawn(&["apply", "-auto-approve", "-no-color"]);
    // It writes something large.
    let tmp = world.store().join("tmp");
    wait_for("a large file", || {
        let files = fs::read_dir(&tmp).into_iter().flatten().flatten();
        files
            .filter_map(|file| file.metadata().ok())
            .any(|file| file.len() > 1 << 20)
    });
    let asked = Instant::now();
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        asked.elapsed() < Duration::from_secs(10),
        "{:?}",
        asked.elapsed()
    );
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("Interrupted"), "{said}");
    assert!(said.contains("apply again to finish"), "{said}");
    assert!(tf.ok(&["state", "list"]).stdout.is_empty());
    assert_eq!(entries(&tmp), 0, "half-written files are left");
    assert!(!tf.dir().join("out").exists());
    tf.apply();
    tf.assert_no_changes();

    // The disk itself, half-way.
    tf.destroy();
    assert_eq!(entries(&tf.dir().join("out")), 0);
    let child = tf.spawn(&["apply", "-auto-approve", "-no-color"]);
    wait_for("the disk", || entries(&tf.dir().join("out")) > 0);
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    // Either it was in time, or the disk was complete.
    let names: Vec<_> = fs::read_dir(tf.dir().join("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    if output.status.success() {
        assert_eq!(names, ["disk.img"]);
    } else {
        assert!(names.is_empty() || names == ["disk.img"], "{names:?}");
    }
    tf.apply();
    tf.assert_no_changes();
}

/// 160 MiB that don't compress, in a layer.
fn big_image(world: &World) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(160 << 20);
    while bytes.len() < 160 << 20 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    world.add_image("fixture.example/big:1", &bytes);
}

#[test]
fn interrupted_while_a_registry_is_silent() {
    let world = World::spawned();
    let counter = Counter::start();
    let provider = world.provider(&counter.mirror(), "").replace(
        &format!("builtin = \"{}\"", counter.mirror()),
        &format!("builtin = \"{}\"", world.layout()),
    );
    world.whole(&(provider + UNLOCKED));
    let child = world
        .terraform
        .spawn(&["apply", "-auto-approve", "-no-color"]);
    wait_for("a connection", || counter.seen() > 0);
    let asked = Instant::now();
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        asked.elapsed() < Duration::from_secs(10),
        "{:?}: {said}",
        asked.elapsed()
    );
    assert!(!output.status.success());
    assert!(said.contains("Interrupted"), "{said}");
    world.config(UNLOCKED);
    world.terraform.apply();
    world.terraform.assert_no_changes();
}

/// A file or a folder, as links where that is possible.
fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else if fs::hard_link(from, to).is_err() {
        fs::copy(from, to).unwrap();
    }
}

/// The example as users get it: from a mirror, boot and init images beside the binary, the others
/// named by the `nodeimage.toml` of the root module.
#[test]
fn installed_from_a_mirror() {
    let mut world = World::empty();
    let layout = cli::base_images().unwrap();
    let mirror = world.path("mirror");
    let package = mirror.join(ADDRESS).join("0.1.0/linux_amd64");
    fs::create_dir_all(&package).unwrap();
    let binary = package.join("terraform-provider-nodeimage_v0.1.0");
    copy(&cli::executable().unwrap(), &binary);
    copy(&layout, &package.join("images"));
    world.terraform.filesystem_mirror(&mirror);
    let cache = world.path("home/cache/nodeimage");
    let tf = &world.terraform;
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/local");
    for name in ["main.tf", "node.yml"] {
        tf.write(name, fs::read(examples.join(name)).unwrap());
    }
    let source = format!(
        "[sources]\n\"ghcr.io/nodeimage\" = \"oci:{}\"\n",
        layout.display()
    );
    tf.write("nodeimage.toml", source);
    tf.ok(&["init"]);
    tf.apply();
    tf.assert_no_changes();
    assert!(cache.is_dir(), "the default place of the store");
    let plan = tf.plan("p");
    assert_eq!(
        Terraform::planned(&plan, "nodeimage_file.disk").0,
        Action::NoOp
    );
    assert!(tf.dir().join("node.img").is_file());
    assert_eq!(
        tf.output("disk_digest"),
        tf.resource("nodeimage_image.node")["disk_digest"]
    );
    tf.destroy();
}
