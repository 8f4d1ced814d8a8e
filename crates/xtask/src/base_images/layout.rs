//! An OCI image layout (image-spec v1.1, image-layout.md) that is replaced in
//! place: blobs first, then `index.json`, then what nothing names any more
//! goes. Who reads it meanwhile sees the old one or the new one.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::Compression;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::architecture::Architecture;
use super::tree::Tree;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const REFERENCE: &str = "org.opencontainers.image.ref.name";

/// What a container of the image runs, and the image's labels.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Config {
    #[serde(rename = "Env", skip_serializing_if = "Vec::is_empty")]
    pub(crate) environment: Vec<String>,
    #[serde(rename = "Cmd", skip_serializing_if = "Vec::is_empty")]
    pub(crate) command: Vec<String>,
    #[serde(rename = "Labels", skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: &'static str,
    digest: String,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<Platform>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<&'static str, String>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Platform {
    architecture: &'static str,
    os: &'static str,
}

impl Platform {
    const fn linux(architecture: Architecture) -> Self {
        Self {
            architecture: architecture.name(),
            os: "linux",
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u32,
    media_type: &'static str,
    manifests: Vec<Descriptor>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u32,
    media_type: &'static str,
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Serialize)]
struct ImageConfig<'a> {
    #[serde(flatten)]
    platform: Platform,
    config: &'a Config,
    rootfs: RootFilesystem,
}

#[derive(Serialize)]
struct RootFilesystem {
    r#type: &'static str,
    diff_ids: [String; 1],
}

/// An image in the layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The full reference it can be asked for by.
    pub reference: String,
    /// The digest of its index, `sha256:…`.
    pub digest: String,
    /// The size of its layers as stored, of which there is one for each
    /// architecture, in bytes.
    pub size: u64,
}

/// A layout being written.
#[derive(Debug)]
pub(crate) struct Layout {
    folder: PathBuf,
    images: BTreeMap<String, (Descriptor, u64)>,
    blobs: BTreeSet<String>,
}

impl Layout {
    pub(crate) fn create(folder: &Path) -> Result<Self> {
        let blobs = folder.join("blobs/sha256");
        std::fs::create_dir_all(&blobs)
            .with_context(|| format!("cannot make {}", blobs.display()))?;
        Ok(Self {
            folder: folder.to_owned(),
            images: BTreeMap::new(),
            blobs: BTreeSet::new(),
        })
    }

    /// Adds an image for amd64, of one layer, under all of `references`.
    pub(crate) fn add(
        &mut self,
        references: &[String],
        tree: &Tree,
        config: &Config,
    ) -> Result<()> {
        self.add_for(references, &[(Architecture::Amd64, tree)], config)
    }

    /// Adds an image under all of `references`: for each architecture, one
    /// layer.
    pub(crate) fn add_for(
        &mut self,
        references: &[String],
        trees: &[(Architecture, impl Borrow<Tree>)],
        config: &Config,
    ) -> Result<()> {
        let mut manifests = Vec::new();
        let mut sizes = BTreeMap::new();
        for (architecture, tree) in trees {
            let platform = Platform::linux(*architecture);
            let (manifest, layer) = self.manifest(platform, tree.borrow(), config)?;
            sizes.insert(layer.digest, layer.size);
            manifests.push(manifest);
        }
        let index = self.json(
            INDEX,
            &Index {
                schema_version: 2,
                media_type: INDEX,
                manifests,
            },
        )?;
        let size = sizes.values().sum();
        for reference in references {
            let mut named = index.clone();
            named.annotations.insert(REFERENCE, reference.clone());
            self.images.insert(reference.clone(), (named, size));
        }
        Ok(())
    }

    /// Writes the image for one platform; its manifest and its layer.
    fn manifest(
        &mut self,
        platform: Platform,
        tree: &Tree,
        config: &Config,
    ) -> Result<(Descriptor, Descriptor)> {
        let tar = tree.to_tar()?;
        let diff_id = digest(&tar);
        let layer = self.blob(LAYER, &gzip(&tar)?)?;
        drop(tar);
        let config = self.json(
            CONFIG,
            &ImageConfig {
                platform,
                config,
                rootfs: RootFilesystem {
                    r#type: "layers",
                    diff_ids: [diff_id],
                },
            },
        )?;
        let mut manifest = self.json(
            MANIFEST,
            &Manifest {
                schema_version: 2,
                media_type: MANIFEST,
                config,
                layers: vec![layer.clone()],
            },
        )?;
        manifest.platform = Some(platform);
        Ok((manifest, layer))
    }

    /// Makes the new images the layout's only ones.
    pub(crate) fn finish(self) -> Result<Vec<Image>> {
        self.write("oci-layout", b"{\"imageLayoutVersion\":\"1.0.0\"}")?;
        let index = Index {
            schema_version: 2,
            media_type: INDEX,
            manifests: self
                .images
                .values()
                .map(|(index, _)| index.clone())
                .collect(),
        };
        self.write("index.json", &serde_json::to_vec(&index)?)?;
        let blobs = self.folder.join("blobs/sha256");
        let listed = std::fs::read_dir(&blobs)
            .with_context(|| format!("cannot read {}", blobs.display()))?;
        for entry in listed {
            let entry = entry.context("cannot read the layout's blobs")?;
            if !self.blobs.contains(&*entry.file_name().to_string_lossy()) {
                std::fs::remove_file(entry.path())
                    .with_context(|| format!("cannot remove {}", entry.path().display()))?;
            }
        }
        Ok(self
            .images
            .into_iter()
            .map(|(reference, (index, size))| Image {
                reference,
                digest: index.digest,
                size,
            })
            .collect())
    }

    fn json(&mut self, media_type: &'static str, value: &impl Serialize) -> Result<Descriptor> {
        self.blob(media_type, &serde_json::to_vec(value)?)
    }

    fn blob(&mut self, media_type: &'static str, bytes: &[u8]) -> Result<Descriptor> {
        let digest = digest(bytes);
        let name = digest.trim_start_matches("sha256:").to_owned();
        self.write(&format!("blobs/sha256/{name}"), bytes)?;
        self.blobs.insert(name);
        Ok(Descriptor {
            media_type,
            digest,
            size: bytes.len() as u64,
            platform: None,
            annotations: BTreeMap::new(),
        })
    }

    /// Written aside and renamed: never half there.
    fn write(&self, path: &str, bytes: &[u8]) -> Result<()> {
        let place = self.folder.join(path);
        let write = || -> std::io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            file.write_all(bytes)?;
            let everyone = std::os::unix::fs::PermissionsExt::from_mode(0o644);
            file.as_file().set_permissions(everyone)?;
            file.persist(&place)?;
            Ok(())
        };
        write().with_context(|| format!("cannot write {}", place.display()))
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// One write of the whole: the compressor's output depends on how its input
/// is cut.
fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::new(6));
    encoder
        .write_all(bytes)
        .context("cannot compress the layer")?;
    encoder.finish().context("cannot compress the layer")
}

#[cfg(test)]
mod tests {
    use super::super::tree::Node;
    use super::*;

    fn write(folder: &Path, content: &str) -> Vec<Image> {
        let mut tree = Tree::default();
        tree.add("etc/motd", Node::file(0o644, content)).unwrap();
        let mut layout = Layout::create(folder).unwrap();
        let names = ["builtin:a".to_owned(), "example.org/a:1".to_owned()];
        layout.add(&names, &tree, &Config::default()).unwrap();
        layout.finish().unwrap()
    }

    #[test]
    fn a_layout_is_replaced_whole_and_the_same_bytes_give_the_same_digests() {
        let folder = tempfile::tempdir().unwrap();
        let first = write(folder.path(), "one");
        let second = write(folder.path(), "two");
        assert_ne!(first, second);
        assert_eq!(first.len(), 2);
        assert_eq!(first[0].digest, first[1].digest);
        let blobs = std::fs::read_dir(folder.path().join("blobs/sha256"))
            .unwrap()
            .count();
        assert_eq!(blobs, 4, "layer, config, manifest, index");
        assert_eq!(write(folder.path(), "one"), first);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn every_descriptor_names_a_blob_of_its_size() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "one");
        let text = std::fs::read_to_string(folder.path().join("index.json")).unwrap();
        let index: serde_json::Value = serde_json::from_str(&text).unwrap();
        let mut pending = index["manifests"].as_array().unwrap().clone();
        let mut seen = 0;
        while let Some(descriptor) = pending.pop() {
            seen += 1;
            let name = descriptor["digest"].as_str().unwrap().replace(':', "/");
            let bytes = std::fs::read(folder.path().join("blobs").join(name)).unwrap();
            assert_eq!(descriptor["size"], bytes.len());
            assert_eq!(descriptor["digest"], digest(&bytes));
            if let Ok(inner) = serde_json::from_slice::<serde_json::Value>(&bytes) {
                for key in ["manifests", "layers"] {
                    pending.extend(inner[key].as_array().into_iter().flatten().cloned());
                }
                pending.extend(
                    inner
                        .get("config")
                        .filter(|c| c.get("digest").is_some())
                        .cloned(),
                );
            }
        }
        assert_eq!(
            seen, 8,
            "two names, each with index, manifest, config, layer"
        );
    }
}
