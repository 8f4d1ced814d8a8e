//! Kernel and init images.

use anyhow::Result;
use serde_json::json;
use tar::EntryType;

use super::super::layer::{Layer, Meta};
use super::{AMD64, Layout};

pub(super) fn add(layout: &mut Layout<'_>) -> Result<()> {
    let nothing = json!({});
    // Every spec of ours is locked with boot parts, though no disk is made here.
    let amd64 = ["grub/boot.img", "grub/core.img", "efi/linuxx64.efi.stub"];
    let amd64 = layout.manifest(AMD64, &nothing, &[boot(&amd64)?])?;
    let arm64 = boot(&["efi/linuxaa64.efi.stub"])?;
    let arm64 = layout.manifest(("arm64", None), &nothing, &[arm64])?;
    layout.index("builtin:boot", &[amd64, arm64])?;
    let amd64 = layout.manifest(AMD64, &nothing, &[kernel("amd64")?])?;
    let arm64 = layout.manifest(("arm64", Some("v8")), &nothing, &[kernel("arm64")?])?;
    layout.index("fixture.example/kernel:1", &[amd64, arm64])?;
    layout.one("fixture.example/kernel-deep:1", &nothing, &[kernel_deep()?])?;

    let base = [base()?, above_base()?];
    let amd64 = layout.manifest(AMD64, &nothing, &base)?;
    let mut other = Layer::new();
    other.dir("bin", 0o755)?.file("bin/arm", 0o755, b"arm64")?;
    let arm64 = layout.manifest(("arm64", Some("v8")), &nothing, &[other.finish()?])?;
    layout.index("fixture.example/base:1", &[amd64, arm64])?;
    layout.one("fixture.example/extra:1", &nothing, &[extra()?])?;
    layout.one("fixture.example/opaque:1", &nothing, &opaque()?)?;
    let mut orphan = Layer::new();
    orphan.file("no/directory/above", 0o644, b"orphan")?;
    layout.one("fixture.example/orphan:1", &nothing, &[orphan.finish()?])?;
    layout.one("fixture.example/merged-usr:1", &nothing, &[merged_usr()?])?;
    let mut tiny = Layer::new();
    tiny.file("tiny", 0o755, b"tiny")?;
    let tiny = tiny.finish()?;
    for name in ["docker.io/library/tiny:2", "docker.io/acme/tiny:1"] {
        layout.one(name, &nothing, std::slice::from_ref(&tiny))?;
    }
    let single = layout.manifest(AMD64, &nothing, &[tiny])?;
    layout.name("fixture.example/single:1", single);
    Ok(())
}

fn boot(parts: &[&str]) -> Result<Vec<u8>> {
    let mut layer = Layer::new();
    for part in parts {
        layer.file(part, 0o644, part.as_bytes())?;
    }
    layer.finish()
}

fn kernel(architecture: &str) -> Result<Vec<u8>> {
    let mut modules = Layer::new();
    let own = Meta::mode(0o644).owner(5, 6).mtime(1_600_000_000);
    modules
        .dir("lib/", 0o755)?
        .dir("lib/modules/", 0o711)?
        .entry(
            EntryType::Regular,
            "lib/modules/a.ko",
            "",
            &own,
            b"module a",
        )?
        .hardlink("lib/modules/b.ko", "lib/modules/a.ko")?
        .symlink("lib/modules/build", "/usr/src/linux")?
        .dir("etc", 0o700)?
        .file("etc/modules", 0o600, b"of the kernel\n")?
        .dir("bin", 0o700)?
        .file("bin/busybox", 0o600, b"overridden by init")?;
    let mut other = Layer::new();
    other
        .dir("./opt", 0o700)?
        .file("./opt/other", 0o640, b"other tar")?;
    let mut layer = Layer::new();
    layer
        .file(
            "kernel",
            0o640,
            format!("kernel of {architecture}").as_bytes(),
        )?
        .file("vmlinux", 0o755, b"another kernel")?
        .file("kernel.tar", 0o644, &modules.finish()?)?
        .file("other.tar", 0o644, &other.finish()?)?
        .file("intel.cpio", 0o600, &microcode())?
        .file("kernel-dev.tar", 0o644, b"left out")?
        .dir("lib", 0o755)?
        .file("lib/left-out", 0o644, b"left out")?;
    layer.finish()
}

/// A newc archive of one file.
fn microcode() -> Vec<u8> {
    let mut archive = Vec::new();
    let entries = [
        (
            "kernel/x86/microcode/GenuineIntel.bin",
            0o100_644,
            "microcode",
        ),
        ("TRAILER!!!", 0, ""),
    ];
    for (name, mode, content) in entries {
        let (size, name_size) = (content.len(), name.len() + 1);
        let fields = [0, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0];
        archive.extend_from_slice(b"070701");
        for field in fields {
            archive.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        for bytes in [name.as_bytes(), &b"\0"[..]] {
            archive.extend_from_slice(bytes);
        }
        archive.resize(archive.len().next_multiple_of(4), 0);
        archive.extend_from_slice(content.as_bytes());
        archive.resize(archive.len().next_multiple_of(4), 0);
    }
    archive
}

/// Parts below directories, and a tar with entries below `boot`.
fn kernel_deep() -> Result<Vec<u8>> {
    let mut modules = Layer::new();
    modules
        .dir("boot/", 0o700)?
        .file("boot/System.map", 0o600, b"symbols")?
        .file("boot/cmdline", 0o600, b"of the tar")?;
    let mut layer = Layer::new();
    layer
        .dir("boot", 0o755)?
        .file("boot/bzImage", 0o600, b"deep kernel")?
        .file("boot/modules.tar", 0o644, &modules.finish()?)?;
    layer.finish()
}

fn base() -> Result<Vec<u8>> {
    let deep = format!("usr/share/{}", "long".repeat(20));
    let long = format!("{deep}/{}", "name".repeat(20));
    let mut layer = Layer::new();
    layer
        .dir("./", 0o755)?
        .dir("./bin/", 0o755)?
        .file("./bin/busybox", 0o755, b"busybox of base")?
        .symlink("./bin/sh", "busybox")?
        .hardlink("./bin/ls", "bin/busybox")?
        .hardlink("./sbin-ls", "bin/busybox")?
        .file("bin/su", 0o4755, b"su")?
        .file("bin/wall", 0o2755, b"wall")?
        .dir("etc/", 0o750)?
        .file("etc/hosts", 0o600, b"10.0.0.1 mine\n")?
        .entry(
            EntryType::Regular,
            "etc/resolv.conf",
            "",
            &Meta::mode(0o600).owner(3, 4),
            b"nameserver 10.0.0.1\n",
        )?
        .file("etc/hostname", 0o644, b"mine\n")?
        .file("etc/issue", 0o644, b"base\n")?
        .file("etc/modules", 0o644, b"of base\n")?
        .file(".dockerenv", 0o644, b"")?
        .file("Dockerfile", 0o644, b"FROM scratch\n")?
        .dir("dev/", 0o700)?
        .device(EntryType::Char, "dev/console", (5, 1))?
        .device(EntryType::Char, "dev/null", (1, 3))?
        .device(EntryType::Block, "dev/sda", (8, 0))?
        .dir("dev/pts/", 0o700)?
        .device(EntryType::Char, "dev/pts/0", (136, 0))?
        .dir("dev/shm/", 0o1777)?
        .dir("proc/", 0o555)?
        .dir("sys/", 0o555)?
        .dir("run/", 0o755)?
        .fifo("run/pipe")?
        .dir("home/", 0o755)?;
    let user = Meta::mode(0o700).owner(1000, 1001).mtime(1_500_000_000);
    layer.entry(EntryType::Directory, "home/user", "", &user, b"")?;
    let large = Meta::mode(0o600).owner(3_000_000_000, 4_000_000_000);
    layer.entry(EntryType::Regular, "home/user/.large-ids", "", &large, b"x")?;
    let capable = Meta::mode(0o755).xattr("security.capability", CAP_NET_RAW);
    layer.dir("usr/", 0o755)?.dir("usr/bin/", 0o755)?.entry(
        EntryType::Regular,
        "usr/bin/ping",
        "",
        &capable,
        b"ping",
    )?;
    let commented = Meta::mode(0o755)
        .xattr("user.comment", b"a directory")
        .xattr("user.b", b"");
    layer
        .entry(EntryType::Directory, "usr/share", "", &commented, b"")?
        .dir(&deep, 0o755)?
        .file(&long, 0o644, b"long")?
        .file("usr/share/\u{fc}ber", 0o644, b"\xc3\xbc")?
        .file("usr/share/with space\\and\ttab", 0o644, b"")?
        .symlink(
            "usr/share/far",
            &format!("/{}", "very-long-target/".repeat(8)),
        )?
        .dir("gone/", 0o755)?
        .file("gone/a", 0o644, b"hidden by a whiteout")?
        .file("gone/b", 0o644, b"stays")?
        .dir("all-gone/", 0o755)?
        .file("all-gone/x", 0o644, b"hidden with its directory")?
        .file("file-then-dir", 0o644, b"a file")?
        .dir("dir-then-file/", 0o755)?
        .file("dir-then-file/x", 0o644, b"hidden by a file")?
        .dir("lib/", 0o755)?
        .dir("lib/apk/", 0o755)?
        .dir("lib/apk/db/", 0o755)?
        .file("lib/apk/db/installed", 0o644, b"P:base\nV:1\n")?;
    layer.finish()
}

/// A version 2 capability record: cap_net_raw=ep.
const CAP_NET_RAW: &[u8] = &[
    1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
];

fn above_base() -> Result<Vec<u8>> {
    let mut layer = Layer::new();
    layer
        .file("gone/.wh.a", 0o644, b"")?
        .file(".wh.all-gone", 0o644, b"")?
        .dir("file-then-dir", 0o711)?
        .file("file-then-dir/x", 0o644, b"below")?
        .file("dir-then-file", 0o644, b"a file now")?
        .file("etc/issue", 0o640, b"base, above\n")?
        .dir("run", 0o700)?;
    layer.finish()
}

fn extra() -> Result<Vec<u8>> {
    let mut layer = Layer::new();
    layer
        .dir("bin", 0o700)?
        .file("bin/busybox", 0o500, b"busybox of extra")?
        .dir("etc", 0o755)?
        .symlink("etc/mtab", "../proc/self/mounts")?
        .file("etc/extra", 0o644, b"extra\n")?
        .dir("lib", 0o755)?
        .dir("lib/apk", 0o755)?
        .dir("lib/apk/db", 0o755)?
        .file("lib/apk/db/installed", 0o600, b"P:extra\nV:2\n")?;
    layer.finish()
}

fn opaque() -> Result<[Vec<u8>; 2]> {
    let mut below = Layer::new();
    below.dir("data", 0o755)?.file("data/old", 0o644, b"old")?;
    let mut above = Layer::new();
    above
        .dir("data", 0o755)?
        .file("data/.wh..wh..opq", 0o644, b"")?
        .file("data/new", 0o644, b"new")?;
    Ok([below.finish()?, above.finish()?])
}

fn merged_usr() -> Result<Vec<u8>> {
    let mut layer = Layer::new();
    layer
        .dir("usr", 0o755)?
        .dir("usr/lib", 0o755)?
        .file("usr/lib/libc.so", 0o755, b"libc")?
        .symlink("lib", "usr/lib")?;
    layer.finish()
}
