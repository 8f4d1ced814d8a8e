//! The sigstore bundle 0.3 with a public key: cosign's signatures since version 3.
//!
//! A DSSE envelope ("Dead Simple Signing Envelope" 1.0) around an in-toto statement, whose subject
//! is the image and whose predicate type says that this is a signature of an image and not, say, a
//! bill of materials signed with the same key. Entries of transparency logs and timestamps are not
//! looked at: the key alone decides.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nodeimage_spec::Digest;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::evidence::{Doubt, shown};
use crate::key::PublicKey;

/// Media type of a bundle: of its layer and of its artifact.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// The same, as older libraries write it.
pub(crate) const OLD_MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle+json;version=0.3";

/// What the statement of an image's signature says that it is.
pub(crate) const PREDICATE: &str = "https://sigstore.dev/cosign/sign/v1";

const PAYLOAD: &str = "application/vnd.in-toto+json";
const STATEMENTS: [&str; 2] = [
    "https://in-toto.io/Statement/v1",
    "https://in-toto.io/Statement/v0.1",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    media_type: String,
    verification_material: Material,
    #[serde(default)]
    dsse_envelope: Option<Envelope>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    #[serde(default)]
    public_key: Option<IgnoredAny>,
    #[serde(default)]
    certificate: Option<IgnoredAny>,
    #[serde(default)]
    x509_certificate_chain: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Deserialize)]
struct Signature {
    sig: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
}

#[derive(Deserialize)]
struct Subject {
    digest: SubjectDigest,
}

#[derive(Deserialize)]
struct SubjectDigest {
    #[serde(default)]
    sha256: Option<String>,
}

/// Which of `keys` signed the bundle for `digest`.
pub(crate) fn verify<'k>(
    bundle: &[u8],
    digest: &Digest,
    keys: &'k [PublicKey],
) -> Result<&'k PublicKey, Doubt> {
    let malformed = |why: &str| Doubt::Malformed(why.to_owned());
    let bundle: Bundle = serde_json::from_slice(bundle)
        .map_err(|error| Doubt::Malformed(format!("the bundle does not parse: {error}")))?;
    if ![MEDIA_TYPE, OLD_MEDIA_TYPE].contains(&bundle.media_type.as_str()) {
        let kind = shown(&bundle.media_type);
        return Err(Doubt::Malformed(format!(
            "{kind} is no bundle of version 0.3"
        )));
    }
    let material = bundle.verification_material;
    if material.public_key.is_none() {
        let keyless = material.certificate.is_some() || material.x509_certificate_chain.is_some();
        return Err(if keyless {
            Doubt::Keyless
        } else {
            malformed("the bundle names no key")
        });
    }
    let envelope = bundle
        .dsse_envelope
        .ok_or_else(|| malformed("the bundle has no DSSE envelope"))?;
    let [signature] = &envelope.signatures[..] else {
        return Err(malformed(
            "the envelope must have exactly one signature (sigstore bundle 0.3)",
        ));
    };
    let base64 = |text: &str| {
        STANDARD
            .decode(text)
            .map_err(|_| malformed("the envelope is not base64"))
    };
    let (payload, signature) = (base64(&envelope.payload)?, base64(&signature.sig)?);
    let signed = encode(&envelope.payload_type, &payload);
    // Before anything in the payload is looked at.
    let key = keys
        .iter()
        .find(|key| key.verifies(&signed, &signature))
        .ok_or(Doubt::Key)?;
    if envelope.payload_type != PAYLOAD {
        return Err(Doubt::Purpose(shown(&envelope.payload_type)));
    }
    let statement: Statement = serde_json::from_slice(&payload)
        .map_err(|error| Doubt::Malformed(format!("the statement does not parse: {error}")))?;
    if !STATEMENTS.contains(&statement.kind.as_str()) {
        return Err(Doubt::Purpose(shown(&statement.kind)));
    }
    if statement.predicate_type != PREDICATE {
        return Err(Doubt::Purpose(shown(&statement.predicate_type)));
    }
    let wanted = digest.hex();
    let mut subjects = statement
        .subject
        .iter()
        .map(|subject| &subject.digest.sha256);
    if subjects.any(|subject| subject.as_deref() == Some(wanted.as_str())) {
        return Ok(key);
    }
    let first = statement.subject.first();
    let other = first.and_then(|subject| subject.digest.sha256.as_deref());
    Err(Doubt::OtherImage(shown(&format!(
        "sha256:{}",
        other.unwrap_or("(none)")
    ))))
}

/// DSSE's pre-authentication encoding: what is signed.
fn encode(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    );
    [head.as_bytes(), payload].concat()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_encoding_is_that_of_the_dsse_specification() {
        assert_eq!(
            super::encode("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }
}
