//! OCI image layouts (OCI image specification, "Image Layout"), in a directory or an archive.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use serde::Deserialize;

use super::attached;
use super::name::Name;
use super::{Remote, SourceError, SourceErrorKind};
use crate::limits::MANIFEST_BYTES;
use nodeimage_spec::Digest;

const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// Docker and containerd put the whole name here and the tag alone into `ref.name`.
const CONTAINERD_NAME: &str = "io.containerd.image.name";
/// Longest `index.json`: a cache of thousands of images has one of a few MiB.
const INDEX_BYTES: u64 = 32 << 20;

/// A file of a layout, and its length.
pub(super) type Opened = (Box<dyn Read + Send>, u64);

/// Named files: a directory or an archive.
pub(super) trait Files: Send + Sync {
    /// Opens the file with this relative name; `None` when it is not there.
    fn open(&self, name: &str) -> Result<Option<Opened>, SourceErrorKind>;
}

/// A directory.
pub(super) struct Directory(pub(super) PathBuf);

impl Files for Directory {
    fn open(&self, name: &str) -> Result<Option<Opened>, SourceErrorKind> {
        let path = self.0.join(name);
        let metadata = match std::fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        // Opening a pipe would wait for its writer.
        if !metadata.is_file() {
            return Err(SourceErrorKind::Malformed(format!("{name} is not a file")));
        }
        let file = File::open(&path)?;
        Ok(Some((Box::new(file), metadata.len())))
    }
}

/// A layout that stands for the references below a prefix.
pub(super) struct Layout<F> {
    pub(super) place: String,
    pub(super) prefix: String,
    pub(super) files: F,
}

#[derive(Deserialize)]
pub(super) struct Index {
    #[serde(default)]
    pub(super) manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub(super) digest: String,
    #[serde(default)]
    pub(super) size: u64,
    #[serde(default)]
    pub(super) artifact_type: String,
    #[serde(default)]
    pub(super) annotations: Option<BTreeMap<String, String>>,
}

impl Descriptor {
    /// The names it goes by.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let annotations = self.annotations.iter();
        let names = annotations.flat_map(|a| [a.get(REF_NAME), a.get(CONTAINERD_NAME)]);
        names.flatten().map(String::as_str)
    }
}

impl<F: Files> Layout<F> {
    fn error(&self, kind: impl Into<SourceErrorKind>) -> SourceError {
        SourceError::new(&self.place, kind)
    }

    fn index(&self) -> Result<Index, SourceError> {
        let opened = self
            .files
            .open("index.json")
            .map_err(|kind| self.error(kind))?;
        let Some((reader, len)) = opened else {
            let why = "there is no index.json in it: it is not an OCI image layout";
            return Err(self.error(SourceErrorKind::Malformed(why.into())));
        };
        let bytes = self.bounded(reader, len, INDEX_BYTES, "index.json")?;
        serde_json::from_slice(&bytes).map_err(|error| {
            self.error(SourceErrorKind::Malformed(format!(
                "index.json does not parse: {error}"
            )))
        })
    }

    fn bounded(
        &self,
        reader: Box<dyn Read + Send>,
        len: u64,
        limit: u64,
        what: &str,
    ) -> Result<Vec<u8>, SourceError> {
        let mut bytes = Vec::new();
        if len <= limit {
            reader
                .take(limit + 1)
                .read_to_end(&mut bytes)
                .map_err(|error| self.error(error))?;
        }
        if len > limit || bytes.len() as u64 > limit {
            let why = format!("{what} is longer than {limit} bytes");
            return Err(self.error(SourceErrorKind::Malformed(why)));
        }
        Ok(bytes)
    }

    fn open(&self, digest: &Digest) -> Result<Opened, SourceError> {
        let name = format!("blobs/sha256/{}", digest.hex());
        let opened = self.files.open(&name).map_err(|kind| self.error(kind))?;
        opened.ok_or_else(|| self.error(SourceErrorKind::NotFound(digest.to_string())))
    }
}

impl<F: Files> Remote for Layout<F> {
    /// By the full reference, else by what follows the prefix, else by the tag alone when the
    /// prefix is the whole repository: a bare tag says nothing about which image it belongs to.
    fn resolve(&self, reference: &str) -> Result<Digest, SourceError> {
        let name = Name::parse(reference);
        let tag = name.tag_or_latest();
        let full = format!("{}:{tag}", name.repository);
        let mut wanted = vec![full];
        match name.below(&self.prefix) {
            Some("") => wanted.push(tag.to_owned()),
            Some(rest) => wanted.push(format!("{rest}:{tag}")),
            None => {}
        }
        let index = self.index()?;
        for wanted in &wanted {
            let fits = |descriptor: &&Descriptor| descriptor.names().any(|name| name == wanted);
            let mut found: Vec<&str> = index
                .manifests
                .iter()
                .filter(fits)
                .map(|d| d.digest.as_str())
                .collect();
            found.sort_unstable();
            found.dedup();
            match found[..] {
                [] => {}
                [digest] => {
                    return digest
                        .parse()
                        .map_err(|error: nodeimage_spec::ReferenceError| {
                            self.error(SourceErrorKind::Malformed(format!("index.json: {error}")))
                        });
                }
                _ => return Err(self.error(SourceErrorKind::Ambiguous(wanted.clone()))),
            }
        }
        Err(self.error(SourceErrorKind::NotFound(wanted.swap_remove(0))))
    }

    fn manifest(&self, _: &str, digest: &Digest) -> Result<(String, Vec<u8>), SourceError> {
        let (reader, len) = self.open(digest)?;
        let what = digest.to_string();
        Ok((
            String::new(),
            self.bounded(reader, len, MANIFEST_BYTES, &what)?,
        ))
    }

    fn blob(
        &self,
        _: &str,
        digest: &Digest,
        size: u64,
    ) -> Result<Box<dyn Read + Send>, SourceError> {
        let (reader, len) = self.open(digest)?;
        if len != size {
            let why = format!("{digest} has {len} bytes, its manifest says {size}");
            return Err(self.error(SourceErrorKind::Malformed(why)));
        }
        Ok(reader)
    }

    fn attached(&self, _: &str, digest: &Digest) -> Result<Vec<Vec<u8>>, SourceError> {
        attached::in_layout(&self.index()?, digest, |digest| {
            self.manifest("", digest).map(|(_, bytes)| bytes)
        })
    }
}
