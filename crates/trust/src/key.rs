//! Public keys: PEM of a `SubjectPublicKeyInfo` (RFC 5280, RFC 7468), as `cosign generate-key-pair`
//! and `openssl … -pubout` write them.

use std::fmt;

use aws_lc_rs::signature::{self, ParsedPublicKey, RsaPssSaltLength, VerificationAlgorithm};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::Digest as _;

type Algorithms = &'static [&'static dyn VerificationAlgorithm];

/// What cosign signs with such keys: SHA-256 with every key, and since 2.6 the hash that belongs to
/// the curve.
static KINDS: [(&str, Algorithms); 5] = [
    ("ECDSA P-256", &[&signature::ECDSA_P256_SHA256_ASN1]),
    (
        "ECDSA P-384",
        &[
            &signature::ECDSA_P384_SHA384_ASN1,
            &signature::ECDSA_P384_SHA256_ASN1,
        ],
    ),
    (
        "ECDSA P-521",
        &[
            &signature::ECDSA_P521_SHA512_ASN1,
            &signature::ECDSA_P521_SHA256_ASN1,
        ],
    ),
    ("Ed25519", &[&signature::ED25519]),
    (
        "RSA",
        &[
            &signature::RSA_PKCS1_2048_8192_SHA256,
            &signature::RSA_PKCS1_2048_8192_SHA384,
            &signature::RSA_PKCS1_2048_8192_SHA512,
            &signature::RSA_PSS_2048_8192_SHA256,
            &signature::RSA_PSS_2048_8192_SHA384,
            &signature::RSA_PSS_2048_8192_SHA512,
            // Go's library signs with the longest salt when it is told nothing.
            &signature::RSA_PSS_2048_8192_SHA256.with_pss_salt_length(RsaPssSaltLength::Max),
            &signature::RSA_PSS_2048_8192_SHA384.with_pss_salt_length(RsaPssSaltLength::Max),
            &signature::RSA_PSS_2048_8192_SHA512.with_pss_salt_length(RsaPssSaltLength::Max),
        ],
    ),
];

/// A modulus of 2048 bits alone has 256 bytes; its DER is longer.
const SHORTEST_RSA: usize = 270;

/// Why a key can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// There is a private key in it.
    #[error("holds a private key; name the public one (cosign.pub) and keep this one secret")]
    Private,
    /// There is a certificate in it.
    #[error(
        "holds a certificate; write its public key instead (openssl x509 -pubkey -noout -in FILE)"
    )]
    Certificate,
    /// It has no such block.
    #[error("holds no public key; write one that begins with -----BEGIN PUBLIC KEY-----")]
    NoKey,
    /// It has several.
    #[error("holds several keys; write each into a file of its own and list the files")]
    Several,
    /// The block is damaged.
    #[error("is damaged: what stands between BEGIN and END is not base64")]
    Damaged,
    /// The key is too short.
    #[error("is an RSA key of fewer than 2048 bits, which is not safe; make a longer one")]
    Short,
    /// It is of a kind cosign doesn't sign with.
    #[error("is no key that can be used; make an ECDSA (P-256, P-384, P-521), Ed25519 or RSA key")]
    Kind,
}

/// A public key.
#[derive(Clone)]
pub struct PublicKey {
    name: String,
    der: Vec<u8>,
    kind: usize,
}

impl PublicKey {
    /// Reads PEM. `name` stands for the key in messages: its file.
    ///
    /// # Errors
    /// When the text is not exactly one public key of a known kind.
    pub fn from_pem(name: impl Into<String>, text: &str) -> Result<Self, KeyError> {
        let der = decode(text)?;
        let fits = |(_, algorithms): &(&str, Algorithms)| {
            let parses = |algorithm: &&'static dyn VerificationAlgorithm| {
                ParsedPublicKey::new(*algorithm, &der).is_ok()
            };
            algorithms.first().is_some_and(parses)
        };
        let kind = KINDS.iter().position(fits).ok_or(KeyError::Kind)?;
        if KINDS[kind].0 == "RSA" && der.len() < SHORTEST_RSA {
            return Err(KeyError::Short);
        }
        Ok(Self {
            name: name.into(),
            der,
            kind,
        })
    }

    /// What stands for it in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `ECDSA P-256`.
    pub fn kind(&self) -> &'static str {
        KINDS[self.kind].0
    }

    /// sha256 of its DER: the same for every file that holds this key.
    pub fn fingerprint(&self) -> [u8; 32] {
        sha2::Sha256::digest(&self.der).into()
    }

    /// Whether `signature` over `message` was made with its private key.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        KINDS[self.kind].1.iter().any(|algorithm| {
            ParsedPublicKey::new(*algorithm, &self.der)
                .is_ok_and(|key| key.verify_sig(message, signature).is_ok())
        })
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.kind())
    }
}

/// The DER between the two lines; text around them is allowed (RFC 7468, section 2).
fn decode(text: &str) -> Result<Vec<u8>, KeyError> {
    const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
    const END: &str = "-----END PUBLIC KEY-----";
    if text.contains("PRIVATE KEY-----") {
        return Err(KeyError::Private);
    }
    let Some((_, rest)) = text.split_once(BEGIN) else {
        return Err(if text.contains("-----BEGIN CERTIFICATE-----") {
            KeyError::Certificate
        } else {
            KeyError::NoKey
        });
    };
    let (body, after) = rest.split_once(END).ok_or(KeyError::Damaged)?;
    if after.contains(BEGIN) {
        return Err(KeyError::Several);
    }
    let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(body).map_err(|_| KeyError::Damaged)
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
