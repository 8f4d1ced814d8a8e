//! Layers to a tree: what each kind of entry does, and in which order.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::tar::Header;
use common::{Tar, show, tree_of};
use nodeimage_images::{Kind, Tree};

fn shown(layers: Vec<Tar>) -> Vec<String> {
    show(&tree_of(layers.into_iter().map(Tar::finish).collect()).unwrap())
}

fn refused(layers: Vec<Tar>) -> String {
    let error = tree_of(layers.into_iter().map(Tar::finish).collect()).unwrap_err();
    error.to_string()
}

fn one(layer: Tar) -> Tree {
    tree_of(vec![layer.finish()]).unwrap()
}

#[test]
fn every_kind_of_entry_passes_through() {
    let layer = Tar::new()
        .dir("./")
        .dir("bin/")
        .file("./bin/sh", "#!")
        .symlink("bin/ash", "sh")
        .hardlink("bin/zsh", "./bin/sh")
        .device(b'3', "console", (5, 1))
        .device(b'4', "sda", (8, 0))
        .fifo("pipe");
    let expected = [
        " dir",
        "bin dir",
        "bin/ash -> sh",
        "bin/sh file #!",
        "bin/zsh = bin/sh",
        "console char 5:1",
        "pipe fifo",
        "sda block 8:0",
    ];
    assert_eq!(shown(vec![layer]), expected);
}

#[test]
fn metadata_passes_through() {
    let capability = b"\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let header = Header {
        name: b"ping",
        mode: 0o104_755,
        uid: 7,
        gid: 8,
        mtime: 99,
        size: 1,
        ..Header::default()
    };
    let layer = Tar::new()
        .pax(&[
            ("SCHILY.xattr.security.capability", capability),
            ("mtime", b"-1.5"),
        ])
        .raw(&header, b"x")
        .pax(&[
            ("uid", b"3000000000"),
            ("path", "ü".as_bytes()),
            ("size", b"2"),
        ])
        .raw(
            &Header {
                name: b"cut",
                ..Header::default()
            },
            b"ab",
        );
    let tree = one(layer);
    let ping = &tree[&b"ping"[..]];
    assert_eq!(
        (ping.mode, ping.uid, ping.gid, ping.mtime),
        (0o4755, 7, 8, -2)
    );
    assert_eq!(ping.xattrs[&b"security.capability"[..]], capability);
    let renamed = &tree["ü".as_bytes()];
    assert_eq!(renamed.uid, 3_000_000_000);
    assert!(matches!(&renamed.kind, Kind::File(data) if data.len() == 2));
    // A parent no layer names.
    let parent = &one(Tar::new().file("a/b", ""))[&b"a"[..]];
    assert_eq!((parent.mode, parent.uid, parent.gid), (0o755, 0, 0));
}

#[test]
fn long_names_of_both_dialects() {
    let long = format!("{}/{}", "d".repeat(200), "f".repeat(200));
    let gnu = |name: &str| format!("{name}\0").into_bytes();
    let layer = Tar::new()
        .extended(b'L', &gnu(&long))
        .file("short", "gnu")
        .extended(b'K', &gnu(&long))
        .symlink("link", "short")
        .pax(&[("path", b"pax"), ("linkpath", long.as_bytes())])
        .hardlink("short", "short");
    let tree = one(layer);
    assert!(matches!(tree[long.as_bytes()].kind, Kind::File(_)));
    assert_eq!(
        tree[&b"link"[..]].kind,
        Kind::Symlink(long.clone().into_bytes())
    );
    assert_eq!(tree[&b"pax"[..]].kind, Kind::HardLink(long.into_bytes()));
}

#[test]
fn the_last_of_duplicates_wins() {
    let layer = Tar::new()
        .file("a", "1")
        .file("b", "1")
        .file("a", "2")
        .dir("b")
        .file("b/c", "");
    assert_eq!(shown(vec![layer]), ["a file 2", "b dir", "b/c file "]);
}

#[test]
fn whiteouts_hide_lower_layers_only() {
    let lower = Tar::new()
        .dir("d")
        .file("d/x", "old")
        .file("d/y", "old")
        .file("e", "old");
    let upper = Tar::new()
        .file("d/x", "new")
        .file("d/.wh.x", "")
        .file(".wh.e", "");
    assert_eq!(
        shown(vec![lower, upper]),
        ["d dir", "d/x file new", "d/y file old"]
    );
}

#[test]
fn a_whiteout_hides_a_whole_directory() {
    let lower = Tar::new()
        .file("d/a/b", "")
        .file("d-e", "")
        .file("d0", "")
        .file("d", "");
    assert_eq!(
        shown(vec![lower, Tar::new().file(".wh.d", "")]),
        ["d-e file ", "d0 file "]
    );
    let lower = Tar::new().file("d/a/b", "").file("d-e", "").file("d0", "");
    assert_eq!(
        shown(vec![lower, Tar::new().file(".wh.d", "")]),
        ["d-e file ", "d0 file "]
    );
}

#[test]
fn opaque_directories_hide_what_is_below() {
    let lower = Tar::new()
        .dir("d")
        .file("d/old", "")
        .file("d/sub/old", "")
        .file("other", "");
    let upper = Tar::new()
        .dir("d")
        .file("d/new", "")
        .file("d/.wh..wh..opq", "");
    assert_eq!(
        shown(vec![lower.clone(), upper]),
        ["d dir", "d/new file ", "other file "]
    );
    let all = Tar::new().file(".wh..wh..opq", "").file("new", "");
    assert_eq!(shown(vec![lower, all]), ["new file "]);
}

#[test]
fn aufs_bookkeeping_is_dropped() {
    let layer = Tar::new()
        .dir(".wh..wh.plnk")
        .file(".wh..wh.aufs", "")
        .file("a", "");
    assert_eq!(shown(vec![layer]), ["a file "]);
}

#[test]
fn files_and_directories_replace_each_other() {
    let lower = Tar::new().file("a/x", "").file("b", "").symlink("c", "a");
    let upper = Tar::new().file("a", "file").dir("b").dir("c");
    assert_eq!(shown(vec![lower, upper]), ["a file file", "b dir", "c dir"]);
}

#[test]
fn a_directory_again_changes_only_its_metadata() {
    let header = Header {
        name: b"d",
        flag: b'5',
        mode: 0o700,
        uid: 5,
        ..Header::default()
    };
    let tree = tree_of(vec![
        Tar::new().dir("d").file("d/x", "").finish(),
        Tar::new().raw(&header, b"").finish(),
    ])
    .unwrap();
    assert_eq!((tree[&b"d"[..]].mode, tree[&b"d"[..]].uid), (0o700, 5));
    assert!(tree.contains_key(&b"d/x"[..]));
}

#[test]
fn hard_links_outlive_their_first_name() {
    let lower = Tar::new()
        .file("m", "data")
        .hardlink("z", "m")
        .hardlink("a", "z");
    assert_eq!(
        shown(vec![lower.clone()]),
        ["a file data", "m = a", "z = a"]
    );
    let upper = Tar::new().file(".wh.a", "").file("m", "other");
    assert_eq!(
        shown(vec![lower.clone(), upper]),
        ["m file other", "z file data"]
    );
    let linked = Tar::new().hardlink("b", "z");
    let expected = ["a file data", "b = a", "m = a", "z = a"];
    assert_eq!(shown(vec![lower, linked]), expected);
}

#[test]
fn hard_links_to_other_things() {
    let layer = Tar::new()
        .symlink("s", "t")
        .hardlink("s2", "s")
        .fifo("p")
        .hardlink("p2", "p");
    assert_eq!(
        shown(vec![layer]),
        ["p fifo", "p2 fifo", "s -> t", "s2 -> t"]
    );
    assert_eq!(
        shown(vec![Tar::new().file("a", "x").hardlink("a", "a")]),
        ["a file x"]
    );
    for bad in [
        Tar::new().hardlink("a", "b"),
        Tar::new().hardlink("a", "b").file("b", ""),
        Tar::new().dir("b").hardlink("a", "b"),
        Tar::new().hardlink("a", ""),
        Tar::new().file("d/f", "").hardlink("d", "d/f"),
    ] {
        assert!(refused(vec![bad]).contains("hard link"));
    }
    let gone = vec![
        Tar::new().file("b", ""),
        Tar::new().file(".wh.b", "").hardlink("a", "b"),
    ];
    assert!(refused(gone).contains("not there"));
}

#[test]
fn parents_that_are_links_are_followed_inside() {
    let lower = Tar::new()
        .dir("usr/lib")
        .symlink("lib", "usr/lib")
        .symlink("up", "/../../usr");
    let upper = Tar::new()
        .file("lib/a", "1")
        .file("up/b", "2")
        .hardlink("c", "lib/a");
    let expected = [
        "c file 1",
        "lib -> usr/lib",
        "up -> /../../usr",
        "usr dir",
        "usr/b file 2",
        "usr/lib dir",
        "usr/lib/a = c",
    ];
    assert_eq!(shown(vec![lower.clone(), upper]), expected);
    let hidden = Tar::new().file("lib/a", "");
    let whiteout = Tar::new().file("lib/.wh.a", "");
    let tree = shown(vec![lower.clone(), hidden, whiteout]);
    assert!(!tree.iter().any(|line| line.starts_with("usr/lib/a")));
    // The last component is the link itself.
    let file = Tar::new().file("lib", "file");
    assert!(shown(vec![lower, file]).contains(&"lib file file".to_owned()));
}

#[test]
fn a_link_to_nowhere_makes_its_target() {
    let layer = Tar::new()
        .symlink("etc", "private/etc")
        .file("etc/hosts", "h");
    let expected = [
        "etc -> private/etc",
        "private dir",
        "private/etc dir",
        "private/etc/hosts file h",
    ];
    assert_eq!(shown(vec![layer]), expected);
}

#[test]
fn loops_and_files_as_parents_are_refused() {
    let swap = Tar::new()
        .symlink("a", "b")
        .symlink("b", "a")
        .file("a/x", "");
    let error = refused(vec![swap]);
    assert!(
        error.contains("loop of symbolic links") && error.contains("\"a/x\""),
        "{error}"
    );
    let error = refused(vec![Tar::new().symlink("a", "a/b").file("a/x", "")]);
    assert!(error.contains("loop"), "{error}");
    let error = refused(vec![Tar::new().file("a", ""), Tar::new().file("a/x", "")]);
    assert!(
        error.contains("layer 2") && error.contains("not a directory"),
        "{error}"
    );
}

#[test]
fn archives_inside_a_file_become_trees() {
    let inner = Tar::new()
        .file("lib/modules/a.ko", "elf")
        .file(".wh.x", "kept")
        .finish();
    let dir = tempfile::tempdir().unwrap();
    let mut layout = common::Layout::create(dir.path().join("layout"));
    let header = Header {
        name: b"kernel.tar",
        size: inner.len() as u64,
        ..Header::default()
    };
    let layer = Tar::new()
        .file("kernel", "bz")
        .raw(&header, &inner)
        .finish();
    let digest = layout.image(common::REFERENCE, "amd64", vec![layer], common::Codec::Zstd);
    let images = common::images(dir.path());
    let tree = images
        .tree(&images.open(common::REFERENCE, &digest, "amd64").unwrap())
        .unwrap();
    let Kind::File(data) = &tree[&b"kernel.tar"[..]].kind else {
        panic!("not a file")
    };
    let inner = images.tar_tree(data, "kernel.tar").unwrap();
    let expected = [
        ".wh.x file kept",
        "lib dir",
        "lib/modules dir",
        "lib/modules/a.ko file elf",
    ];
    assert_eq!(show(&inner), expected);
    let Kind::File(kernel) = &tree[&b"kernel"[..]].kind else {
        panic!("not a file")
    };
    let error = images
        .tar_tree(kernel, "kernel.tar of k")
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("kernel.tar of k: "), "{error}");
}
