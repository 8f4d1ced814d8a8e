//! Why an image may not be used: which line of which policy says so, and what to do.

use nodeimage_spec::Digest;

use crate::policy::{Line, Policy, Rule};

/// An image that a policy refuses.
#[derive(Debug, thiserror::Error)]
#[error("refused by {place} ({line}): {reason}")]
pub struct Refusal {
    /// `nodeimage.toml:12`.
    pub place: String,
    /// What the line says.
    pub line: String,
    /// Why it refuses.
    pub reason: Reason,
}

/// Why a line refuses.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// Nothing is said about it.
    #[error(
        "no line fits {0:?} and there is no default; add a line for it, or for all others `default = \"digest\"`"
    )]
    NoLine(String),
    /// The line says so.
    #[error("it is never used; take another image, or change this line")]
    Rejected,
    /// It has no digest.
    #[error(
        "a tag alone says nothing about its content; write a lock with `nodeimage lock`, or add its digest (@sha256:…) in the YAML"
    )]
    NoDigest,
    /// There is no signature that holds.
    #[error(
        "no signature of {digest} by {keys} was found: {}; sign it with `cosign sign --key`, or change this line",
        said(found)
    )]
    Unsigned {
        /// The image.
        digest: Digest,
        /// Names of the keys.
        keys: String,
        /// What was found instead, and where nothing could be read.
        found: Vec<String>,
    },
}

impl Refusal {
    /// A refusal by a line of `policy`; by the policy as a whole where no line fits.
    pub fn new(policy: &Policy, line: Option<&Line>, reason: Reason) -> Self {
        Self {
            place: policy.place(line),
            line: line.map_or_else(|| "trust policy".to_owned(), ToString::to_string),
            reason,
        }
    }

    /// There is no signature by the keys of this line; `found` tells what there is.
    pub fn unsigned(policy: &Policy, line: &Line, digest: Digest, found: Vec<String>) -> Self {
        let names: Vec<&str> = match &line.rule {
            Rule::Cosign(keys) => keys.iter().map(crate::PublicKey::name).collect(),
            _ => Vec::new(),
        };
        let keys = names.join(" or ");
        let reason = Reason::Unsigned {
            digest,
            keys,
            found,
        };
        Self::new(policy, Some(line), reason)
    }
}

/// Each thing once, and not all of very many.
fn said(found: &[String]) -> String {
    const SHOWN: usize = 4;
    let mut once: Vec<&str> = Vec::new();
    for text in found {
        if !once.contains(&text.as_str()) {
            once.push(text);
        }
    }
    let more = once.len().saturating_sub(SHOWN);
    once.truncate(SHOWN);
    match (once.is_empty(), more) {
        (true, _) => "there is none at all".to_owned(),
        (false, 0) => once.join("; "),
        (false, more) => format!("{}; and {more} more", once.join("; ")),
    }
}
