//! Some images of an OCI image layout as a layout of their own.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::layout::{self, REFERENCE};

/// Paths in the new layout, with their content.
pub(super) fn read(folder: &Path, references: &[&str]) -> Result<BTreeMap<String, Vec<u8>>> {
    let index = layout::index(folder)?;
    let mut named = Vec::new();
    for reference in references {
        named.push(layout::find(&index, reference)?.clone());
    }
    let mut files = BTreeMap::new();
    let mut pending = named.clone();
    while let Some(descriptor) = pending.pop() {
        let (path, bytes) = checked(folder, &descriptor)?;
        if files.contains_key(&path) {
            continue;
        }
        if layout::is_json(&descriptor) {
            let document: Value =
                serde_json::from_slice(&bytes).with_context(|| format!("{path} is no JSON"))?;
            pending.extend(layout::children(&document));
        }
        files.insert(path, bytes);
    }
    named.sort_by_key(|one| one["annotations"][REFERENCE].to_string());
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": named,
    });
    files.insert("index.json".to_owned(), serde_json::to_vec(&index)?);
    let version = br#"{"imageLayoutVersion":"1.0.0"}"#;
    files.insert("oci-layout".to_owned(), version.to_vec());
    Ok(files)
}

fn checked(folder: &Path, descriptor: &Value) -> Result<(String, Vec<u8>)> {
    let path = layout::blob_path(descriptor)?;
    let bytes = std::fs::read(folder.join(&path)).with_context(|| format!("cannot read {path}"))?;
    if !path.ends_with(&hex::encode(Sha256::digest(&bytes))) {
        bail!("{path} has other content than its name says: run cargo xtask base-images anew");
    }
    Ok((path, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(folder: &Path, media_type: &str, bytes: &[u8]) -> Value {
        let name = hex::encode(Sha256::digest(bytes));
        let place = folder.join("blobs/sha256");
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join(&name), bytes).unwrap();
        json!({"mediaType": media_type, "digest": format!("sha256:{name}"), "size": bytes.len()})
    }

    fn image(folder: &Path, reference: &str, layer: &[u8]) -> Value {
        let prefix = "application/vnd.oci.image";
        let layer = blob(folder, &format!("{prefix}.layer.v1.tar+gzip"), layer);
        let config = blob(
            folder,
            &format!("{prefix}.config.v1+json"),
            format!("config of {reference}").as_bytes(),
        );
        let manifest = json!({"config": config, "layers": [layer]}).to_string();
        let mut named = blob(
            folder,
            &format!("{prefix}.manifest.v1+json"),
            manifest.as_bytes(),
        );
        named["annotations"] = json!({REFERENCE: reference});
        named
    }

    #[test]
    fn only_what_the_images_need_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let images = ["a", "b", "c"].map(|name| image(folder, name, name.as_bytes()));
        let index = json!({"manifests": images}).to_string();
        std::fs::write(folder.join("index.json"), index).unwrap();
        let files = read(folder, &["b"]).unwrap();
        assert_eq!(files.len(), 2 + 3, "layout, index; manifest, config, layer");
        let index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
        assert_eq!(index["manifests"].as_array().unwrap().len(), 1);
        assert!(read(folder, &["d"]).unwrap_err().to_string().contains("d"));

        let layer = format!("blobs/sha256/{}", hex::encode(Sha256::digest(b"b")));
        std::fs::write(folder.join(layer), "damaged").unwrap();
        assert!(read(folder, &["b"]).is_err());
        read(folder, &["a"]).unwrap();
    }
}
