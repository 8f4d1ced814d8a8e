//! One image for one architecture: its configuration and layers, none of which is touched.

use super::document::{Document, Manifest, Platform};
use super::platform::{Candidate, names, select};
use super::{Error, ErrorKind, ImageConfig, Images};
use nodeimage_spec::Digest;

/// Docker stops at 127.
const MAX_LAYERS: usize = 512;

/// An image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Where it came from.
    pub reference: String,
    /// Of its manifest.
    pub manifest_digest: Digest,
    /// Of its configuration.
    pub config_digest: Digest,
    /// How to run it.
    pub config: ImageConfig,
    /// The lowest first.
    pub layers: Vec<Layer>,
}

/// One layer of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Of its blob.
    pub digest: Digest,
    /// Of its blob, in bytes.
    pub size: u64,
    /// What its manifest calls it.
    pub media_type: String,
    /// Digest of the uncompressed tar.
    pub diff_id: Digest,
}

impl Images {
    /// Opens the index or manifest `digest` for Linux on `architecture`. `reference` tells which
    /// source to ask; its tag plays no part.
    pub fn open(
        &self,
        reference: &str,
        digest: &Digest,
        architecture: &str,
    ) -> Result<Image, Error> {
        self.permit(reference, digest, architecture)?;
        let (digest, manifest) = self.chosen(reference, digest, architecture)?;
        self.image(reference, &digest, &manifest)
    }

    /// Whether the trust policies let the index or manifest `digest` pass, as [`Images::open`] asks:
    /// for those that take from the store what was made of an image.
    pub fn permit(
        &self,
        reference: &str,
        digest: &Digest,
        architecture: &str,
    ) -> Result<(), Error> {
        self.admit(reference, digest, || {
            let (chosen, _) = self.chosen(reference, digest, architecture)?;
            Ok(vec![chosen])
        })
    }

    /// The manifest for an architecture.
    fn chosen(
        &self,
        reference: &str,
        digest: &Digest,
        architecture: &str,
    ) -> Result<(Digest, Manifest), Error> {
        let fail = |kind: ErrorKind| Error::new(reference, kind);
        let platform_error = |candidates: &[Candidate]| {
            let wanted = format!("linux/{architecture}");
            fail(ErrorKind::Platform {
                wanted,
                available: names(candidates),
            })
        };
        let index = match self.document(reference, digest)? {
            Document::Manifest(manifest) => {
                let only = [self.only_candidate(reference, digest, &manifest)?];
                select(&only, architecture).ok_or_else(|| platform_error(&only))?;
                return Ok((*digest, manifest));
            }
            Document::Index(index) => index,
        };
        let candidates = self.candidates(reference, digest, &index)?;
        let found = select(&candidates, architecture).ok_or_else(|| platform_error(&candidates))?;
        match self.document(reference, &found.digest)? {
            // What the configuration says of the platform is often wrong where an index says it.
            Document::Manifest(manifest) => Ok((found.digest, manifest)),
            Document::Index(_) => {
                let why = "an index lists it as an image, but it is an index".into();
                Err(fail(ErrorKind::Malformed {
                    digest: found.digest,
                    why,
                }))
            }
        }
    }

    /// A manifest that stands alone, for the platform its configuration names.
    pub(super) fn only_candidate(
        &self,
        reference: &str,
        digest: &Digest,
        manifest: &Manifest,
    ) -> Result<Candidate, Error> {
        let (_, config) = self.config(reference, digest, manifest)?;
        let platform = Platform {
            architecture: config.architecture,
            os: config.os,
            variant: config.variant,
        };
        Ok(Candidate {
            digest: *digest,
            platform,
        })
    }

    /// The configuration of a manifest.
    pub(super) fn config(
        &self,
        reference: &str,
        holder: &Digest,
        manifest: &Manifest,
    ) -> Result<(Digest, ImageConfig), Error> {
        let fail = |kind: ErrorKind| Error::new(reference, kind);
        let digest = manifest.config.parsed(holder).map_err(fail)?;
        let limit = crate::limits::CONFIG_BYTES;
        if manifest.config.size > limit {
            return Err(fail(ErrorKind::TooLong { digest, limit }));
        }
        let bytes = self.config_bytes(reference, &digest, manifest.config.size)?;
        let config = ImageConfig::parse(&bytes).map_err(|error| {
            let why = format!("it is no image configuration: {error}");
            fail(ErrorKind::Malformed { digest, why })
        })?;
        Ok((digest, config))
    }

    fn image(&self, reference: &str, digest: &Digest, manifest: &Manifest) -> Result<Image, Error> {
        let malformed = |why: String| {
            Error::new(
                reference,
                ErrorKind::Malformed {
                    digest: *digest,
                    why,
                },
            )
        };
        let (config_digest, config) = self.config(reference, digest, manifest)?;
        let (layers, diff_ids) = (manifest.layers.len(), config.diff_ids.len());
        if layers > MAX_LAYERS {
            return Err(malformed(format!("it has more than {MAX_LAYERS} layers")));
        }
        if layers != diff_ids {
            let why = format!("it has {layers} layers, its configuration {diff_ids}");
            return Err(malformed(why));
        }
        let layers = manifest
            .layers
            .iter()
            .zip(&config.diff_ids)
            .map(|(layer, diff_id)| {
                Ok(Layer {
                    digest: layer.parsed(digest)?,
                    size: layer.size,
                    media_type: layer.media_type.clone(),
                    diff_id: *diff_id,
                })
            });
        let layers: Result<Vec<Layer>, ErrorKind> = layers.collect();
        Ok(Image {
            reference: reference.to_owned(),
            manifest_digest: *digest,
            config_digest,
            layers: layers.map_err(|kind| Error::new(reference, kind))?,
            config,
        })
    }
}
