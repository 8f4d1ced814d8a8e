//! Archives of `docker save`. Since Docker 25 there is an OCI layout inside, and that is read.
//! Older ones, and those of other tools, list images in `manifest.json`; their OCI manifest is
//! made here, always the same bytes for the same image, so that its digest can be pinned.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use super::archive::Archive;
use super::layout::Files;
use super::name::{Name, expand};
use super::{Remote, SourceError, SourceErrorKind};
use crate::limits::{CONFIG_BYTES, MANIFEST_BYTES};
use nodeimage_spec::Digest;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// The images of an archive, as a registry would show them.
pub(super) struct DockerArchive {
    place: String,
    prefix: String,
    archive: Archive,
    /// Expanded tags.
    tags: BTreeMap<String, Digest>,
    images: Vec<Digest>,
    manifests: BTreeMap<Digest, Vec<u8>>,
    /// Names of files in the archive.
    blobs: BTreeMap<Digest, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct SavedConfig {
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Vec<Digest>,
}

/// Field order and names are part of the digest: never change them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u32,
    media_type: &'static str,
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: Digest,
    size: u64,
}

impl DockerArchive {
    /// Reads `manifest.json`; layers are looked at only when they are compressed.
    pub(super) fn open(
        place: String,
        prefix: String,
        archive: Archive,
    ) -> Result<Self, SourceErrorKind> {
        let mut this = Self {
            place,
            prefix,
            archive,
            tags: BTreeMap::new(),
            images: Vec::new(),
            manifests: BTreeMap::new(),
            blobs: BTreeMap::new(),
        };
        if !this.archive.contains("manifest.json") {
            let why = "there is neither index.json nor manifest.json in it: it is no image archive";
            return Err(SourceErrorKind::Malformed(why.into()));
        }
        let list = this.read("manifest.json", MANIFEST_BYTES)?;
        let list: Vec<Saved> = serde_json::from_slice(&list).map_err(|error| {
            SourceErrorKind::Malformed(format!("manifest.json does not parse: {error}"))
        })?;
        for saved in list {
            this.add(saved)?;
        }
        Ok(this)
    }

    fn add(&mut self, saved: Saved) -> Result<(), SourceErrorKind> {
        let config = self.read(&saved.config, CONFIG_BYTES)?;
        let parsed: SavedConfig = serde_json::from_slice(&config).map_err(|error| {
            SourceErrorKind::Malformed(format!("{} does not parse: {error}", saved.config))
        })?;
        let names = saved.layers.unwrap_or_default();
        let diff_ids = parsed.rootfs.diff_ids;
        if names.len() != diff_ids.len() {
            let why = format!("{} and manifest.json differ in their layers", saved.config);
            return Err(SourceErrorKind::Malformed(why));
        }
        let mut layers = Vec::new();
        for (name, diff_id) in names.into_iter().zip(diff_ids) {
            layers.push(self.layer(name, diff_id)?);
        }
        let (digest, size) = (Digest::of(&config), config.len() as u64);
        self.blobs.insert(digest, saved.config);
        let config = Descriptor {
            media_type: CONFIG.into(),
            digest,
            size,
        };
        let manifest = Manifest {
            schema_version: 2,
            media_type: MANIFEST,
            config,
            layers,
        };
        let bytes = serde_json::to_vec(&manifest)
            .map_err(|error| SourceErrorKind::Malformed(error.to_string()))?;
        let digest = Digest::of(&bytes);
        self.manifests.insert(digest, bytes);
        if !self.images.contains(&digest) {
            self.images.push(digest);
        }
        for tag in saved.repo_tags.unwrap_or_default() {
            self.tags.insert(expand(&tag), digest);
        }
        Ok(())
    }

    /// A plain layer's digest is its diff_id, checked when it is read; that of a compressed one
    /// must be computed.
    fn layer(&mut self, name: String, diff_id: Digest) -> Result<Descriptor, SourceErrorKind> {
        let (mut reader, size) = self.open_file(&name)?;
        let mut magic = Vec::new();
        (&mut reader).take(4).read_to_end(&mut magic)?;
        let suffix = if magic.starts_with(&[0x1f, 0x8b]) {
            "+gzip"
        } else if magic == [0x28, 0xb5, 0x2f, 0xfd] {
            "+zstd"
        } else {
            ""
        };
        let digest = if suffix.is_empty() {
            diff_id
        } else {
            let mut hash = sha2::Sha256::new();
            hash.update(&magic);
            let mut buffer = vec![0; 256 * 1024];
            loop {
                match reader.read(&mut buffer)? {
                    0 => break,
                    n => hash.update(&buffer[..n]),
                }
            }
            Digest::new(hash.finalize().into())
        };
        self.blobs.insert(digest, name);
        Ok(Descriptor {
            media_type: format!("{LAYER}{suffix}"),
            digest,
            size,
        })
    }

    fn open_file(&self, name: &str) -> Result<(Box<dyn Read + Send>, u64), SourceErrorKind> {
        self.archive.open(name)?.ok_or_else(|| {
            SourceErrorKind::Malformed(format!("manifest.json names {name:?}, which is not there"))
        })
    }

    fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>, SourceErrorKind> {
        let (reader, len) = self.open_file(name)?;
        if len > limit {
            let why = format!("{name} is longer than {limit} bytes");
            return Err(SourceErrorKind::Malformed(why));
        }
        let mut bytes = Vec::new();
        reader.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn not_found(&self, what: String) -> SourceError {
        SourceError::new(&self.place, SourceErrorKind::NotFound(what))
    }
}

impl Remote for DockerArchive {
    /// By tag; the only image of an archive without tags stands for every tag of a repository that
    /// is mapped to it.
    fn resolve(&self, reference: &str) -> Result<Digest, SourceError> {
        let name = Name::parse(reference);
        let full = format!("{}:{}", name.repository, name.tag_or_latest());
        if let Some(digest) = self.tags.get(&full) {
            return Ok(*digest);
        }
        match self.images[..] {
            [only] if self.tags.is_empty() && name.below(&self.prefix) == Some("") => Ok(only),
            _ => Err(self.not_found(full)),
        }
    }

    fn manifest(&self, _: &str, digest: &Digest) -> Result<(String, Vec<u8>), SourceError> {
        let bytes = self.manifests.get(digest);
        let bytes = bytes.ok_or_else(|| self.not_found(digest.to_string()))?;
        Ok((MANIFEST.to_owned(), bytes.clone()))
    }

    fn blob(
        &self,
        _: &str,
        digest: &Digest,
        size: u64,
    ) -> Result<Box<dyn Read + Send>, SourceError> {
        if let Some(bytes) = self.manifests.get(digest) {
            return Ok(Box::new(Cursor::new(bytes.clone())));
        }
        let name = self
            .blobs
            .get(digest)
            .ok_or_else(|| self.not_found(digest.to_string()))?;
        let error = |kind| SourceError::new(&self.place, kind);
        let (reader, len) = self.open_file(name).map_err(error)?;
        if len != size {
            let why = format!("{name} has {len} bytes, its manifest says {size}");
            return Err(error(SourceErrorKind::Malformed(why)));
        }
        Ok(reader)
    }

    fn attached(&self, _: &str, digest: &Digest) -> Result<Vec<Vec<u8>>, SourceError> {
        let why = format!(
            "an archive of `docker save` keeps no signatures, so {digest} has none; use a \
             registry or an OCI layout (cosign save, oras, skopeo)"
        );
        Err(SourceError::new(
            &self.place,
            SourceErrorKind::Malformed(why),
        ))
    }
}
