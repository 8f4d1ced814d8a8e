//! References to digests: what a lock records.

use std::collections::BTreeMap;

use super::document::Document;
use super::platform::{names, select};
use super::{Error, ErrorKind, Images};
use crate::source::Name;
use nodeimage_spec::{Digest, ReferenceError};

/// What a reference stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Of the index, or of the manifest when there is no index.
    pub digest: Digest,
    /// `linux/amd64` → its manifest.
    pub platforms: BTreeMap<String, Digest>,
}

impl Images {
    /// Resolves an expanded reference by its digest, else by its tag (`latest` when there is
    /// none). Each of `architectures` must be there; when none is given, all that are there for
    /// Linux are recorded.
    pub fn resolve(&self, reference: &str, architectures: &[&str]) -> Result<Resolved, Error> {
        let fail = |kind: ErrorKind| Error::new(reference, kind);
        let pinned = Name::parse(reference).digest;
        self.admit_reference(reference, pinned.is_some())?;
        let digest = match pinned {
            Some(digest) => digest
                .parse()
                .map_err(|error: ReferenceError| fail(ErrorKind::Reference(error.to_string())))?,
            None => self.sources.resolve(reference).map_err(|errors| {
                fail(ErrorKind::Sources {
                    what: "its digest".to_owned(),
                    errors,
                })
            })?,
        };
        let candidates = match self.document(reference, &digest)? {
            Document::Index(index) => self.candidates(reference, &digest, &index)?,
            Document::Manifest(manifest) => {
                vec![self.only_candidate(reference, &digest, &manifest)?]
            }
        };
        let mut wanted: Vec<&str> = architectures.to_vec();
        if wanted.is_empty() {
            let linux = candidates.iter().filter(|candidate| candidate.is_linux());
            wanted = linux
                .map(|candidate| candidate.platform.architecture.as_str())
                .collect();
        }
        let mut platforms = BTreeMap::new();
        for architecture in wanted {
            let platform = format!("linux/{architecture}");
            let Some(found) = select(&candidates, architecture) else {
                let available = names(&candidates);
                return Err(fail(ErrorKind::Platform {
                    wanted: platform,
                    available,
                }));
            };
            platforms.insert(platform, found.digest);
        }
        if platforms.is_empty() {
            let (wanted, available) = ("linux".into(), names(&candidates));
            return Err(fail(ErrorKind::Platform { wanted, available }));
        }
        self.admit(reference, &digest, || {
            Ok(platforms.values().copied().collect())
        })?;
        Ok(Resolved { digest, platforms })
    }
}
