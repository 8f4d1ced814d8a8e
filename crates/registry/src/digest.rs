//! Content digests: `sha256:` and 64 lower-case hex digits, nothing else.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// The SHA-256 of some content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// Why a text is not a [`Digest`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// A well-formed digest of another algorithm.
    #[error("digest algorithm {0:?} is not supported; only sha256 is")]
    Algorithm(String),
    /// Not a digest at all.
    #[error("{0:?} is not a digest; expected `sha256:` and 64 lower-case hex digits")]
    Malformed(String),
}

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// From the raw hash.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let shown = || text.chars().take(100).filter(|c| !c.is_control()).collect();
        let malformed = || DigestError::Malformed(shown());
        let (algorithm, hash) = text.split_once(':').ok_or_else(malformed)?;
        let lower_hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        if algorithm != "sha256" {
            let plain = |c: u8| c.is_ascii_alphanumeric() || b"+._-".contains(&c);
            return Err(
                if !algorithm.is_empty() && algorithm.len() <= 32 && algorithm.bytes().all(plain) {
                    DigestError::Algorithm(algorithm.to_owned())
                } else {
                    malformed()
                },
            );
        }
        let mut bytes = [0; 32];
        if !hash.bytes().all(lower_hex) || hex::decode_to_slice(hash, &mut bytes).is_err() {
            return Err(malformed());
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_writes() {
        let digest = Digest::of(b"");
        assert_eq!(
            digest.to_string(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(digest.to_string().parse(), Ok(digest));
    }

    #[test]
    fn refuses_other_algorithms_and_spellings() {
        let parse = |text: &str| text.parse::<Digest>();
        let sha512 = format!("sha512:{}", "0".repeat(128));
        assert_eq!(parse(&sha512), Err(DigestError::Algorithm("sha512".into())));
        let upper = Digest::of(b"").to_string().to_uppercase();
        for bad in [
            "",
            ":",
            "sha256:",
            "sha256:00",
            "latest",
            &upper,
            "sha256:zz",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
