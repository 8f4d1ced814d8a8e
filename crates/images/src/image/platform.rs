//! Which manifest of an index is meant (OCI image specification, "Image Index").

use super::document::{Descriptor, Document, Index, Platform};
use super::{Error, ErrorKind, Images};
use nodeimage_spec::Digest;

/// An index may hold indexes, but no deeper than this.
const MAX_DEPTH: u32 = 2;
/// More manifests than any index has.
const MAX_MANIFESTS: usize = 1000;

/// One image manifest of an index.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) digest: Digest,
    pub(super) platform: Platform,
}

impl Candidate {
    pub(super) fn is_linux(&self) -> bool {
        self.platform.os == "linux"
    }
}

impl Images {
    /// Every image manifest of an index, in its order; attestations are none.
    pub(super) fn candidates(
        &self,
        reference: &str,
        digest: &Digest,
        index: &Index,
    ) -> Result<Vec<Candidate>, Error> {
        let mut found = Vec::new();
        self.collect(reference, digest, index, 1, &mut found)?;
        Ok(found)
    }

    fn collect(
        &self,
        reference: &str,
        holder: &Digest,
        index: &Index,
        depth: u32,
        found: &mut Vec<Candidate>,
    ) -> Result<(), Error> {
        let malformed = |why: String| {
            Error::new(
                reference,
                ErrorKind::Malformed {
                    digest: *holder,
                    why,
                },
            )
        };
        for descriptor in &index.manifests {
            if found.len() >= MAX_MANIFESTS {
                return Err(malformed(format!(
                    "it lists more than {MAX_MANIFESTS} images"
                )));
            }
            if is_attestation(descriptor) || is_artifact(descriptor) {
                continue;
            }
            let digest = descriptor
                .parsed(holder)
                .map_err(|kind| Error::new(reference, kind))?;
            let nested = is_index(&descriptor.media_type);
            if let Some(platform) = descriptor.platform.clone().filter(|_| !nested) {
                found.push(Candidate { digest, platform });
                continue;
            }
            match self.document(reference, &digest)? {
                Document::Index(inner) if depth < MAX_DEPTH => {
                    self.collect(reference, &digest, &inner, depth + 1, found)?;
                }
                Document::Index(_) => {
                    return Err(malformed("indexes are nested more than twice in it".into()));
                }
                Document::Manifest(manifest) => {
                    let config = self.config(reference, &digest, &manifest)?.1;
                    let platform = Platform {
                        architecture: config.architecture,
                        os: config.os,
                        variant: config.variant,
                    };
                    found.push(Candidate { digest, platform });
                }
            }
        }
        Ok(())
    }
}

/// The best fit for Linux on an architecture: without a variant before the one that every machine
/// of the architecture has, before others in ascending order, so that the least demanding wins;
/// 32-bit ARM: v7, v6, v5. The first of equals.
pub(super) fn select<'a>(candidates: &'a [Candidate], architecture: &str) -> Option<&'a Candidate> {
    let fits = |candidate: &&Candidate| {
        candidate.is_linux() && candidate.platform.architecture == architecture
    };
    candidates.iter().filter(fits).min_by_key(|candidate| {
        let variant = candidate.platform.variant.as_deref().unwrap_or_default();
        let rank = match (architecture, variant) {
            (_, "") => 0,
            ("arm64", "v8") | ("amd64", "v1") | ("arm", "v7") => 1,
            ("arm", "v6") => 2,
            _ => 3,
        };
        (rank, variant)
    })
}

/// `linux/amd64, linux/arm/v7`.
pub(super) fn names(candidates: &[Candidate]) -> String {
    let mut names: Vec<String> = Vec::new();
    for Candidate { platform, .. } in candidates {
        let variant = platform
            .variant
            .as_deref()
            .map(|v| format!("/{v}"))
            .unwrap_or_default();
        let name = format!("{}/{}{variant}", platform.os, platform.architecture);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        "no platform at all".into()
    } else {
        names.join(", ")
    }
}

fn is_attestation(descriptor: &Descriptor) -> bool {
    let kind = descriptor
        .annotations
        .as_ref()
        .and_then(|a| a.get("vnd.docker.reference.type"));
    let unknown = descriptor
        .platform
        .as_ref()
        .is_some_and(|platform| platform.os == "unknown" && platform.architecture == "unknown");
    kind.is_some() || unknown
}

/// Something else that an index may list: a signature, a chart.
fn is_artifact(descriptor: &Descriptor) -> bool {
    const MANIFESTS: [&str; 3] = [
        "",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    ];
    let media_type = descriptor.media_type.as_str();
    !MANIFESTS.contains(&media_type) && !is_index(media_type)
}

fn is_index(media_type: &str) -> bool {
    matches!(
        media_type,
        "application/vnd.oci.image.index.v1+json"
            | "application/vnd.docker.distribution.manifest.list.v2+json"
    )
}
