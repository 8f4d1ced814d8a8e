//! An OCI layout being written.

use std::io::Write;
use std::path::{Path, PathBuf};

use nodeimage_images::Digest;
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    Plain,
    Gzip,
    Zstd,
}

pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

pub struct Layout {
    pub dir: PathBuf,
    manifests: Vec<Value>,
}

impl Layout {
    pub fn create(dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        std::fs::create_dir_all(dir.join("blobs/sha256")).unwrap();
        std::fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        let this = Self {
            dir,
            manifests: Vec::new(),
        };
        this.write_index();
        this
    }

    pub fn blob(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        std::fs::write(self.blob_path(&digest), bytes).unwrap();
        digest
    }

    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.dir.join("blobs/sha256").join(digest.hex())
    }

    /// The manifest of an image; not in the index.
    pub fn manifest(&self, architecture: &str, layers: Vec<Vec<u8>>, codec: Codec) -> Digest {
        let diff_ids: Vec<Digest> = layers.iter().map(|tar| Digest::of(tar)).collect();
        let blobs: Vec<_> = layers.iter().map(|tar| compress(tar, codec)).collect();
        self.manifest_of(architecture, &diff_ids, &blobs, suffix(codec))
    }

    pub fn manifest_of(
        &self,
        architecture: &str,
        diff_ids: &[Digest],
        blobs: &[Vec<u8>],
        suffix: &str,
    ) -> Digest {
        let layers: Vec<Value> = blobs
            .iter()
            .map(|blob| {
                let digest = self.blob(blob);
                json!({"mediaType": format!("{LAYER}{suffix}"), "digest": digest, "size": blob.len()})
            })
            .collect();
        let config = json!({
            "architecture": architecture, "os": "linux",
            "config": {"Cmd": ["/bin/sh"], "Env": ["A=b"], "Entrypoint": null,
                "Labels": {"org.mobyproject.config": "{}"}},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        self.manifest_json(&config, &layers)
    }

    pub fn manifest_json(&self, config: &Value, layers: &[Value]) -> Digest {
        let config = config.to_string();
        let digest = self.blob(config.as_bytes());
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": digest, "size": config.len()},
            "layers": layers,
        });
        self.blob(manifest.to_string().as_bytes())
    }

    pub fn image(
        &mut self,
        name: &str,
        architecture: &str,
        layers: Vec<Vec<u8>>,
        codec: Codec,
    ) -> Digest {
        let digest = self.manifest(architecture, layers, codec);
        self.name(name, MANIFEST, &digest);
        digest
    }

    /// An index over descriptors; not in the layout's own.
    pub fn index(&self, manifests: &[Value]) -> Digest {
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
        self.blob(index.to_string().as_bytes())
    }

    /// Lists a blob under a name.
    pub fn name(&mut self, name: &str, media_type: &str, digest: &Digest) {
        self.annotate(
            "org.opencontainers.image.ref.name",
            name,
            media_type,
            digest,
        );
    }

    pub fn annotate(&mut self, key: &str, name: &str, media_type: &str, digest: &Digest) {
        let mut descriptor = self.descriptor(media_type, digest);
        descriptor["annotations"] = json!({key: name});
        self.manifests.push(descriptor);
        self.write_index();
    }

    pub fn descriptor(&self, media_type: &str, digest: &Digest) -> Value {
        let size = std::fs::metadata(self.blob_path(digest)).unwrap().len();
        json!({"mediaType": media_type, "digest": digest, "size": size})
    }

    fn write_index(&self) {
        let index = json!({"schemaVersion": 2, "manifests": self.manifests});
        std::fs::write(self.dir.join("index.json"), index.to_string()).unwrap();
    }
}

pub fn platform(mut descriptor: Value, os: &str, architecture: &str, variant: &str) -> Value {
    descriptor["platform"] = json!({"os": os, "architecture": architecture});
    if !variant.is_empty() {
        descriptor["platform"]["variant"] = json!(variant);
    }
    descriptor
}

pub fn suffix(codec: Codec) -> &'static str {
    match codec {
        Codec::Plain => "",
        Codec::Gzip => "+gzip",
        Codec::Zstd => "+zstd",
    }
}

pub fn compress(bytes: &[u8], codec: Codec) -> Vec<u8> {
    match codec {
        Codec::Plain => bytes.to_vec(),
        Codec::Gzip => {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Codec::Zstd => zstd::encode_all(bytes, 3).unwrap(),
    }
}

/// A tar of a directory's files, as `tar -C dir -cf - .` would make it.
pub fn archive(dir: &Path) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_dir_all(".", dir).unwrap();
    builder.into_inner().unwrap()
}
