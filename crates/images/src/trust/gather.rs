//! Looks for a signature that holds, in every source that may have the image.

use std::collections::BTreeMap;
use std::io::Read;

use nodeimage_spec::Digest;
use nodeimage_trust::{BUNDLE_BYTES, Evidence, PAYLOAD_BYTES, PublicKey, verify};
use serde::Deserialize;

use crate::source::{Remote, Sources};

/// Most signatures of one image that are tried in one source.
const MOST: usize = 256;
/// Most reasons that are remembered.
const REASONS: usize = 64;

#[derive(Deserialize)]
struct Holder {
    #[serde(default)]
    layers: Option<Vec<Layer>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    #[serde(default)]
    media_type: String,
    digest: String,
    size: u64,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

/// The first signature of `digest` that holds, and the key that made it. What does not hold, and
/// what can't be read, goes into `found`.
pub(super) fn search<'k>(
    sources: &Sources,
    reference: &str,
    digest: &Digest,
    keys: &'k [PublicKey],
    found: &mut Vec<String>,
) -> Option<(&'k PublicKey, Evidence)> {
    let mut doubt = |text: String| {
        if found.len() < REASONS && !found.contains(&text) {
            found.push(text);
        }
    };
    for place in sources.places(reference) {
        let place = place.and_then(|place| Ok((place.remote?, place.reference)));
        let attached = place.and_then(|(remote, reference)| {
            let attached = remote.attached(&reference, digest)?;
            Ok((remote, reference, attached))
        });
        let (remote, reference, attached) = match attached {
            Ok(attached) => attached,
            Err(error) => {
                doubt(error.to_string());
                continue;
            }
        };
        let mut left = MOST;
        for manifest in attached {
            let Ok(holder) = serde_json::from_slice::<Holder>(&manifest) else {
                doubt("a signature's manifest does not parse".to_owned());
                continue;
            };
            for layer in holder.layers.unwrap_or_default() {
                let Some(kind) = Kind::of(&layer) else {
                    continue;
                };
                if left == 0 {
                    doubt(format!(
                        "there are more than {MOST} signatures; the rest was not tried"
                    ));
                    break;
                }
                left -= 1;
                let evidence = match kind.evidence(&layer, &*remote, &reference) {
                    Ok(evidence) => evidence,
                    Err(why) => {
                        doubt(why);
                        continue;
                    }
                };
                match verify(&evidence, digest, keys) {
                    Ok(key) => return Some((key, evidence)),
                    Err(error) => doubt(error.to_string()),
                }
            }
        }
    }
    None
}

/// The two forms of a signature.
#[derive(Clone, Copy)]
enum Kind {
    Simple,
    Bundle,
}

impl Kind {
    fn of(layer: &Layer) -> Option<Self> {
        match layer.media_type.as_str() {
            Evidence::SIMPLE => Some(Self::Simple),
            kind if Evidence::BUNDLES.contains(&kind) => Some(Self::Bundle),
            _ => None,
        }
    }

    fn evidence(
        self,
        layer: &Layer,
        remote: &dyn Remote,
        reference: &str,
    ) -> Result<Evidence, String> {
        match self {
            Self::Bundle => read(layer, remote, reference, BUNDLE_BYTES).map(Evidence::Bundle),
            Self::Simple => {
                let annotations = layer.annotations.as_ref();
                let signature = annotations
                    .and_then(|all| all.get(Evidence::SIGNATURE))
                    .ok_or("a signed payload has no signature beside it")?;
                let payload = read(layer, remote, reference, PAYLOAD_BYTES)?;
                Ok(Evidence::Simple {
                    payload,
                    signature: signature.clone(),
                })
            }
        }
    }
}

/// A layer's bytes, which are what its digest says.
fn read(
    layer: &Layer,
    remote: &dyn Remote,
    reference: &str,
    limit: u64,
) -> Result<Vec<u8>, String> {
    let digest: Digest = layer
        .digest
        .parse()
        .map_err(|error: nodeimage_spec::ReferenceError| error.to_string())?;
    if layer.size > limit {
        return Err(format!(
            "the signature {digest} is longer than {limit} bytes"
        ));
    }
    let blob = remote
        .blob(reference, &digest, layer.size)
        .map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    blob.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("the signature {digest} cannot be read: {error}"))?;
    if Digest::of(&bytes) != digest {
        return Err(format!(
            "the signature {digest} is corrupt: its content has another digest"
        ));
    }
    Ok(bytes)
}
