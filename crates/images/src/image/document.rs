//! Indexes, manifests and configurations: small JSON documents, known by their digests.

use std::collections::BTreeMap;
use std::io::Read;

use serde::Deserialize;

use super::{Error, ErrorKind, Images};
use crate::limits::{CONFIG_BYTES, MANIFEST_BYTES};
use crate::source::{SourceError, SourceErrorKind};
use crate::store::Bucket;
use nodeimage_spec::Digest;

/// An index or a manifest.
#[derive(Debug)]
pub(super) enum Document {
    Index(Index),
    Manifest(Manifest),
}

#[derive(Debug, Deserialize)]
pub(super) struct Index {
    pub(super) manifests: Vec<Descriptor>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Manifest {
    pub(super) config: Descriptor,
    #[serde(default)]
    pub(super) layers: Vec<Descriptor>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    #[serde(default)]
    pub(super) media_type: String,
    pub(super) digest: String,
    pub(super) size: u64,
    #[serde(default)]
    pub(super) platform: Option<Platform>,
    #[serde(default)]
    pub(super) annotations: Option<BTreeMap<String, String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Platform {
    #[serde(default)]
    pub(super) architecture: String,
    #[serde(default)]
    pub(super) os: String,
    #[serde(default)]
    pub(super) variant: Option<String>,
}

/// Just enough to tell what a document is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    #[serde(default)]
    schema_version: u64,
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    manifests: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    config: Option<serde::de::IgnoredAny>,
}

impl Images {
    /// The index or manifest with this digest.
    pub(super) fn document(&self, reference: &str, digest: &Digest) -> Result<Document, Error> {
        let bytes = self.stored(reference, digest, MANIFEST_BYTES, |images| {
            let (media_type, bytes) = images.sources.manifest(reference, digest)?;
            Ok((bytes, media_type))
        })?;
        let malformed = |why: String| {
            Error::new(
                reference,
                ErrorKind::Malformed {
                    digest: *digest,
                    why,
                },
            )
        };
        let broken = |error: serde_json::Error| malformed(format!("it does not parse: {error}"));
        let shape: Shape = serde_json::from_slice(&bytes).map_err(broken)?;
        if shape.schema_version == 1 {
            let why = "it is a manifest of schema 1, which no registry should serve any more; push \
                       the image anew";
            return Err(malformed(why.into()));
        }
        match (shape.manifests.is_some(), shape.config.is_some()) {
            (true, false) => Ok(Document::Index(
                serde_json::from_slice(&bytes).map_err(broken)?,
            )),
            (false, true) => Ok(Document::Manifest(
                serde_json::from_slice(&bytes).map_err(broken)?,
            )),
            _ => {
                let kind = shape.media_type.unwrap_or_default();
                let kind: String = kind.chars().take(100).collect();
                Err(malformed(format!(
                    "it is neither an image index nor a manifest ({kind:?})"
                )))
            }
        }
    }

    /// The configuration behind a descriptor.
    pub(super) fn config_bytes(
        &self,
        reference: &str,
        digest: &Digest,
        size: u64,
    ) -> Result<Vec<u8>, Error> {
        self.stored(reference, digest, CONFIG_BYTES, |images| {
            if size > CONFIG_BYTES {
                return Ok((Vec::new(), String::new()));
            }
            let blob = images.sources.blob(reference, digest, size)?;
            let mut bytes = Vec::new();
            blob.take(CONFIG_BYTES + 1)
                .read_to_end(&mut bytes)
                .map_err(|error| {
                    vec![SourceError::new(
                        digest.to_string(),
                        SourceErrorKind::Io(error),
                    )]
                })?;
            Ok((bytes, String::new()))
        })
    }

    /// A document from the store, or from its source through the store. It is hashed each time:
    /// everything else hangs on these few bytes.
    fn stored(
        &self,
        reference: &str,
        digest: &Digest,
        limit: u64,
        get: impl FnOnce(&Self) -> Result<(Vec<u8>, String), Vec<SourceError>>,
    ) -> Result<Vec<u8>, Error> {
        let fail = |kind: ErrorKind| Error::new(reference, kind);
        let bucket = Bucket::Manifests;
        let found = self
            .store
            .get_sound(bucket, digest.bytes())
            .map_err(|e| fail(e.into()))?;
        if let Some(entry) = found
            && entry.file().len <= limit
        {
            let bytes = entry.read().map_err(|error| fail(error.into()))?;
            if Digest::of(&bytes) == *digest {
                return Ok(bytes);
            }
            self.store
                .remove(bucket, digest.bytes())
                .map_err(|error| fail(error.into()))?;
        }
        let what = digest.to_string();
        let (bytes, media_type) =
            get(self).map_err(|errors| fail(ErrorKind::Sources { what, errors }))?;
        if bytes.len() as u64 > limit {
            return Err(fail(ErrorKind::TooLong {
                digest: *digest,
                limit,
            }));
        }
        let got = Digest::of(&bytes);
        if got != *digest {
            return Err(fail(ErrorKind::Corrupt {
                wanted: *digest,
                got,
            }));
        }
        // Whoever came first has put the same bytes there.
        let put = self.store.once(bucket, digest.bytes(), |writer| {
            writer.set_meta(media_type.into_bytes());
            writer.append(&bytes)
        });
        put.map_err(|error| fail(error.into()))?;
        Ok(bytes)
    }
}

impl Descriptor {
    /// Its digest, if it is one that can be read.
    pub(super) fn parsed(&self, holder: &Digest) -> Result<Digest, ErrorKind> {
        self.digest.parse().map_err(
            |error: nodeimage_spec::ReferenceError| ErrorKind::Malformed {
                digest: *holder,
                why: error.to_string(),
            },
        )
    }
}
