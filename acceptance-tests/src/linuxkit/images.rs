//! The images that the specs of `fixtures/linuxkit` name: small, odd, and the same bytes every
//! time. Layers are not compressed, so that no digest hangs on a compressor.

mod containers;
mod roots;

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Writes all of them as an OCI image layout, which LinuxKit takes for its cache.
///
/// # Errors
/// When a file cannot be written.
pub fn write(dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir.join("blobs/sha256"))
        .with_context(|| format!("cannot make {}", dir.display()))?;
    std::fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    let mut layout = Layout {
        dir,
        images: Vec::new(),
    };
    roots::add(&mut layout)?;
    containers::add(&mut layout)?;
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": layout.images});
    std::fs::write(dir.join("index.json"), index.to_string())?;
    Ok(())
}

/// A platform: `amd64`, or `arm64` with its variant.
type Platform = (&'static str, Option<&'static str>);

const AMD64: Platform = ("amd64", None);

struct Layout<'a> {
    dir: &'a Path,
    images: Vec<Value>,
}

impl Layout<'_> {
    /// Adds an index of one image for amd64.
    fn one(&mut self, reference: &str, config: &Value, layers: &[Vec<u8>]) -> Result<()> {
        let manifest = self.manifest(AMD64, config, layers)?;
        self.index(reference, &[manifest])
    }

    /// The descriptor of an image of one platform.
    fn manifest(&self, on: Platform, config: &Value, layers: &[Vec<u8>]) -> Result<Value> {
        let diff_ids: Vec<String> = layers.iter().map(|layer| digest(layer)).collect();
        let mut image = json!({
            "architecture": on.0,
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        let mut platform = json!({"architecture": on.0, "os": "linux"});
        if let Some(variant) = on.1 {
            image["variant"] = variant.into();
            platform["variant"] = variant.into();
        }
        let kind = "application/vnd.oci.image.config.v1+json";
        let config = self.blob(kind, image.to_string().as_bytes())?;
        let layer = |bytes: &Vec<u8>| self.blob("application/vnd.oci.image.layer.v1.tar", bytes);
        let layers: Vec<Value> = layers.iter().map(layer).collect::<Result<_>>()?;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config,
            "layers": layers,
        });
        let mut descriptor = self.blob(MANIFEST, manifest.to_string().as_bytes())?;
        descriptor["platform"] = platform;
        Ok(descriptor)
    }

    fn index(&mut self, reference: &str, manifests: &[Value]) -> Result<()> {
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
        let descriptor = self.blob(INDEX, index.to_string().as_bytes())?;
        self.name(reference, descriptor);
        Ok(())
    }

    fn name(&mut self, reference: &str, mut descriptor: Value) {
        descriptor["annotations"] = json!({"org.opencontainers.image.ref.name": reference});
        self.images.push(descriptor);
    }

    fn blob(&self, kind: &str, bytes: &[u8]) -> Result<Value> {
        let digest = digest(bytes);
        let name = digest.trim_start_matches("sha256:");
        std::fs::write(self.dir.join("blobs/sha256").join(name), bytes)?;
        Ok(json!({"mediaType": kind, "digest": digest, "size": bytes.len()}))
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
