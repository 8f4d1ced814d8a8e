//! Reading an OCI image layout (image-spec v1.1, image-layout.md) that this
//! program wrote itself.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

/// The annotation with an image's name.
pub(crate) const REFERENCE: &str = "org.opencontainers.image.ref.name";

/// The layout's top index.
pub(crate) fn index(folder: &Path) -> Result<Value> {
    json(folder, "index.json")
}

/// The descriptor of a named image.
pub(crate) fn find<'a>(index: &'a Value, reference: &str) -> Result<&'a Value> {
    index["manifests"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|one| one["annotations"][REFERENCE] == reference)
        .ok_or_else(|| anyhow!("the layout has no image {reference}"))
}

/// Where a descriptor's blob lies in the layout.
pub(crate) fn blob_path(descriptor: &Value) -> Result<String> {
    let digest = descriptor["digest"].as_str().unwrap_or_default();
    match digest.strip_prefix("sha256:") {
        Some(hash) if hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            Ok(format!("blobs/sha256/{hash}"))
        }
        _ => bail!("{digest:?} is no digest"),
    }
}

/// Whether a descriptor is one of an index or a manifest, which name more.
pub(crate) fn is_json(descriptor: &Value) -> bool {
    descriptor["mediaType"]
        .as_str()
        .is_some_and(|kind| kind.ends_with(".index.v1+json") || kind.ends_with(".manifest.v1+json"))
}

/// The descriptors that an index or a manifest names.
pub(crate) fn children(document: &Value) -> Vec<Value> {
    let listed = ["manifests", "layers"]
        .into_iter()
        .flat_map(|key| document[key].as_array().into_iter().flatten());
    let config = document.get("config").into_iter();
    listed.chain(config).cloned().collect()
}

/// The (only) manifest of a named image of one platform.
pub(crate) fn manifest(folder: &Path, reference: &str) -> Result<Value> {
    let mut descriptor = find(&index(folder)?, reference)?.clone();
    loop {
        let document = json(folder, &blob_path(&descriptor)?)?;
        match document["manifests"].as_array().and_then(|all| all.first()) {
            Some(first) => descriptor = first.clone(),
            None => return Ok(document),
        }
    }
}

/// A JSON document of the layout.
pub(crate) fn json(folder: &Path, path: &str) -> Result<Value> {
    let path = folder.join(path);
    let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is no JSON", path.display()))
}
