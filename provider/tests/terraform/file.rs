//! `nodeimage_file`: written in place, and what becomes of it when others touch it.

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::json;
use tfplugin::testing::{Action, Terraform};

use crate::world::{IMAGE, World};

const FILE: &str = r#"
variable "name" { default = "disk.img" }
resource "nodeimage_file" "disk" {
  image = nodeimage_image.node
  path  = "${abspath(path.root)}/out/${var.name}"
}
"#;

fn applied() -> (World, PathBuf) {
    let world = World::reattached();
    world.lock();
    world.config(&(IMAGE.to_owned() + FILE));
    world.terraform.apply();
    let path = world.terraform.dir().join("out/disk.img");
    (world, path)
}

fn action(world: &World) -> Action {
    Terraform::planned(&world.terraform.plan("p"), "nodeimage_file.disk").0
}

fn out(world: &World) -> Vec<String> {
    let entries = fs::read_dir(world.terraform.dir().join("out")).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn rewritten_in_place_and_removed() {
    let (world, path) = applied();
    let tf = &world.terraform;
    let state = tf.resource("nodeimage_file.disk");
    let image = tf.resource("nodeimage_image.node");
    assert_eq!(state["disk_digest"], image["disk_digest"]);
    assert_eq!(state["size"], fs::metadata(&path).unwrap().len());
    assert_eq!(
        state["image"]["spec"],
        serde_json::Value::Null,
        "write-only"
    );
    assert!(
        fs::metadata(&path).unwrap().blocks() * 512 < 64 << 20,
        "sparse"
    );
    tf.assert_no_changes();

    let before = fs::metadata(&path).unwrap().ino();
    world.edit("port = 80", "port = 81");
    let plan = tf.plan("p");
    let (action, change) = Terraform::planned(&plan, "nodeimage_file.disk");
    assert_eq!(action, Action::Update);
    assert_eq!(
        change["after"]["image"]["id"],
        Terraform::planned(&plan, "nodeimage_image.node").1["after"]["id"]
    );
    assert_eq!(change["after_unknown"]["disk_digest"], true);
    tf.ok(&["apply", "p"]);
    assert_ne!(
        fs::metadata(&path).unwrap().ino(),
        before,
        "renamed into place"
    );
    assert_eq!(
        tf.resource("nodeimage_file.disk")["disk_digest"],
        tf.resource("nodeimage_image.node")["disk_digest"]
    );
    tf.assert_no_changes();
    assert_eq!(out(&world), ["disk.img"]);

    tf.destroy();
    assert!(!path.exists());
    assert_eq!(out(&world), [""; 0]);
}

#[test]
fn drift_is_mended() {
    let (world, path) = applied();
    let tf = &world.terraform;
    let digest = tf.resource("nodeimage_file.disk")["disk_digest"].clone();
    let len = fs::metadata(&path).unwrap().len();
    let open = || {
        fs::File::options()
            .read(true)
            .write(true)
            .open(&path)
            .unwrap()
    };
    let mend = |what: &str| {
        assert_eq!(action(&world), Action::Create, "{what}");
        tf.ok(&["apply", "p"]);
        assert_eq!(tf.resource("nodeimage_file.disk")["disk_digest"], digest);
        tf.assert_no_changes();
    };

    fs::remove_file(&path).unwrap();
    mend("removed");
    open().set_len(len / 2).unwrap();
    mend("cut short");
    // In the kernel or the initrd, in a gap, in the block map.
    for at in [16 << 20, len / 2, 512 << 10] {
        let mut byte = [0];
        open().read_exact_at(&mut byte, at).unwrap();
        open().write_all_at(&[byte[0] ^ 1], at).unwrap();
        mend("a flipped bit");
    }
    // The time set back: nothing a tool that copies doesn't do as well.
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    open().write_all_at(b"x", 17 << 20).unwrap();
    open().set_modified(modified).unwrap();
    mend("changed behind the time's back");
}

#[test]
fn touched_but_intact_it_stays() {
    let (world, path) = applied();
    let earlier = SystemTime::now() - Duration::from_secs(3600);
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(earlier)
        .unwrap();
    world.terraform.assert_no_changes();
    // A copy is as good.
    let copy = path.with_extension("copy");
    fs::copy(&path, &copy).unwrap();
    fs::rename(&copy, &path).unwrap();
    world.terraform.assert_no_changes();
    assert_eq!(action(&world), Action::NoOp);
}

#[test]
fn another_path_is_another_file() {
    let (world, path) = applied();
    let tf = &world.terraform;
    tf.ok(&["plan", "-out=p", "-var=name=deep/other.img"]);
    let plan = tf.show(&["p"]);
    let (action, change) = Terraform::planned(&plan, "nodeimage_file.disk");
    assert_eq!(action, Action::Replace);
    assert_eq!(change["replace_paths"], json!([["path"]]));
    tf.ok(&["apply", "p"]);
    assert!(!path.exists());
    assert!(tf.dir().join("out/deep/other.img").is_file());
    tf.ok(&["plan", "-detailed-exitcode", "-var=name=deep/other.img"]);
}

#[test]
fn created_before_the_old_one_is_destroyed() {
    let world = World::reattached();
    world.lock();
    let first = "  lifecycle { create_before_destroy = true }\n}\n";
    let file = FILE.trim_end().strip_suffix('}').unwrap();
    world.config(&(IMAGE.to_owned() + file + first));
    let tf = &world.terraform;
    tf.apply();
    tf.ok(&["apply", "-auto-approve", "-replace=nodeimage_file.disk"]);
    tf.assert_no_changes();
    assert_eq!(out(&world), ["disk.img"]);
    tf.destroy();
    assert_eq!(out(&world), [""; 0]);
}

#[test]
fn what_can_t_be_written_is_named() {
    let (world, _) = applied();
    let tf = &world.terraform;
    let error = tf.fails(&["plan", "-var=name=deep/"]);
    assert!(error.contains("path must end in a file's name"), "{error}");
    fs::create_dir(tf.dir().join("out/taken")).unwrap();
    let error = tf.fails(&["apply", "-auto-approve", "-var=name=taken"]);
    assert!(
        error.contains("taken") && error.contains("Can't write the disk"),
        "{error}"
    );
    // A create that failed leaves nothing behind, and the next one goes on.
    assert_eq!(out(&world), ["taken"]);
    tf.apply();
    tf.write("out/plain", "x");
    let error = tf.fails(&["apply", "-auto-approve", "-var=name=plain/disk.img"]);
    assert!(error.contains("Can't make the directory"), "{error}");

    let text = fs::read_to_string(tf.dir().join("main.tf")).unwrap();
    tf.write(
        "main.tf",
        text.replace("  path  =", "  format = \"qcow3\"\n  path  ="),
    );
    let error = tf.fails(&["validate"]);
    assert!(
        error.contains("format = \"qcow3\"") && error.contains("raw"),
        "{error}"
    );
}

#[test]
fn a_large_disk_is_checked_by_what_is_in_it() {
    let world = World::reattached();
    world.lock();
    let image = IMAGE.replacen("\n  lock ", "\n  disk = { size = 4194304 }\n  lock ", 1);
    world.config(&(image + FILE));
    world.terraform.apply();
    let path = world.terraform.dir().join("out/disk.img");
    assert_eq!(fs::metadata(&path).unwrap().len(), 4 << 40);
    let earlier = SystemTime::now() - Duration::from_secs(3600);
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(earlier).unwrap();
    world.terraform.assert_no_changes();
    file.write_all_at(b"x", 3 << 40).unwrap();
    assert_eq!(action(&world), Action::Create);
}

#[test]
fn a_damaged_store_is_mended() {
    let (world, path) = applied();
    let digest = world.terraform.resource("nodeimage_file.disk")["disk_digest"].clone();
    fs::remove_file(&path).unwrap();
    let mut damaged = 0;
    for bucket in ["segments-v1", "images-v1"] {
        for entry in walk(&world.store().join(bucket)) {
            let file = fs::File::options()
                .read(true)
                .write(true)
                .open(&entry)
                .unwrap();
            let middle = file.metadata().unwrap().len() / 2;
            let mut byte = [0];
            if file.read_exact_at(&mut byte, middle).is_ok() {
                file.write_all_at(&[byte[0] ^ 1], middle).unwrap();
                damaged += 1;
            }
        }
    }
    assert!(damaged >= 6, "{damaged}");
    world.terraform.apply();
    let now = world.terraform.resource("nodeimage_file.disk")["disk_digest"].clone();
    assert_eq!(now, digest);
    world.terraform.assert_no_changes();
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(walk(&path));
        } else {
            found.push(path);
        }
    }
    found
}
