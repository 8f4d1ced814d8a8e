//! Segments in the store: looked up by what decides their bytes, made when they are missing.

use std::num::NonZeroUsize;
use std::sync::Arc;

use nodeimage_disk::{Sha256, StoredFile};
use nodeimage_images::store::{Bucket, Check, Entry, Store, StoreError, Writer};
use sha2::Digest as _;

use crate::BuildError;
use crate::budget::Budget;
use crate::parallel::parallel;
use crate::rootfs::{Component, Inputs, Trees, without_boot};
use crate::segment::{Codec, SegmentFacts, make};
use crate::stop::Stop;

/// Memory of all compressors that run at once, in bytes: zstd's on 12 threads.
const COMPRESSORS: u64 = 192 << 20;

/// A segment of an initrd.
#[derive(Clone, Debug)]
pub struct StoredSegment {
    /// Its component: `init[0]`, `services[1]`, `files` …
    pub label: String,
    /// The reference of its image, or what else its files come from.
    pub source: String,
    /// What its place on a disk follows from: [`Component::identity`].
    pub identity: String,
    /// Digest of what decides its bytes.
    pub key: Sha256,
    /// Its bytes, with block hashes.
    pub file: Arc<StoredFile>,
    /// What is kept beside them.
    pub facts: SegmentFacts,
}

/// Makes segments, or finds them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segments<'a> {
    pub(crate) store: &'a Store,
    pub(crate) codec: Codec,
    pub(crate) recipe: u32,
    pub(crate) threads: NonZeroUsize,
    pub(crate) stop: &'a Stop,
    pub(crate) budget: &'a Budget,
}

impl Segments<'_> {
    /// The segments of all components, in order. Missing ones are made, several at once, as long as
    /// their compressors' memory stays within bounds; all failures are reported.
    pub(crate) fn all(
        &self,
        trees: &(dyn Trees + Sync),
        components: &[Component],
    ) -> Result<Vec<StoredSegment>, BuildError> {
        let threads = self.threads.min(at_once(self.codec));
        let results = parallel(components, threads, |component| self.one(trees, component));
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

    /// The segment of one component.
    pub(crate) fn one(
        &self,
        trees: &dyn Trees,
        component: &Component,
    ) -> Result<StoredSegment, BuildError> {
        let key = key(component, self.codec, self.recipe);
        let place = place(&key);
        let stored = |entry: &Entry| -> Option<StoredSegment> {
            Some(StoredSegment {
                label: component.label.clone(),
                source: component.source.clone(),
                identity: component.identity(),
                key,
                file: Arc::clone(entry.file()),
                facts: serde_json::from_slice(entry.meta()).ok()?,
            })
        };
        if let Some(entry) = self.store.get(Bucket::Segments, &place)? {
            match stored(&entry) {
                Some(segment) => return Ok(segment),
                // Another program's: make it anew.
                None => self.store.remove(Bucket::Segments, &place)?,
            }
        }
        self.stop.check()?;
        let entry = self.store.once(Bucket::Segments, &place, |writer| {
            self.make(trees, component, writer)
        })?;
        stored(&entry).ok_or(BuildError::StoreChanged)
    }

    fn make(
        &self,
        trees: &dyn Trees,
        component: &Component,
        writer: &mut Writer,
    ) -> Result<(), BuildError> {
        writer.set_check(Check::Blocks)?;
        let _share = self.budget.take(component.entries(trees)?);
        let tree = without_boot(component.tree(trees)?);
        let facts = make(&tree, self.codec, self.stop.writer(&mut *writer));
        self.stop.check()?;
        let facts = facts.map_err(|source| BuildError::Segment {
            component: format!("{} (`{}`)", component.label, component.source),
            source,
        })?;
        writer.set_meta(serde_json::to_vec(&facts)?);
        Ok(())
    }
}

/// How many compressors may run at once.
fn at_once(codec: Codec) -> NonZeroUsize {
    let number = COMPRESSORS / codec.memory();
    usize::try_from(number)
        .ok()
        .and_then(NonZeroUsize::new)
        .unwrap_or(NonZeroUsize::MIN)
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

/// The store's key. [`SegmentFacts`] may change without a change of the bytes, for which the key
/// stands on disks; then the number is raised.
fn place(key: &Sha256) -> Sha256 {
    sha2::Sha256::digest([b"segment with facts 2".as_slice(), key].concat()).into()
}

/// Removes segments whose bytes are not what their block hashes say; whether there were any.
pub(crate) fn remove_damaged(
    store: &Store,
    segments: &[StoredSegment],
) -> Result<bool, StoreError> {
    let mut damaged = false;
    for segment in segments {
        let found = store.get_sound(Bucket::Segments, &place(&segment.key))?;
        damaged |= found.is_none();
    }
    Ok(damaged)
}

#[cfg(test)]
mod tests;
