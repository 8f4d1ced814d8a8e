//! Which images may be used: a policy outside the YAML, and the signatures it asks for.
//!
//! ```text
//! [trust] ─► Policy ─► Line (rule of the longest prefix) ─► accept │ digest │ cosign(keys) │ reject
//!                                              Evidence + keys + digest ─► verify
//! ```
//!
//! Signatures are those of sigstore's cosign, made with a key: the simple signing payload
//! ("Cosign Signature Specification", after Red Hat's container signature format) and the sigstore
//! bundle 0.3 with a DSSE envelope around an in-toto statement. Nothing here reads images or asks a
//! registry; whoever does hands in [`Evidence`].
//!
//! Everything fails closed: an unknown key of a policy, a public key that can't be read, an image
//! that no line fits.

mod bundle;
mod evidence;
mod key;
pub mod name;
mod policy;
mod read;
mod refusal;
mod simple;
#[cfg(test)]
mod testing;

pub use evidence::{Doubt, Evidence, EvidenceError, verify};
pub use key::{KeyError, PublicKey};
pub use policy::{Line, MAX_KEYS, Policy, Rule};
pub use read::{Fault, PolicyError, PolicyFault};
pub use refusal::{Reason, Refusal};

/// Longest signed payload that is read, in bytes: cosign's have some 250.
pub const PAYLOAD_BYTES: u64 = 64 << 10;

/// Longest sigstore bundle that is read, in bytes: with certificates and log entries they have
/// some 20 KiB.
pub const BUNDLE_BYTES: u64 = 1 << 20;

/// Longest public key file, in bytes.
pub const KEY_BYTES: u64 = 64 << 10;

/// Longest policy text, in bytes.
pub const POLICY_BYTES: usize = 4 << 20;
