//! Segments in the store: looked up by what decides their bytes, made when they are missing.

use std::num::NonZeroUsize;
use std::sync::Arc;

use nodeimage_disk::{Sha256, StoredFile};
use nodeimage_images::Images;
use nodeimage_images::store::{Bucket, Check, Entry, Store, StoreError, Writer};
use sha2::Digest as _;

use crate::BuildError;
use crate::facts::OpenImages;
use crate::parallel::parallel;
use crate::rootfs::{Component, Inputs, without_boot};
use crate::segment::{Codec, SegmentFacts, make};

/// A segment of an initrd.
#[derive(Clone, Debug)]
pub struct StoredSegment {
    /// Its component: `init[0]`, `services[1]`, `files` …
    pub label: String,
    /// The reference of its image, or what else its files come from.
    pub source: String,
    /// Digest of what decides its bytes.
    pub key: Sha256,
    /// Its bytes, with block hashes.
    pub file: Arc<StoredFile>,
    /// What is kept beside them.
    pub facts: SegmentFacts,
}

/// The segments of all components, in order. Missing ones are made on `threads` threads.
pub fn segments(
    images: &Images,
    open: &OpenImages<'_>,
    components: &[Component],
    codec: Codec,
    recipe: u32,
    threads: NonZeroUsize,
) -> Result<Vec<StoredSegment>, BuildError> {
    let results = parallel(components, threads, |component| {
        segment(images.store(), open, component, codec, recipe)
    });
    let mut segments = Vec::with_capacity(results.len());
    let mut failures = Vec::new();
    for result in results {
        match result {
            Ok(segment) => segments.push(segment),
            Err(error) => failures.push(error),
        }
    }
    if failures.is_empty() {
        Ok(segments)
    } else {
        Err(BuildError::many(failures))
    }
}

fn segment(
    store: &Store,
    open: &OpenImages<'_>,
    component: &Component,
    codec: Codec,
    recipe: u32,
) -> Result<StoredSegment, BuildError> {
    let key = key(component, codec, recipe);
    let stored = |entry: &Entry| -> Option<StoredSegment> {
        Some(StoredSegment {
            label: component.label.clone(),
            source: component.source.clone(),
            key,
            file: Arc::clone(entry.file()),
            facts: serde_json::from_slice(entry.meta()).ok()?,
        })
    };
    if let Some(segment) = store.get(Bucket::Segments, &key)?.as_ref().and_then(stored) {
        return Ok(segment);
    }
    let entry = store.once(Bucket::Segments, &key, |writer: &mut Writer| {
        writer.set_check(Check::Blocks)?;
        let tree = without_boot(component.tree(open)?);
        let facts = make(&tree, codec, &mut *writer).map_err(|source| BuildError::Segment {
            component: component.label.clone(),
            source,
        })?;
        writer.set_meta(serde_json::to_vec(&facts).unwrap_or_default());
        Ok::<(), BuildError>(())
    })?;
    stored(&entry).ok_or(BuildError::StoreTooSmall)
}

/// The initrd holds nothing of `boot/`, so the command line and the microcode must not count.
fn key(component: &Component, codec: Codec, recipe: u32) -> Sha256 {
    let mut inputs = component.inputs.clone();
    if let Inputs::Kernel {
        binary,
        ucode,
        cmdline,
        ..
    } = &mut inputs
    {
        binary.clear();
        cmdline.clear();
        *ucode = None;
    }
    let mut hash = sha2::Sha256::new();
    hash.update(format!("segment recipe {recipe} codec {}\n", codec.id()));
    hash.update(inputs.digest());
    hash.finalize().into()
}

/// Whether a stored file still holds what its block hashes say; see [`Store::get_sound`].
pub fn remove_damaged(store: &Store, segments: &[StoredSegment]) -> Result<bool, StoreError> {
    let mut damaged = false;
    for segment in segments {
        damaged |= store.get_sound(Bucket::Segments, &segment.key)?.is_none();
    }
    Ok(damaged)
}
