//! Locked specs by image id: what was built here can be named by its id later.

use nodeimage_disk::Sha256;
use nodeimage_images::store::{Bucket, Store, StoreError};
use nodeimage_spec::{LockedError, LockedSpec};
use sha2::Digest as _;

/// Fewer digits of an id are too easily another image's.
const LEAST_DIGITS: usize = 12;
/// Ids shown when a prefix fits several.
const SHOWN: usize = 4;

/// Why an id leads to no locked spec.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecallError {
    /// It is no id.
    #[error(
        "`{0}` is no image id: give `sha256:` and 64 hexadecimal digits, or the first 12 or more of them"
    )]
    NoId(String),
    /// Nothing was built under it here, or it has left the store since.
    #[error(
        "the store knows no image {0}; ids are known where the image was built: build it here once, or name its YAML or locked spec"
    )]
    Unknown(String),
    /// Several ids begin with it.
    #[error("{given} is not clear, it may be {}; give more digits", shown(found))]
    Ambiguous {
        /// What was given.
        given: String,
        /// The ids, sorted.
        found: Vec<String>,
    },
    /// Written by another version of the program.
    #[error("the locked spec of {id} in the store can't be read: {source}")]
    Spec {
        /// The image.
        id: String,
        /// The cause.
        source: LockedError,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn shown(found: &[String]) -> String {
    let mut text = found
        .iter()
        .take(SHOWN)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    if found.len() > SHOWN {
        text.push_str(" …");
    }
    text
}

/// Keeps a locked spec under its id.
pub fn remember(store: &Store, locked: &LockedSpec) -> Result<(), StoreError> {
    let json = locked.to_json();
    let key: Sha256 = sha2::Sha256::digest(&json).into();
    if store.get(Bucket::Specs, &key)?.is_none() {
        store.replace(Bucket::Specs, &key, json.as_bytes(), b"")?;
    }
    Ok(())
}

/// The locked spec of an image: `sha256:…`, or at least 12 digits that only its id begins with.
pub fn recall(store: &Store, id: &str) -> Result<LockedSpec, RecallError> {
    let digits = id.strip_prefix("sha256:").unwrap_or(id);
    let is_digits = digits
        .bytes()
        .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !is_digits || !(LEAST_DIGITS..=64).contains(&digits.len()) {
        return Err(RecallError::NoId(id.chars().take(80).collect()));
    }
    let name = |key: &Sha256| format!("sha256:{}", hex::encode(key));
    let found = store.keys(Bucket::Specs, digits)?;
    let key = match found.as_slice() {
        [] => return Err(RecallError::Unknown(id.to_owned())),
        [one] => one,
        several => {
            return Err(RecallError::Ambiguous {
                given: id.to_owned(),
                found: several.iter().map(name).collect(),
            });
        }
    };
    let Some(entry) = store.get_sound(Bucket::Specs, key)? else {
        return Err(RecallError::Unknown(id.to_owned()));
    };
    let bytes = entry.read()?;
    if Sha256::from(sha2::Sha256::digest(&bytes)) != *key {
        return Err(RecallError::Unknown(id.to_owned()));
    }
    let text = String::from_utf8_lossy(&bytes);
    LockedSpec::parse(&text).map_err(|source| RecallError::Spec {
        id: name(key),
        source,
    })
}
