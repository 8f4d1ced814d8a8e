//! The base images, made for real from Debian packages: the same twice, what
//! is in them, and a machine that boots from them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod grub;
mod initrd;
mod layout;
mod machines;

use std::path::{Path, PathBuf};

use layout::{Node, Tree, file};
use xtask::base_images::{self, BaseImages, Options};
use xtask::workspace::Workspace;

/// These tests are about packages; any static program does as init.
const INIT: &str = "#!/bin/sh\n";

fn make(out: PathBuf) -> BaseImages {
    let workspace = Workspace::find().unwrap();
    std::fs::create_dir_all(&workspace.target).unwrap();
    let init = workspace.target.join("test-init");
    // Other tests may be reading it, so it is never half there.
    if !std::fs::read_to_string(&init).is_ok_and(|text| text == INIT) {
        let aside = tempfile::NamedTempFile::new_in(&workspace.target).unwrap();
        std::fs::write(aside.path(), INIT).unwrap();
        aside.persist(&init).unwrap();
    }
    let options = Options {
        out: Some(out),
        init: Some(init),
        ..Options::default()
    };
    base_images::ensure(&workspace, &options).unwrap()
}

/// Made once for all tests.
fn shared() -> BaseImages {
    make(Workspace::find().unwrap().target.join("test-base-images"))
}

fn tree(layout: &Path, name: &str) -> Tree {
    layout::read(layout, &format!("ghcr.io/nodeimage/{name}")).0
}

#[test]
fn two_runs_give_the_same_digests() {
    let other = tempfile::tempdir().unwrap();
    let again = make(other.path().join("layout"));
    let first = shared();
    assert_eq!(first.images, again.images);
    assert_eq!(
        std::fs::read(first.layout.join("index.json")).unwrap(),
        std::fs::read(again.layout.join("index.json")).unwrap()
    );
}

#[test]
fn no_image_has_a_linked_folder_at_its_root() {
    let made = shared();
    for image in &made.images {
        let (tree, config) = layout::read(&made.layout, &image.reference);
        assert_eq!(config["os"], "linux");
        for (path, (_, node)) in &tree {
            let linked = matches!(node, Node::Link(_)) && !path.contains('/');
            assert!(!linked, "{}: {path}", image.reference);
        }
    }
}

#[test]
fn every_image_of_packages_carries_licences_and_sources() {
    let made = shared();
    for image in &made.images {
        if image.reference.contains("init") {
            continue;
        }
        let (tree, _) = layout::read(&made.layout, &image.reference);
        assert!(
            tree.keys().any(|path| path.ends_with("/copyright")),
            "{}",
            image.reference
        );
        assert!(
            tree.keys().any(|path| path.ends_with("/sources")),
            "{}",
            image.reference
        );
    }
    let boot = tree(&made.layout, "boot:1");
    file(&boot, "usr/share/common-licenses/GPL-3");
    let sources = String::from_utf8_lossy(file(&boot, "usr/share/doc/nodeimage-boot/sources"));
    assert!(sources.contains("/package/grub2/") && sources.contains("/package/systemd/"));
}

#[test]
fn the_kernel_image_has_what_linuxkit_reads() {
    let made = shared();
    let kernel = tree(&made.layout, "kernel:6.1");
    assert_eq!(&file(&kernel, "kernel")[0x202..0x206], b"HdrS");
    let modules = layout::untar(file(&kernel, "kernel.tar"));
    let release = modules.keys().nth(2).unwrap();
    for name in [
        "dep",
        "alias",
        "symbols",
        "builtin",
        "softdep",
        "dep.bin",
        "alias.bin",
    ] {
        file(&modules, &format!("{release}/modules.{name}"));
    }
    let aliases = String::from_utf8_lossy(file(&modules, &format!("{release}/modules.alias")));
    assert!(aliases.contains("virtio_net"));
}

#[test]
fn the_boot_image_has_every_part() {
    let made = shared();
    let boot = tree(&made.layout, "boot:1");
    assert_eq!(file(&boot, "grub/boot.img").len(), 512);
    assert_eq!(file(&boot, "grub/boot_hybrid.img").len(), 512);
    let core = file(&boot, "grub/core.img");
    assert!(
        core.len() < 512 << 10,
        "core.img must end before its configuration"
    );
    assert!(file(&boot, "grub/eltorito.img").len() > 2048);
    for stub in ["efi/linuxx64.efi.stub", "efi/linuxaa64.efi.stub"] {
        assert_eq!(&file(&boot, stub)[..2], b"MZ");
    }
    let named = |name| {
        made.images
            .iter()
            .find(|image| image.reference == name)
            .unwrap()
    };
    assert_eq!(
        named("builtin:boot").digest,
        named("ghcr.io/nodeimage/boot:1").digest
    );
}

#[test]
fn the_init_image_links_the_power_commands() {
    let made = shared();
    let (tree, config) = layout::read(&made.layout, "builtin:init");
    assert_eq!(file(&tree, "init"), INIT.as_bytes());
    assert_eq!(tree["sbin/poweroff"].1, Node::Link("/init".to_owned()));
    assert_eq!(config["config"]["Labels"]["io.nodeimage.init"], "1");
}
