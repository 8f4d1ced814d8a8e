//! An image of the spec, or why it can't be looked at.

use std::collections::BTreeSet;

use nodeimage_images::{Error, ErrorKind, Image, Images};
use nodeimage_spec::reference::{BUILTIN_INIT, Reference};
use nodeimage_spec::{Digest, Options, parse_label};

use super::Linted;
use crate::BuildError;
use crate::facts::CONFIG_LABEL;

/// An image with its label; no layer is read.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) image: Image,
    pub(super) label: Options,
}

/// Why an image can't be looked at: a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unseen(pub(super) String);

/// Opens what a reference stands for.
pub(super) fn open(
    images: &Images,
    linted: &Linted<'_>,
    reference: &str,
) -> Result<Result<Opened, Unseen>, BuildError> {
    let architecture = linted.architecture.name();
    let digest = match pinned(linted, reference) {
        Some(digest) => digest,
        None => match images.resolve(reference, &[architecture]) {
            Ok(found) => found.digest,
            Err(error) => return unseen(error).map(Err),
        },
    };
    let image = match images.open(reference, &digest, architecture) {
        Ok(image) => image,
        Err(error) => return unseen(error).map(Err),
    };
    let label = image.config.labels.get(CONFIG_LABEL);
    let label = match label.map(|text| parse_label(text)).transpose() {
        Ok(label) => label.unwrap_or_default(),
        Err(faults) => {
            let reason = format!("its label `{CONFIG_LABEL}` is not valid: {faults}");
            return Ok(Err(Unseen(reason)));
        }
    };
    Ok(Ok(Opened { image, label }))
}

/// The digest in the reference, or in the lock.
fn pinned(linted: &Linted<'_>, reference: &str) -> Option<Digest> {
    let parsed = Reference::parse(reference).ok()?;
    if let Some(digest) = parsed.digest() {
        return Some(*digest);
    }
    let lock = linted.lock?;
    let locked = match reference {
        BUILTIN_INIT => lock.init.as_ref(),
        _ => lock.images.get(reference),
    }?;
    let platform = locked.platforms.get(&linted.architecture.platform());
    Some(*platform.unwrap_or(&locked.digest))
}

/// An error as a reason; a request to stop as what it is.
pub(super) fn unseen(error: Error) -> Result<Unseen, BuildError> {
    if error.is_cancelled() {
        return Err(error.into());
    }
    let reason = match &*error.kind {
        ErrorKind::Sources { errors, .. } if errors.iter().all(|error| error.is_not_found()) => {
            "it is not at hand: neither the store nor a local source has it".to_owned()
        }
        // Without their places, so that one reason for many images reads the same.
        ErrorKind::Sources { errors, .. } => {
            let kinds: BTreeSet<String> = errors
                .iter()
                .filter(|error| !error.is_not_found())
                .map(|error| error.kind.to_string())
                .collect();
            let kinds: Vec<String> = kinds.into_iter().collect();
            format!("it is not at hand: {}", kinds.join("; "))
        }
        kind => kind.to_string(),
    };
    Ok(Unseen(reason))
}
