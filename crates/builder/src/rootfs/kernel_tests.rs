use super::super::testing::{Entry, Images, names, text, tree as nodes_of};
use super::*;

fn images() -> Images {
    let mut images = Images::default();
    images.add(
        "k",
        nodes_of(&[
            ("kernel", Entry::File("vmlinuz")),
            ("kernel.tar", Entry::File("TAR")),
            ("second", Entry::Hard("kernel")),
            ("link", Entry::Link("kernel")),
            ("amd.cpio", Entry::File("microcode")),
            ("gz", Entry::File("\u{1f}x")),
            ("dir", Entry::Dir(0o755)),
            ("kernel-dev.tar", Entry::File("unused")),
        ]),
    );
    images.tars.insert(
        b"TAR".to_vec(),
        nodes_of(&[
            ("lib", Entry::Dir(0o750)),
            ("lib/modules", Entry::Dir(0o755)),
            ("lib/modules/6.1/a.ko", Entry::File("module")),
        ]),
    );
    images
}

fn made(kernel: Kernel, links: &Links) -> Result<Tree, Error> {
    tree(&kernel, "k", links, &images())
}

#[test]
fn boot_and_modules_and_nothing_else() {
    let kernel = Kernel {
        cmdline: Some("console=ttyS0".into()),
        ucode: Some("amd.cpio".into()),
        ..Kernel::default()
    };
    let tree = made(kernel, &Links::default()).unwrap();
    assert_eq!(
        names(&tree),
        [
            "boot",
            "boot/cmdline",
            "boot/kernel",
            "boot/ucode.cpio",
            "lib",
            "lib/modules",
            "lib/modules/6.1/a.ko"
        ]
    );
    assert_eq!(text(&tree, "boot/cmdline"), "console=ttyS0");
    assert_eq!(text(&tree, "boot/kernel"), "vmlinuz");
    assert_eq!(text(&tree, "boot/ucode.cpio"), "microcode");
    let meta = |path: &str| {
        let node = &tree[path.as_bytes()];
        (node.mode, node.uid, node.mtime)
    };
    assert_eq!(meta("boot"), (0o755, 0, nodes::MTIME));
    assert_eq!(meta("boot/cmdline"), (0o644, 0, nodes::MTIME));
    assert_eq!(meta("boot/kernel"), (0o640, 0, nodes::MTIME));
    assert_eq!(meta("boot/ucode.cpio"), (0o640, 0, nodes::MTIME));
    assert_eq!(meta("lib"), (0o750, 5, 7));
}

#[test]
fn other_names_no_tar_and_missing_microcode() {
    for tar in ["none", ""] {
        let kernel = Kernel {
            binary: Some("second".into()),
            tar: Some(tar.into()),
            ucode: Some("nothing".into()),
            ..Kernel::default()
        };
        let tree = made(kernel, &Links::default()).unwrap();
        assert_eq!(names(&tree), ["boot", "boot/cmdline", "boot/kernel"]);
        assert_eq!(text(&tree, "boot/kernel"), "vmlinuz");
        assert_eq!(text(&tree, "boot/cmdline"), "");
    }
    let empty = Kernel {
        binary: Some(String::new()),
        ..Kernel::default()
    };
    assert!(made(empty, &Links::default()).is_ok());
}

#[test]
fn what_is_missing_is_named() {
    let fault = |binary: &str, tar: &str| {
        let kernel = Kernel {
            binary: Some(binary.into()),
            tar: Some(tar.into()),
            ..Kernel::default()
        };
        made(kernel, &Links::default()).unwrap_err().to_string()
    };
    assert_eq!(
        fault("vmlinuz", "none"),
        "k: did not find kernel in kernel image: it has no file `vmlinuz`; set kernel.binary"
    );
    assert!(fault("/kernel", "none").contains("did not find kernel in"));
    assert_eq!(
        fault("kernel", "modules.tar"),
        "k: did not find kernel tar in kernel image: it has no file `modules.tar`; set kernel.tar"
    );
    assert!(fault("link", "none").contains("`link` is no regular file"));
    assert!(fault("kernel", "dir").contains("`dir` is no regular file"));
    assert!(fault("kernel", "amd.cpio").contains("cannot read the tar `amd.cpio`"));
}

#[test]
fn a_compressed_tar_is_refused_by_name() {
    for (start, codec) in [
        (&b"\x1f\x8b\x08"[..], "gzip"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\xfd7zXZ\0", "xz"),
        (b"BZh9", "bzip2"),
    ] {
        assert_eq!(compressed(&Data::Bytes(start.into())).unwrap(), Some(codec));
    }
    for plain in [&b""[..], b"\x1f", b"lib/\0\0\0\0"] {
        assert_eq!(compressed(&Data::Bytes(plain.into())).unwrap(), None);
    }
    let mut images = images();
    let mut image = images.tree("k").unwrap();
    let gzip = nodes::file(*b"\x1f\x8b\x08");
    image.insert(b"kernel.tar".to_vec(), gzip);
    images.add("k", image);
    let error = tree(&Kernel::default(), "k", &Links::default(), &images).unwrap_err();
    assert_eq!(
        error.to_string(),
        "k: `kernel.tar` is compressed with gzip; kernel.tar must name a plain tar"
    );
}

#[test]
fn modules_go_through_an_init_images_link() {
    let mut links = Links::default();
    links.insert(b"lib".to_vec(), b"usr/lib".to_vec());
    let tree = made(Kernel::default(), &links).unwrap();
    assert_eq!(names(&tree)[3..6], ["usr", "usr/lib", "usr/lib/modules"]);
    assert!(!tree.contains_key(b"lib".as_slice()));

    links.insert(b"lib".to_vec(), b"../lib".to_vec());
    let error = made(Kernel::default(), &links).unwrap_err().to_string();
    assert!(
        error.contains("directory `lib`: it leads outside the root to `../lib`"),
        "{error}"
    );
}

#[test]
fn the_tar_wins_over_generated_entries() {
    let mut images = images();
    images.tars.insert(
        b"TAR".to_vec(),
        nodes_of(&[
            ("boot", Entry::Dir(0o700)),
            ("boot/System.map", Entry::File("map")),
        ]),
    );
    let tree = tree(&Kernel::default(), "k", &Links::default(), &images).unwrap();
    assert_eq!(
        names(&tree),
        ["boot", "boot/System.map", "boot/cmdline", "boot/kernel"]
    );
    assert_eq!(tree[b"boot".as_slice()].mode, 0o700);
}
