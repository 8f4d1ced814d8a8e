//! Where signatures of an image lie: behind cosign's tag, among what refers to the image, in a
//! layout that `cosign save`, oras or skopeo wrote.

use std::collections::BTreeMap;

use nodeimage_spec::Digest;
use nodeimage_trust::Evidence;
use serde::Deserialize;

use super::SourceError;
use super::layout::Index;

/// Most manifests of one image that are looked at; who signs has a handful.
pub(super) const MOST: usize = 64;

/// Largest manifest of a layout in which a subject is looked for, in bytes.
const PEEK_BYTES: u64 = 64 << 10;
/// Most manifests of a layout in which one is looked for.
const PEEKS: usize = 4096;

/// What `cosign save` writes into an index.
const KIND: &str = "kind";
const SIGNATURES: &str = "dev.cosignproject.cosign/sigs";

/// The tag of an image's signatures.
pub(super) fn tag(digest: &Digest) -> String {
    format!("sha256-{}.sig", digest.hex())
}

/// Whether an artifact of this type may be a signature; a list that does not tell is no answer.
pub(super) fn may_sign(
    artifact_type: &str,
    annotations: Option<&BTreeMap<String, String>>,
) -> bool {
    let predicate = annotations.and_then(|all| all.get(Evidence::BUNDLE_PREDICATE));
    let says_otherwise = predicate.is_some_and(|kind| kind != Evidence::SIGN_PREDICATE);
    let ours = artifact_type.is_empty()
        || artifact_type == Evidence::SIMPLE_ARTIFACT
        || Evidence::BUNDLES.contains(&artifact_type);
    ours && !says_otherwise
}

#[derive(Deserialize)]
struct Holder {
    #[serde(default)]
    subject: Option<Subject>,
}

#[derive(Deserialize)]
struct Subject {
    digest: String,
}

/// The manifests of a layout that may hold signatures of `digest`; `read` reads one.
pub(super) fn in_layout(
    index: &Index,
    digest: &Digest,
    read: impl Fn(&Digest) -> Result<Vec<u8>, SourceError>,
) -> Result<Vec<Vec<u8>>, SourceError> {
    let (signatures, referrers) = (tag(digest), format!("sha256-{}", digest.hex()));
    let wanted = digest.to_string();
    let is_named = |name: &str, tag: &str| {
        let rest = name.strip_suffix(tag);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with(':'))
    };
    let (mut named, mut others) = (Vec::new(), Vec::new());
    let mut peeks = 0;
    for descriptor in &index.manifests {
        // Only sha256 is read anywhere.
        let Ok(at) = descriptor.digest.parse::<Digest>() else {
            continue;
        };
        if descriptor.names().any(|name| is_named(name, &signatures)) {
            named.push(read(&at)?);
            continue;
        }
        if descriptor.names().any(|name| is_named(name, &referrers)) {
            if let Ok(list) = serde_json::from_slice::<Index>(&read(&at)?) {
                let ours = list
                    .manifests
                    .iter()
                    .filter(|d| may_sign(&d.artifact_type, d.annotations.as_ref()));
                for descriptor in ours.take(MOST) {
                    if let Ok(at) = descriptor.digest.parse() {
                        named.push(read(&at)?);
                    }
                }
            }
            continue;
        }
        let kind = descriptor.annotations.as_ref().and_then(|a| a.get(KIND));
        let is_kept = kind.is_some_and(|kind| kind == SIGNATURES);
        let may = may_sign(&descriptor.artifact_type, descriptor.annotations.as_ref());
        if !may || descriptor.size > PEEK_BYTES || peeks == PEEKS {
            continue;
        }
        peeks += 1;
        // A layout may list what it does not hold.
        let Ok(bytes) = read(&at) else { continue };
        let subject = serde_json::from_slice::<Holder>(&bytes)
            .ok()
            .and_then(|holder| holder.subject);
        let is_ours = match subject {
            Some(subject) => subject.digest == wanted,
            None => is_kept,
        };
        if is_ours {
            others.push(bytes);
        }
    }
    named.extend(others);
    named.truncate(MOST);
    Ok(named)
}
