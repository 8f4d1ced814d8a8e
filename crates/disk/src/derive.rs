//! Identifiers that other tools draw at random: here they follow from the image id.

use sha2::{Digest, Sha256 as Hasher};

use crate::Sha256;

/// 32 bytes for one purpose and label, different for every image.
pub(crate) fn derive(purpose: &str, image_id: &Sha256, label: &str) -> Sha256 {
    let mut hasher = Hasher::new();
    hasher.update(b"nodeimage ");
    hasher.update(purpose);
    hasher.update([0]);
    hasher.update(image_id);
    hasher.update(label);
    hasher.finalize().into()
}
