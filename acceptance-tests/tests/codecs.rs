//! The initrd's codecs, its microcode, and what has no disk: what real kernels unpack, and what is
//! refused before it comes to that. Every codec on every firmware is in `cargo xtask matrix`.

use std::path::Path;
use std::time::Duration;

use acceptance_tests::cli::{Sandbox, example};
use acceptance_tests::codecs::{self, CODECS, FOUND, MICROCODE};
use acceptance_tests::fixture::{self, Codec, Image, Layer, Layout};
use acceptance_tests::machine::{Boot, Direct, Firmware, Machine};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

type Test = Result<()>;

const BOOT: Duration = Duration::from_secs(300);

/// One initrd of parts in every codec, each of several segments. What an earlier part left undone
/// would be told by the kernel, and its file would be missing.
#[test]
fn one_kernel_unpacks_every_codec_behind_every_other() -> Test {
    let sandbox = Sandbox::with_example()?;
    let mut initrd = Vec::new();
    for codec in CODECS {
        let part = format!(
            "init:\n  - ghcr.io/nodeimage/runc:1.1\n  - ghcr.io/nodeimage/busybox:1.35\nfiles:\n  \
             - path: etc/codecs/{codec}\n    contents: \"unpacked {codec}.\\n\"\n    mode: \"0644\"\n"
        );
        sandbox.write(&format!("{codec}.yml"), part)?;
        let build = format!("build {codec}.yml --codec {codec} --format kernel+initrd --dir out");
        sandbox.nodeimage(&build)?.success()?;
        initrd.extend(std::fs::read(
            sandbox.path(&format!("out/{codec}-initrd.img")),
        )?);
        // As on a disk, and as far from it as can be.
        let zeros = if codec == "lz4" { 0 } else { 4096 + 512 };
        initrd.resize(initrd.len() + zeros, 0);
    }
    sandbox.write("node.yml", codecs::printing(&example()?, "/etc/codecs"))?;
    let build = "build node.yml --codec lz4 --format kernel+initrd --dir out";
    sandbox.nodeimage(build)?.success()?;
    initrd.extend(std::fs::read(sandbox.path("out/node-initrd.img"))?);
    let boot = Boot {
        direct: Some(Direct {
            kernel: sandbox.path("out/node-kernel"),
            initrd: sandbox.write("all.img", initrd)?,
            append: std::fs::read_to_string(sandbox.path("out/node-cmdline"))?,
        }),
        memory_mib: 1536,
        ..Boot::default()
    };
    let machine = Machine::boot_until(&boot, FOUND, BOOT)?;
    for codec in CODECS {
        let text = format!("unpacked {codec}.");
        ensure!(machine.console_has(&text), "{text} is not on the console");
    }
    Ok(())
}

/// GRUB loads an lz4 initrd from the disk, microcode first.
#[test]
fn bios_boots_a_disk_with_lz4_and_microcode() -> Test {
    let sandbox = codecs::with_microcode()?;
    let build = "build --codec lz4 --format raw,kernel+initrd node.yml --dir out";
    sandbox.nodeimage(build)?.success()?;
    let initrd = std::fs::read(sandbox.path("out/node-initrd.img"))?;
    let microcode = codecs::microcode()?;
    ensure!(
        initrd.starts_with(&microcode),
        "the initrd does not begin with the microcode"
    );
    let boot = Boot::raw_disk(sandbox.path("out/node.img"), Firmware::SeaBios);
    let machine = Machine::boot_until(&boot, FOUND, BOOT)?;
    ensure!(
        machine.console_has(MICROCODE),
        "the kernel unpacked no microcode"
    );
    Ok(())
}

/// A sandbox with [`fixture::MACHINE`], whose kernel is a bzImage of this release.
fn with_kernel(release: &str) -> Result<Sandbox> {
    let sandbox = Sandbox::with_fixture(Codec::None)?;
    let mut layout = Layout::create(sandbox.path("images"))?;
    fixture::machine(&mut layout, Codec::None)?;
    let mut kernel = vec![0; 0x1000];
    kernel[0x202..0x206].copy_from_slice(b"HdrS");
    kernel[0x20e..0x210].copy_from_slice(&0x200_u16.to_le_bytes());
    kernel[0x400..0x400 + release.len()].copy_from_slice(release.as_bytes());
    let mut layer = Layer::new();
    layer
        .file("kernel", 0o644, &kernel)?
        .file("kernel.tar", 0o644, &Layer::new().finish())?
        .file("ucode.cpio", 0o644, &codecs::microcode()?)?
        .file("ucode.gz", 0o644, &Codec::Gzip.compress(b"070701")?)?;
    let image = Image {
        layers: vec![layout.layer(&layer.finish(), Codec::None)?],
        ..Image::default()
    };
    layout.add("fixture.example/kernel:other", &image)?;
    let yaml = fixture::MACHINE.replace("kernel:1", "kernel:other");
    sandbox.write("node.yml", yaml)?;
    Ok(sandbox)
}

fn initrd(sandbox: &Sandbox, codec: &str) -> Result<Vec<u8>> {
    let build = format!("build node.yml --codec {codec} --format kernel+initrd --dir out");
    sandbox.nodeimage(&build)?.success()?;
    std::fs::read(sandbox.path("out/node-initrd.img")).context("no initrd")
}

#[test]
fn an_old_kernel_gets_what_it_can_unpack() -> Test {
    const GZIP: &[u8] = b"\x1f\x8b";
    const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";
    let old = with_kernel("5.8.18-old ")?;
    ensure!(initrd(&old, "auto")?.starts_with(GZIP));
    ensure!(initrd(&old, "xz")?.starts_with(b"\xfd7zXZ\0"));
    ensure!(initrd(&old, "none")?.starts_with(b"070701"));
    for codec in ["zstd", "lz4"] {
        let build = format!("build node.yml --codec {codec} --format kernel+initrd --dir no");
        let refused = old.nodeimage(&build)?.failure()?;
        refused.says(&["Linux 5.8", codec, "since 5.9", "`gzip`"])?;
        ensure!(!old.path("no/node-initrd.img").exists());
    }
    let new = with_kernel("5.9.0-new ")?;
    ensure!(initrd(&new, "auto")?.starts_with(ZSTD));
    Ok(())
}

#[test]
fn the_codec_is_part_of_the_identity_and_auto_stays_auto() -> Test {
    let sandbox = Sandbox::with_fixture(Codec::None)?;
    let id = |codec: &str| -> Result<Value> {
        let build = format!("build --json node.yml --codec {codec} --format kernel+initrd");
        Ok(sandbox.nodeimage(&build)?.success()?.event("built")?["id"].clone())
    };
    let mut ids = vec![id("auto")?];
    for codec in CODECS {
        ids.push(id(codec)?);
    }
    ids.sort_by_key(Value::to_string);
    ids.dedup();
    ensure!(ids.len() == 1 + CODECS.len(), "{ids:?}");
    Ok(())
}

#[test]
fn microcode_goes_first_and_is_no_compressed_file() -> Test {
    let sandbox = with_kernel("6.1.0-new ")?;
    let yaml = std::fs::read_to_string(sandbox.path("node.yml"))?;
    let with = |ucode: &str| {
        let line = format!("kernel:\n  ucode: {ucode}\n");
        sandbox.write("node.yml", yaml.replacen("kernel:\n", &line, 1))
    };
    with("ucode.cpio")?;
    for codec in CODECS {
        ensure!(
            initrd(&sandbox, codec)?.starts_with(&codecs::microcode()?),
            "{codec}"
        );
    }
    // As linuxkit, which takes it as a wish.
    with("no-such-file")?;
    ensure!(initrd(&sandbox, "none")?.starts_with(b"070701"));
    with("ucode.gz")?;
    let build = "build node.yml --format kernel+initrd --dir no";
    let refused = sandbox.nodeimage(build)?.failure()?;
    refused.says(&[
        "`ucode.gz`",
        "fixture.example/kernel:other",
        "not an uncompressed cpio",
    ])
}

#[test]
fn riscv64_has_a_tar_and_an_initrd_but_no_disk() -> Test {
    let sandbox = Sandbox::with_fixture(Codec::None)?;
    for_architecture(&sandbox.path("images"), "riscv64")?;
    let build = "build --arch riscv64 node.yml --format tar,kernel+initrd --dir out";
    sandbox.nodeimage(build)?.success()?;
    for file in ["node.tar", "node-kernel", "node-initrd.img", "node-cmdline"] {
        ensure!(sandbox.path("out").join(file).is_file(), "{file}");
    }
    for format in ["raw", "raw,tar"] {
        let build = format!("build --arch riscv64 node.yml --format {format} --dir no");
        let refused = sandbox.nodeimage(&build)?.failure()?;
        refused.says(&["riscv64", "`tar` or `kernel+initrd`"])?;
    }
    let build = "build --arch riscv64 --firmware bios node.yml --format tar --dir no";
    let refused = sandbox.nodeimage(build)?.failure()?;
    refused.says(&["riscv64", "UEFI"])
}

/// Makes all images of a layout those of another architecture.
fn for_architecture(layout: &Path, architecture: &str) -> Test {
    let path = |digest: &Value| -> Result<_> {
        let hex = digest.as_str().and_then(|it| it.strip_prefix("sha256:"));
        Ok(layout.join("blobs/sha256").join(hex.context("no digest")?))
    };
    let read = |digest: &Value| -> Result<Value> {
        Ok(serde_json::from_slice(&std::fs::read(path(digest)?)?)?)
    };
    let put = |value: &Value| -> Result<(Value, usize)> {
        let text = value.to_string();
        let digest = json!(format!("sha256:{}", hex::encode(Sha256::digest(&text))));
        std::fs::write(path(&digest)?, &text)?;
        Ok((digest, text.len()))
    };
    let index = layout.join("index.json");
    let mut all: Value = serde_json::from_slice(&std::fs::read(&index)?)?;
    for entry in all["manifests"].as_array_mut().context("no manifests")? {
        let mut manifest = read(&entry["digest"])?;
        let mut config = read(&manifest["config"]["digest"])?;
        config["architecture"] = json!(architecture);
        let (digest, size) = put(&config)?;
        manifest["config"]["digest"] = digest;
        manifest["config"]["size"] = json!(size);
        let (digest, size) = put(&manifest)?;
        entry["digest"] = digest;
        entry["size"] = json!(size);
    }
    std::fs::write(index, all.to_string()).context("cannot write the index")
}
