//! A whole image: its index with the manifests, configurations and compressed layers behind it,
//! byte for byte as in the registry.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::Read;
use std::sync::Arc;

use nodeimage_disk::StoredFile;
use nodeimage_spec::Digest;

use super::document::{Descriptor, Document, Index, Platform};
use super::platform::{Candidate, names};
use super::{Error, ErrorKind, Images};
use crate::layer::{BlobReader, LayerError, LayerProblem};
use crate::limits::CONFIG_BYTES;
use crate::progress::Event;
use crate::store::{Bucket, StoreError};
use crate::tree::Data;

/// More manifests than any index has.
const MAX_MANIFESTS: usize = 1000;

/// An index and what lies behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    /// The index.
    pub index: Data,
    /// Manifests, configurations and layers, by digest.
    pub blobs: BTreeMap<Digest, Data>,
}

/// Why a blob could not be put into the store.
enum Failure {
    Sources(Vec<crate::source::SourceError>),
    Blob(LayerProblem),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Blob(error.into())
    }
}

impl Images {
    /// Whether the digest is an index's.
    pub fn is_index(&self, reference: &str, digest: &Digest) -> Result<bool, Error> {
        self.admit_reference(reference, true)?;
        Ok(matches!(
            self.document(reference, digest)?,
            Document::Index(_)
        ))
    }

    /// The index `digest` and the image manifests in it, those of `platforms`
    /// (`OS/ARCHITECTURE[/VARIANT]`) or, when there are none, all of them; with their blobs, which
    /// are fetched one after the other. A platform without a variant stands for all its variants;
    /// one that the index has nothing for is an error. Indexes within the index are left out.
    pub fn whole(
        &self,
        reference: &str,
        digest: &Digest,
        platforms: &[String],
    ) -> Result<Whole, Error> {
        self.permit_whole(reference, digest, platforms)?;
        let fail = |kind: ErrorKind| Error::new(reference, kind);
        let mut blobs = BTreeMap::new();
        for holder in self.manifests(reference, digest, platforms)? {
            let Document::Manifest(manifest) = self.document(reference, &holder)? else {
                let (digest, why) = (*digest, "it lists an index as an image".to_owned());
                return Err(fail(ErrorKind::Malformed { digest, why }));
            };
            let config = manifest.config.parsed(&holder).map_err(fail)?;
            if manifest.config.size > CONFIG_BYTES {
                let (digest, limit) = (config, CONFIG_BYTES);
                return Err(fail(ErrorKind::TooLong { digest, limit }));
            }
            self.config_bytes(reference, &config, manifest.config.size)?;
            for document in [holder, config] {
                blobs.insert(document, self.stored_document(reference, &document)?);
            }
            for (number, layer) in manifest.layers.iter().enumerate() {
                let digest = layer.parsed(&holder).map_err(fail)?;
                if let Entry::Vacant(blob) = blobs.entry(digest) {
                    blob.insert(self.blob(reference, number + 1, &digest, layer.size)?);
                }
            }
        }
        Ok(Whole {
            index: self.stored_document(reference, digest)?,
            blobs,
        })
    }

    /// Whether the trust policies let the index and its manifests of `platforms` pass, as
    /// [`Images::whole`] asks: for those that take from the store what was made of them.
    pub fn permit_whole(
        &self,
        reference: &str,
        digest: &Digest,
        platforms: &[String],
    ) -> Result<(), Error> {
        self.admit(reference, digest, || {
            self.manifests(reference, digest, platforms)
        })
    }

    /// The image manifests of an index that are wanted, in its order.
    fn manifests(
        &self,
        reference: &str,
        digest: &Digest,
        platforms: &[String],
    ) -> Result<Vec<Digest>, Error> {
        let fail = |kind: ErrorKind| Error::new(reference, kind);
        let malformed = |why: &str| {
            fail(ErrorKind::Malformed {
                digest: *digest,
                why: why.to_owned(),
            })
        };
        let Document::Index(index) = self.document(reference, digest)? else {
            return Err(malformed("it is a manifest, not an index"));
        };
        if index.manifests.len() > MAX_MANIFESTS {
            return Err(malformed("it lists more than 1000 images"));
        }
        check_platforms(&index, digest, platforms).map_err(fail)?;
        let wanted = index.manifests.iter().filter(|descriptor| {
            is_manifest(&descriptor.media_type) && wanted(descriptor, platforms)
        });
        wanted
            .map(|descriptor| descriptor.parsed(digest).map_err(fail))
            .collect()
    }

    /// A document that was just read through the store.
    fn stored_document(&self, reference: &str, digest: &Digest) -> Result<Data, Error> {
        let entry = self.store.get(Bucket::Manifests, digest.bytes());
        match entry.map_err(|error| Error::new(reference, error))? {
            Some(entry) => Ok(all_of(entry.file())),
            None => Err(Error::new(
                reference,
                ErrorKind::Malformed {
                    digest: *digest,
                    why: "another program has just removed it from the store; build again"
                        .to_owned(),
                },
            )),
        }
    }

    /// A layer's blob as it is, from the store or through it.
    fn blob(
        &self,
        reference: &str,
        number: usize,
        digest: &Digest,
        size: u64,
    ) -> Result<Data, Error> {
        let failed = |problem| {
            let digest = *digest;
            Error::new(
                reference,
                LayerError {
                    number,
                    digest,
                    problem,
                },
            )
        };
        let limit = self.limits.layer_bytes;
        if size > limit {
            let digest = *digest;
            return Err(Error::new(reference, ErrorKind::TooLong { digest, limit }));
        }
        let key = digest.bytes();
        let found = self.store.get_sound(Bucket::Blobs, key);
        if let Some(entry) = found.map_err(|error| failed(error.into()))? {
            return Ok(all_of(entry.file()));
        }
        let item = format!("{reference} {digest}");
        let waiting = || self.progress.event(Event::Waiting { item: &item });
        let made = self
            .store
            .once_or_wait(Bucket::Blobs, key, waiting, |writer| {
                self.progress.event(Event::Started {
                    item: &item,
                    bytes: Some(size),
                });
                let source = self.sources.blob(reference, digest, size);
                let mut from = BlobReader::new(source.map_err(Failure::Sources)?, *digest, size);
                let mut buffer = vec![0; 256 * 1024];
                loop {
                    if self.progress.cancelled() {
                        return Err(Failure::Blob(LayerProblem::Cancelled));
                    }
                    match from.read(&mut buffer) {
                        Ok(0) => break,
                        Ok(read) => writer.append(&buffer[..read])?,
                        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                        // `finish` knows why.
                        Err(_) => break,
                    }
                }
                from.finish().map_err(Failure::Blob)?;
                self.progress.event(Event::Finished { item: &item });
                Ok(())
            });
        match made {
            Ok(entry) => Ok(all_of(entry.file())),
            Err(_) if self.progress.cancelled() => Err(failed(LayerProblem::Cancelled)),
            Err(Failure::Blob(problem)) => Err(failed(problem)),
            Err(Failure::Sources(errors)) => {
                let what = format!("layer {number} ({digest})");
                Err(Error::new(reference, ErrorKind::Sources { what, errors }))
            }
        }
    }
}

fn all_of(file: &Arc<StoredFile>) -> Data {
    Data::Stored {
        file: Arc::clone(file),
        offset: 0,
        len: file.len,
    }
}

fn is_manifest(media_type: &str) -> bool {
    matches!(
        media_type,
        "application/vnd.oci.image.manifest.v1+json"
            | "application/vnd.docker.distribution.manifest.v2+json"
    )
}

fn wanted(descriptor: &Descriptor, platforms: &[String]) -> bool {
    platforms.is_empty()
        || descriptor.platform.as_ref().is_some_and(|platform| {
            let mut platforms = platforms.iter();
            platforms.any(|wanted| is(platform, wanted))
        })
}

fn is(platform: &Platform, wanted: &str) -> bool {
    let mut parts = wanted.split('/');
    let variant = platform.variant.as_deref().unwrap_or_default();
    parts.next() == Some(platform.os.as_str())
        && parts.next() == Some(platform.architecture.as_str())
        && parts.next().is_none_or(|wanted| wanted == variant)
        && parts.next().is_none()
}

fn check_platforms(index: &Index, holder: &Digest, platforms: &[String]) -> Result<(), ErrorKind> {
    let mut there = Vec::new();
    for descriptor in &index.manifests {
        if let Some(platform) = descriptor.platform.clone() {
            let digest = descriptor.parsed(holder)?;
            there.push(Candidate { digest, platform });
        }
    }
    let is_there = |wanted: &&String| there.iter().any(|it| is(&it.platform, wanted));
    match platforms.iter().find(|wanted| !is_there(wanted)) {
        None => Ok(()),
        Some(wanted) => Err(ErrorKind::Platform {
            wanted: wanted.clone(),
            available: names(&there),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_without_variant_stands_for_all_of_them() {
        let platform = |os: &str, architecture: &str, variant: Option<&str>| Platform {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            variant: variant.map(str::to_owned),
        };
        let v7 = platform("linux", "arm", Some("v7"));
        assert!(is(&v7, "linux/arm") && is(&v7, "linux/arm/v7"));
        assert!(!is(&v7, "linux/arm/v6") && !is(&v7, "linux/arm64") && !is(&v7, "linux"));
        assert!(!is(&v7, "linux/arm/v7/x"));
        let plain = platform("linux", "amd64", None);
        assert!(is(&plain, "linux/amd64") && !is(&plain, "linux/amd64/v2"));
    }
}
