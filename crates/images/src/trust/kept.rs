//! Signatures in the store, so that later builds need no registry. What is kept is the signature,
//! not the verdict: it is verified each time, and a store that somebody wrote to proves nothing.

use nodeimage_disk::Sha256;
use nodeimage_spec::Digest;
use nodeimage_trust::{BUNDLE_BYTES, Evidence, PublicKey, verify};
use sha2::Digest as _;

use crate::store::{Bucket, Store, StoreError};

/// Whether a kept signature by one of `keys` holds.
pub(super) fn holds(
    store: &Store,
    digest: &Digest,
    keys: &[PublicKey],
) -> Result<bool, StoreError> {
    for one in keys {
        let Some(entry) = store.get(Bucket::Signatures, &key(digest, one))? else {
            continue;
        };
        // Base64 adds a third.
        if entry.file().len <= 2 * BUNDLE_BYTES
            && let Ok(evidence) = Evidence::from_json(&entry.read()?)
            && verify(&evidence, digest, keys).is_ok()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Keeps a signature that holds.
pub(super) fn keep(
    store: &Store,
    digest: &Digest,
    by: &PublicKey,
    evidence: &Evidence,
) -> Result<(), StoreError> {
    let text = evidence.to_json();
    store.replace(Bucket::Signatures, &key(digest, by), text.as_bytes(), b"")?;
    Ok(())
}

fn key(digest: &Digest, by: &PublicKey) -> Sha256 {
    let by = hex::encode(by.fingerprint());
    sha2::Sha256::digest(format!("signature 1 {digest} {by}")).into()
}
