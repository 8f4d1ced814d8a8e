//! Pushing an OCI layout, as OCI distribution-spec 1.1 has it: blobs first, manifests after.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::http;

const REFERENCE: &str = "org.opencontainers.image.ref.name";

pub(super) fn layout(port: u16, dir: &Path) -> Result<()> {
    let index: Value = serde_json::from_slice(&std::fs::read(dir.join("index.json"))?)?;
    let mut push = Push {
        port,
        dir,
        there: BTreeSet::new(),
    };
    for manifest in list(&index, "manifests") {
        let reference = manifest["annotations"][REFERENCE]
            .as_str()
            .context("an image of the layout has no name")?;
        let (front, tag) = reference
            .rsplit_once(':')
            .with_context(|| format!("{reference} has no tag"))?;
        let repository = front.split_once('/').map_or(front, |(_, path)| path);
        push.manifest(repository, manifest, tag)
            .with_context(|| format!("cannot push {reference}"))?;
    }
    Ok(())
}

struct Push<'a> {
    port: u16,
    dir: &'a Path,
    /// Repository and digest of what has been pushed.
    there: BTreeSet<(String, String)>,
}

impl Push<'_> {
    fn read(&self, digest: &str) -> Result<Vec<u8>> {
        let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
        let path = self.dir.join("blobs/sha256").join(hex);
        std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    fn manifest(&mut self, repository: &str, descriptor: &Value, name: &str) -> Result<()> {
        let bytes = self.read(digest(descriptor)?)?;
        let manifest: Value = serde_json::from_slice(&bytes)?;
        for child in list(&manifest, "manifests") {
            self.manifest(repository, child, digest(child)?)?;
        }
        let config = manifest.get("config");
        for blob in config.into_iter().chain(list(&manifest, "layers")) {
            self.blob(repository, digest(blob)?)?;
        }
        let media_type = descriptor["mediaType"].as_str().unwrap_or_default();
        let target = format!("/v2/{repository}/manifests/{name}");
        http::send(self.port, "PUT", &target, media_type, &bytes).map(drop)
    }

    fn blob(&mut self, repository: &str, digest: &str) -> Result<()> {
        if !self
            .there
            .insert((repository.to_owned(), digest.to_owned()))
        {
            return Ok(());
        }
        let target = format!("/v2/{repository}/blobs/{digest}");
        if http::send(self.port, "HEAD", &target, "", &[])?.status == 200 {
            return Ok(());
        }
        let target = format!("/v2/{repository}/blobs/uploads/");
        let begun = http::send(self.port, "POST", &target, "", &[])?;
        let place = begun.location.context("no place to upload to")?;
        let join = if place.contains('?') { '&' } else { '?' };
        let target = format!("{place}{join}digest={digest}");
        let bytes = self.read(digest)?;
        http::send(
            self.port,
            "PUT",
            &target,
            "application/octet-stream",
            &bytes,
        )
        .map(drop)
    }
}

fn digest(descriptor: &Value) -> Result<&str> {
    descriptor["digest"]
        .as_str()
        .context("a descriptor without a digest")
}

fn list<'a>(document: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    document[name].as_array().into_iter().flatten()
}
