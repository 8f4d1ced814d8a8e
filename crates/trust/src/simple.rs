//! The simple signing payload: cosign's signatures up to version 2.
//!
//! A layer of type [`MEDIA_TYPE`] is the payload; its annotation [`SIGNATURE`] is the signature
//! over the payload's bytes, in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nodeimage_spec::Digest;
use serde::Deserialize;

use crate::evidence::Doubt;
use crate::key::PublicKey;

/// Media type of a payload.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

/// Annotation of its layer.
pub(crate) const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

/// A payload says what it is for, so that a signature over something else is none of an image.
const TYPES: [&str; 2] = [
    "cosign container image signature",
    "https://sigstore.dev/cosign/sign/v1",
];

#[derive(Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

/// Which of `keys` signed the payload for `digest`.
pub(crate) fn verify<'k>(
    payload: &[u8],
    signature: &str,
    digest: &Digest,
    keys: &'k [PublicKey],
) -> Result<&'k PublicKey, Doubt> {
    let signature = STANDARD
        .decode(signature.trim())
        .map_err(|_| Doubt::Malformed("its signature is not base64".into()))?;
    // Before anything in the payload is looked at.
    let key = keys
        .iter()
        .find(|key| key.verifies(payload, &signature))
        .ok_or(Doubt::Key)?;
    let payload: Payload = serde_json::from_slice(payload)
        .map_err(|error| Doubt::Malformed(format!("its payload does not parse: {error}")))?;
    let Critical { image, kind } = payload.critical;
    if !TYPES.contains(&kind.as_str()) {
        return Err(Doubt::Purpose(crate::evidence::shown(&kind)));
    }
    if image.digest != digest.to_string() {
        return Err(Doubt::OtherImage(crate::evidence::shown(&image.digest)));
    }
    Ok(key)
}
