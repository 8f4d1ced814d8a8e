use std::collections::BTreeMap;

use nodeimage_images::{Kind, Tree};
use nodeimage_spec::model::{Options, Spec};
use serde_json::{Value, json};

use super::super::testing::{Entry, Images, names, text, tree};
use super::*;

fn spec(value: Value) -> Spec {
    serde_json::from_value(value).unwrap()
}

/// kernel `k`, init `i`, containers `sysctl` (its label says read-only) and `web`.
fn images() -> Images {
    let mut images = Images::default();
    images.add(
        "k",
        tree(&[
            ("kernel", Entry::File("vmlinuz")),
            ("kernel.tar", Entry::File("TAR")),
        ]),
    );
    images.tars.insert(
        b"TAR".to_vec(),
        tree(&[
            ("lib", Entry::Dir(0o755)),
            ("lib/modules", Entry::Dir(0o755)),
        ]),
    );
    images.add(
        "i",
        tree(&[("init", Entry::File("init")), ("bin/sh", Entry::File("sh"))]),
    );
    images.add("sysctl", tree(&[("usr/bin/sysctl", Entry::File("x"))]));
    images.add("web", tree(&[("index.html", Entry::File("<html>"))]));
    let label: Options = serde_json::from_value(json!({"readonly": true})).unwrap();
    images.infos.get_mut("sysctl").unwrap().label = Some(label);
    images
}

fn smallest() -> Spec {
    spec(json!({
        "kernel": {"image": "k", "cmdline": "quiet"},
        "init": ["i"],
        "onboot": [{"name": "sysctl", "image": "sysctl"}],
        "services": [{"name": "web", "image": "web"}],
        "files": [{"path": "etc/motd", "contents": "hi", "mode": "0644"}]
    }))
}

fn labels(components: &[Component]) -> Vec<&str> {
    components
        .iter()
        .map(|component| component.label.as_str())
        .collect()
}

/// All components unpacked one over the other.
fn root(components: &[Component], images: &Images) -> Tree {
    let mut root = Tree::new();
    for component in components {
        for (path, node) in component.tree(images).unwrap() {
            super::super::edit::put(&mut root, &path, node);
        }
    }
    root
}

fn runtime(tree: &Tree, bundle: &str) -> Value {
    serde_json::from_str(&text(tree, &format!("{bundle}/runtime.json"))).unwrap()
}

#[test]
fn the_smallest_useful_spec() {
    let images = images();
    let components = plan(&smallest(), &images, false).unwrap();
    assert_eq!(
        labels(&components),
        [
            "kernel",
            "init[0]",
            "onboot[0]",
            "onboot configs",
            "services[0]",
            "services configs",
            "files"
        ]
    );
    let sources: Vec<&str> = components.iter().map(|c| c.source.as_str()).collect();
    assert_eq!(
        sources,
        [
            "k",
            "i",
            "sysctl",
            "linuxkit.bundles",
            "web",
            "linuxkit.bundles",
            "linuxkit.files"
        ]
    );
    let made: Vec<Tree> = components
        .iter()
        .map(|c| c.tree(&images).unwrap())
        .collect();
    assert_eq!(
        names(&made[0]),
        ["boot", "boot/cmdline", "boot/kernel", "lib", "lib/modules"]
    );
    assert_eq!(
        names(&made[1]),
        [
            "bin/sh",
            "dev",
            "dev/pts",
            "dev/shm",
            "etc",
            "etc/hosts",
            "etc/mtab",
            "etc/resolv.conf",
            "init",
            "proc",
            "sys"
        ]
    );
    let onboot = "containers/onboot/000-sysctl";
    assert_eq!(
        names(&made[2])[..5],
        [
            "containers".to_owned(),
            "containers/onboot".to_owned(),
            onboot.to_owned(),
            format!("{onboot}/rootfs"),
            format!("{onboot}/rootfs/dev")
        ]
    );
    assert_eq!(
        text(&made[2], &format!("{onboot}/rootfs/etc/resolv.conf")),
        "\n# no resolv.conf configured\n"
    );
    assert_eq!(
        names(&made[3]),
        [
            "containers".to_owned(),
            "containers/onboot".to_owned(),
            onboot.to_owned(),
            format!("{onboot}/config.json"),
            format!("{onboot}/runtime.json")
        ]
    );
    assert!(made[4].contains_key(&b"containers/services/web/lower/index.html"[..]));
    assert_eq!(
        names(&made[5]),
        [
            "containers",
            "containers/services",
            "containers/services/web",
            "containers/services/web/config.json",
            "containers/services/web/rootfs",
            "containers/services/web/runtime.json",
            "containers/services/web/tmp"
        ]
    );
    assert_eq!(names(&made[6]), ["etc", "etc/motd"]);
    for bundles in [&made[3], &made[5]] {
        for node in bundles.values() {
            let mode = if node.kind == Kind::Dir { 0o755 } else { 0o644 };
            assert_eq!(
                (node.mode, node.uid, node.gid, node.mtime),
                (mode, 0, 0, 1_492_533_000)
            );
        }
    }
}

#[test]
fn an_image_is_unpacked_once_for_each_reference() {
    let mut images = images();
    // The same files under another tag are not shared.
    images.add("web:2", tree(&[("index.html", Entry::File("<html>"))]));
    let same = images.infos["web"].manifest.clone();
    images.infos.get_mut("web:2").unwrap().manifest = same;
    let spec = spec(json!({
        "onboot": [
            {"name": "a", "image": "web"},
            {"name": "b", "image": "web", "readonly": true},
            {"name": "c", "image": "sysctl"}
        ],
        "onshutdown": [{"name": "a", "image": "sysctl", "readonly": false}],
        "services": [{"name": "d", "image": "web"}, {"name": "e", "image": "web:2"}]
    }));
    let components = plan(&spec, &images, false).unwrap();
    assert_eq!(
        labels(&components),
        [
            "onboot[0]",
            "onboot[2]",
            "onboot configs",
            "onshutdown configs",
            "services[1]",
            "services configs"
        ]
    );
    let root = root(&components, &images);
    let has = |path: &str| root.contains_key(path.as_bytes());
    assert!(has("containers/onboot/000-a/lower/index.html"));
    assert!(has("containers/onboot/002-c/rootfs/usr/bin/sysctl"));
    assert!(has("containers/services/e/lower/index.html"));
    assert!(!has("containers/services/d/lower") && !has("containers/onshutdown/000-a/lower"));
    // A later read-only one: only its mount point, no tmp.
    assert!(has("containers/onboot/001-b/rootfs") && !has("containers/onboot/001-b/tmp"));
    assert!(!has("containers/onboot/001-b/rootfs/index.html"));
    assert_eq!(
        runtime(&root, "containers/onboot/001-b")["mounts"][0]["source"],
        json!("/containers/onboot/000-a/lower")
    );
    assert_eq!(
        runtime(&root, "containers/services/d")["mounts"][2]["options"][0],
        json!("lowerdir=/containers/onboot/000-a/lower")
    );
    assert_eq!(
        runtime(&root, "containers/onshutdown/000-a")["mounts"][2]["options"][0],
        json!("lowerdir=/containers/onboot/002-c/rootfs")
    );
    assert_eq!(
        runtime(&root, "containers/services/e")["mounts"][2]["options"][0],
        json!("lowerdir=/containers/services/e/lower")
    );
}

#[test]
fn a_read_only_root_keeps_the_images_own_mode() {
    let mut images = images();
    let mut image = images.trees_of("sysctl");
    image.extend(tree(&[("", Entry::Dir(0o700))]));
    let info = images.infos["sysctl"].clone();
    images.add("sysctl", image);
    images.infos.insert("sysctl".into(), info);
    let spec = spec(json!({"services": [{"name": "s", "image": "sysctl"}]}));
    let root = root(&plan(&spec, &images, false).unwrap(), &images);
    assert_eq!(root[&b"containers/services/s/rootfs"[..]].mode, 0o700);
}

#[test]
fn volumes() {
    let mut images = images();
    images.infos.get_mut("web").unwrap().index = Some("sha256:index".into());
    let spec = spec(json!({
        "volumes": [
            {"name": "blank"},
            {"name": "blank-ro", "readonly": true, "format": "oci"},
            {"name": "site", "image": "web", "format": "filesystem"},
            {"name": "site-ro", "image": "web", "readonly": true},
            {"name": "layout", "image": "web", "format": "oci", "platforms": ["linux/arm64"]}
        ]
    }));
    let entries = |own_init: bool| -> Vec<(String, Vec<String>)> {
        let components = plan(&spec, &images, own_init).unwrap();
        let made = components.iter().map(|c| c.tree(&images).unwrap());
        components
            .iter()
            .map(|c| c.label.clone())
            .zip(made.map(|t| names(&t)))
            .collect()
    };
    let below = |name: &str, rest: &[&str]| -> Vec<String> {
        let base = format!("containers/volumes/{name}");
        let above = ["containers", "containers/volumes"].map(str::to_owned);
        let rest = rest.iter().map(|r| format!("{base}{r}"));
        above.into_iter().chain(rest).collect()
    };
    let linuxkit = entries(false);
    assert_eq!(linuxkit[0].0, "volume[0]");
    assert_eq!(
        linuxkit[0].1,
        below("blank", &["", "/lower", "/merged", "/tmp"])
    );
    assert_eq!(
        linuxkit[1].1,
        below("blank-ro", &["", "/lower", "/merged", "/tmp"])
    );
    let files = [
        "",
        "/lower",
        "/lower/dev",
        "/lower/dev/pts",
        "/lower/dev/shm",
        "/lower/etc",
        "/lower/etc/hosts",
        "/lower/etc/mtab",
        "/lower/etc/resolv.conf",
        "/lower/index.html",
        "/lower/proc",
        "/lower/sys",
        "/merged",
        "/tmp",
    ];
    assert_eq!(linuxkit[2].1, below("site", &files));
    assert_eq!(linuxkit[3].1, below("site-ro", &files));
    assert!(
        linuxkit[4]
            .1
            .contains(&"containers/volumes/layout/lower/oci-layout".to_owned())
    );
    assert!(
        linuxkit[4]
            .1
            .contains(&"containers/volumes/layout/tmp".to_owned())
    );

    let ours = entries(true);
    assert_eq!(ours[0].1, linuxkit[0].1);
    assert_eq!(ours[1].1, below("blank-ro", &["", "/lower", "/merged"]));
    assert_eq!(ours[2].1, linuxkit[2].1);
    assert_eq!(ours[3].1, below("site-ro", &files[..13]));

    let components = plan(&spec, &images, false).unwrap();
    let site = components[2].tree(&images).unwrap();
    assert_eq!(
        site[&b"containers/volumes/site/lower/etc/resolv.conf"[..]].kind,
        Kind::Symlink(b"/run/resolvconf/resolv.conf".to_vec())
    );
}

#[test]
fn faulty_volumes() {
    let fault = |volumes: Value| {
        plan(&spec(json!({ "volumes": volumes })), &images(), true)
            .unwrap_err()
            .to_string()
    };
    for name in ["", "V1", "a/b", "..", "é"] {
        assert!(
            fault(json!([{ "name": name }])).starts_with("invalid volume name"),
            "{name}"
        );
    }
    assert_eq!(
        fault(json!([{"name": "v"}, {"name": "v"}])),
        "duplicate volume name: v"
    );
    assert!(
        fault(json!([{"name": "v", "image": "web", "format": "x"}])).contains("unknown format `x`")
    );
    assert!(
        fault(json!([{"name": "v", "image": "web", "format": "oci"}]))
            .contains("web is a single manifest; format oci needs an image index")
    );
}

#[test]
fn package_databases_are_joined_behind_the_init_images() {
    let mut images = images();
    for name in ["a", "b"] {
        let database = if name == "a" { "P:a" } else { "P:b" };
        images.add(
            name,
            tree(&[("lib/apk/db/installed", Entry::File(database))]),
        );
    }
    let one = plan(&spec(json!({"init": ["a", "i"]})), &images, false).unwrap();
    assert_eq!(labels(&one), ["init[0]", "init[1]"]);
    let two = plan(&spec(json!({"init": ["a", "i", "b"]})), &images, false).unwrap();
    assert_eq!(labels(&two), ["init[0]", "init[1]", "init[2]", "init"]);
    assert_eq!(
        text(&root(&two, &images), "lib/apk/db/installed"),
        "P:a\n\nP:b\n\n"
    );
}

#[test]
fn real_directories_go_through_the_links_of_a_merged_image() {
    let mut images = images();
    images.add(
        "debian",
        tree(&[
            ("bin", Entry::Link("usr/bin")),
            ("lib", Entry::Link("usr/lib")),
            ("usr/bin/sh", Entry::File("dash")),
            ("usr/lib/ld.so", Entry::File("ld")),
        ]),
    );
    images.add(
        "small",
        tree(&[
            ("bin", Entry::Dir(0o755)),
            ("bin/runc", Entry::File("runc")),
        ]),
    );
    let mut spec = smallest();
    spec.init = vec!["debian".into(), "small".into(), "i".into()];
    spec.files = serde_json::from_value(json!([
        {"path": "lib/firmware/x", "contents": "fw", "mode": "0644"}
    ]))
    .unwrap();
    let components = plan(&spec, &images, false).unwrap();
    let root = root(&components, &images);
    assert_eq!(root[&b"lib"[..]].kind, Kind::Symlink(b"usr/lib".to_vec()));
    assert_eq!(root[&b"bin"[..]].kind, Kind::Symlink(b"usr/bin".to_vec()));
    for path in [
        "usr/lib/modules",
        "usr/lib/ld.so",
        "usr/bin/runc",
        "usr/bin/sh",
        "usr/lib/firmware/x",
    ] {
        assert!(root.contains_key(path.as_bytes()), "{path}");
    }
    // Nothing changes for the image that has the links.
    let alone = plan(&self::spec(json!({"init": ["debian"]})), &images, false).unwrap();
    assert_eq!(alone[0].inputs, components[1].inputs);
}

#[test]
fn a_link_that_leads_outside_is_refused_only_when_it_matters() {
    let mut images = images();
    images.add("odd", tree(&[("lib", Entry::Link("../../lib"))]));
    let alone = spec(json!({"init": ["odd"]}));
    assert!(
        plan(&alone, &images, false).unwrap()[0]
            .tree(&images)
            .is_ok()
    );
    let mut spec = smallest();
    spec.init = vec!["odd".into()];
    let components = plan(&spec, &images, false).unwrap();
    let error = components[0].tree(&images).unwrap_err().to_string();
    assert!(
        error.contains("kernel: an init image has a symbolic link"),
        "{error}"
    );
}

#[test]
fn keys_follow_what_decides_the_bytes() {
    let images = images();
    let base = plan(&smallest(), &images, false).unwrap();
    let digests = |components: &[Component]| -> BTreeMap<String, [u8; 32]> {
        components
            .iter()
            .map(|c| (c.label.clone(), c.inputs.digest()))
            .collect()
    };
    let changed = |change: &dyn Fn(&mut Spec)| -> Vec<String> {
        let mut spec = smallest();
        change(&mut spec);
        let after = digests(&plan(&spec, &images, false).unwrap());
        let before = digests(&base);
        before
            .into_iter()
            .filter(|(l, d)| after.get(l) != Some(d))
            .map(|(l, _)| l)
            .collect()
    };
    assert_eq!(changed(&|_| ()), [""; 0]);
    assert_eq!(
        changed(&|s| s.files[0].contents = Some("ho".into())),
        ["files"]
    );
    assert_eq!(
        changed(&|s| s.services[0].options.command = Some(vec!["x".into()])),
        ["services configs"]
    );
    assert_eq!(
        changed(&|s| s.services[0].name = "www".into()),
        ["services configs", "services[0]"]
    );
    assert_eq!(
        changed(&|s| s.kernel.as_mut().unwrap().cmdline = Some("x".into())),
        ["kernel"]
    );
}

#[test]
fn an_empty_spec_and_a_kernel_without_an_image_give_nothing() {
    assert!(plan(&Spec::default(), &images(), true).unwrap().is_empty());
    let spec = spec(json!({"kernel": {"cmdline": "x"}}));
    assert!(plan(&spec, &images(), true).unwrap().is_empty());
}

#[test]
fn faults_name_their_place() {
    let fault = |value: Value| plan(&spec(value), &images(), true).unwrap_err().to_string();
    assert_eq!(
        fault(json!({"services": [{"name": "a", "image": "nope"}]})),
        "nope: nothing is known of this image; resolve it first"
    );
    assert!(fault(json!({"init": ["nope"]})).starts_with("nope: cannot read this image"));
    assert_eq!(
        fault(json!({"services": [{"name": "a", "image": "web"}, {"name": "a/", "image": "web"}]})),
        "services[1] (a/): its directory /containers/services/a is another container's already; \
         give it another name"
    );
    assert_eq!(
        fault(json!({"onboot": [{"name": "../x", "image": "web"}]})),
        "onboot[0] (../x): name: `../x` cannot name a directory: it holds `..`"
    );
}

#[test]
fn independent_faults_are_told_together() {
    let spec = spec(json!({
        "kernel": {"image": "unknown"},
        "init": ["i"],
        "volumes": [{"name": "A"}, {"name": "v"}, {"name": "v"}],
        "onboot": [{"name": "a", "image": "web", "uid": "nobody"}],
        "services": [
            {"name": "b", "image": "web", "binds": ["nope:/x"]},
            {"name": "c", "image": "web"}
        ],
        "files": [{"path": "x"}, {"path": "y", "contents": "y"}, {"path": "../z", "contents": ""}]
    }));
    let text = plan(&spec, &images(), false).unwrap_err().to_string();
    let told = [
        "unknown: nothing is known",
        "invalid volume name: `A`",
        "duplicate volume name: v",
        "onboot[0] (a): uid",
        "services[0] (b): binds",
        "files[0] (x)",
        "files[2] (../z)",
    ];
    assert_eq!(text.lines().count(), told.len(), "{text}");
    for (line, told) in text.lines().zip(told) {
        assert!(line.starts_with(told), "{line}");
    }
}
