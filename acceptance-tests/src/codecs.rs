//! Machines that show on their console what of an initrd the kernel has unpacked.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cli::{BASE, Sandbox, base_images, example, sources};
use crate::fixture::{Codec, Image, Layer, Layout};
use crate::tool;

/// What `--codec` takes, besides `auto`.
pub const CODECS: [&str; 5] = ["lz4", "xz", "none", "gzip", "zstd"];

/// On the console when everything else of [`printing`] is.
pub const FOUND: &str = "all that was found";

/// A file of [`microcode`], as the kernel unpacks it and [`with_microcode`] prints it.
pub const MICROCODE: &str = "no microcode, but in its place";

const KERNEL: &str = "ghcr.io/nodeimage/kernel:6.1";
const WITH_MICROCODE: &str = "fixture.example/kernel:microcode";

/// A spec that also prints the files of a directory of the initrd.
#[must_use]
pub fn printing(yaml: &str, dir: &str) -> String {
    let container = format!(
        "onboot:\n  - name: found\n    image: ghcr.io/nodeimage/busybox:1.35\n    command: \
         [\"/bin/sh\", \"-c\", \"cat {dir}/* > /dev/ttyS0; echo {FOUND} > /dev/ttyS0\"]\n    \
         binds: [\"{dir}:{dir}:ro\", \"/dev:/dev\"]\n    capabilities: [all]\n    devices:\n      \
         - {{path: all, type: c}}\n"
    );
    yaml.replacen("onboot:\n", &container, 1)
}

/// A microcode cpio, made by GNU cpio; what is in it no processor loads.
///
/// # Errors
/// When it cannot be made.
pub fn microcode() -> Result<Vec<u8>> {
    let dir = tempfile::tempdir()?;
    let folder = dir.path().join("kernel/x86/microcode");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("GenuineIntel.bin"), format!("{MICROCODE}\n"))?;
    // The same bytes every time.
    let script = "find kernel -exec touch -d @0 {} + && find kernel | LC_ALL=C sort | \
                  cpio -o -H newc -R 0:0 --reproducible --quiet > cpio";
    tool::run(dir.path(), "sh", &["-ec", script])?;
    std::fs::read(dir.path().join("cpio")).context("cpio wrote nothing")
}

/// The example with a kernel image that has [`microcode`], printing it.
///
/// # Errors
/// When there are no base images.
pub fn with_microcode() -> Result<Sandbox> {
    let sandbox = Sandbox::new()?;
    let base = base_images()?;
    let mut layout = Layout::create(sandbox.path("images"))?;
    let mut layer = Layer::new();
    layer.file("ucode.cpio", 0o644, &microcode()?)?;
    let mut layers = Vec::new();
    for tar in layers_of(&base, KERNEL)? {
        layers.push(layout.layer(&tar, Codec::None)?);
    }
    layers.push(layout.layer(&layer.finish(), Codec::None)?);
    let image = Image {
        layers,
        ..Image::default()
    };
    layout.add(WITH_MICROCODE, &image)?;
    let with = format!("{WITH_MICROCODE}\n  ucode: ucode.cpio");
    let yaml = example()?.replacen(KERNEL, &with, 1);
    sandbox.write("node.yml", printing(&yaml, "/kernel/x86/microcode"))?;
    let config = sources(&format!("oci:{}", base.display()));
    let config = format!("{config}\"fixture.example\" = \"oci:images\"\n");
    sandbox.write("nodeimage.toml", config)?;
    Ok(sandbox)
}

/// The plain layers of an image of a layout with gzip layers.
fn layers_of(layout: &Path, reference: &str) -> Result<Vec<Vec<u8>>> {
    let blob = |digest: &Value| -> Result<Vec<u8>> {
        let hex = digest.as_str().and_then(|it| it.strip_prefix("sha256:"));
        let path = layout.join("blobs/sha256").join(hex.context("no digest")?);
        std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let index: Value = serde_json::from_slice(&std::fs::read(layout.join("index.json"))?)?;
    let named = index["manifests"].as_array().into_iter().flatten();
    let mut digest = named
        .clone()
        .find(|one| one["annotations"]["org.opencontainers.image.ref.name"] == reference)
        .with_context(|| format!("no image {reference} of {BASE}"))?["digest"]
        .clone();
    let manifest = loop {
        let document: Value = serde_json::from_slice(&blob(&digest)?)?;
        match document["manifests"].get(0) {
            Some(first) => digest = first["digest"].clone(),
            None => break document,
        }
    };
    let layers = manifest["layers"].as_array().into_iter().flatten();
    layers
        .map(|layer| {
            let mut tar = Vec::new();
            let packed = blob(&layer["digest"])?;
            std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&packed[..]), &mut tar)?;
            Ok(tar)
        })
        .collect()
}
