//! What is shown to prove that an image was signed, and whether it does.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nodeimage_spec::Digest;
use serde::{Deserialize, Serialize};

use crate::key::PublicKey;
use crate::{bundle, simple};

/// A signature as it was found; nothing in it is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// A simple signing payload, and its signature in base64.
    Simple {
        /// The layer's bytes.
        payload: Vec<u8>,
        /// The layer's annotation [`Evidence::SIGNATURE`].
        signature: String,
    },
    /// A sigstore bundle.
    Bundle(Vec<u8>),
}

/// Why one piece of evidence proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Doubt {
    /// None of the keys made this signature, or what was signed has been altered.
    #[error("a signature was made with another key, or what it signs was altered")]
    Key,
    /// The signature is good, for another image.
    #[error("a signature is that of another image, {0}")]
    OtherImage(String),
    /// The signature is good, and says something else than "this image is signed".
    #[error("what is signed is no image signature but {0:?}")]
    Purpose(String),
    /// It was made with a certificate.
    #[error(
        "a signature was made without a key (keyless), and a policy knows keys; sign with `cosign sign --key`"
    )]
    Keyless,
    /// It is not in the form it must have.
    #[error("a signature is malformed: {0}")]
    Malformed(String),
}

/// Why kept evidence can't be read.
#[derive(Debug, thiserror::Error)]
#[error("the kept signature is damaged")]
pub struct EvidenceError;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
enum Kept {
    Simple { payload: String, signature: String },
    Bundle(String),
}

impl Evidence {
    /// Media type of a layer with a simple signing payload.
    pub const SIMPLE: &str = simple::MEDIA_TYPE;
    /// Annotation of such a layer: the signature.
    pub const SIGNATURE: &str = simple::SIGNATURE;
    /// Artifact type of a manifest with simple signing layers that names its image as its subject.
    pub const SIMPLE_ARTIFACT: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";
    /// Media types of a layer that is a bundle, and of the artifact that holds it.
    pub const BUNDLES: [&str; 2] = [bundle::MEDIA_TYPE, bundle::OLD_MEDIA_TYPE];
    /// Annotation of such an artifact: what its statement is about.
    pub const BUNDLE_PREDICATE: &str = "dev.sigstore.bundle.predicateType";
    /// Its value for signatures.
    pub const SIGN_PREDICATE: &str = bundle::PREDICATE;

    /// A text to keep it as.
    pub fn to_json(&self) -> String {
        let kept = match self {
            Self::Simple { payload, signature } => Kept::Simple {
                payload: STANDARD.encode(payload),
                signature: signature.clone(),
            },
            Self::Bundle(bundle) => Kept::Bundle(STANDARD.encode(bundle)),
        };
        // Strings alone: it can't fail.
        serde_json::to_string(&kept).unwrap_or_default()
    }

    /// What was kept; it proves no more than it did before.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn from_json(text: &[u8]) -> Result<Self, EvidenceError> {
        let kept = serde_json::from_slice(text).map_err(|_| EvidenceError)?;
        let bytes = |text: String| STANDARD.decode(text).map_err(|_| EvidenceError);
        Ok(match kept {
            Kept::Simple { payload, signature } => Self::Simple {
                payload: bytes(payload)?,
                signature,
            },
            Kept::Bundle(bundle) => Self::Bundle(bytes(bundle)?),
        })
    }
}

/// Which of `keys` signed the image `digest`.
///
/// # Errors
/// What speaks against this piece of evidence.
pub fn verify<'k>(
    evidence: &Evidence,
    digest: &Digest,
    keys: &'k [PublicKey],
) -> Result<&'k PublicKey, Doubt> {
    match evidence {
        Evidence::Simple { payload, signature } => simple::verify(payload, signature, digest, keys),
        Evidence::Bundle(bundle) => bundle::verify(bundle, digest, keys),
    }
}

/// Foreign words, fit for an error.
pub(crate) fn shown(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(100).map(clean).collect()
}

#[cfg(test)]
#[path = "evidence_tests.rs"]
mod tests;
