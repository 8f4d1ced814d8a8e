//! The initrd in the UKI: each part in its slot, zeros in between.

use std::sync::Arc;

use nodeimage_disk::canonical::{CanonicalError, UkiSegment};
use nodeimage_disk::uki::UkiError;
use nodeimage_disk::{Extents, Sha256, slot};
use sha2::Digest as _;

use crate::{BuildError, Machine};

/// The initrd's bytes and the places of its segments in it.
#[derive(Debug)]
pub(crate) struct Initrd {
    pub(crate) extents: Extents,
    /// Offsets are from the initrd's start.
    segments: Vec<UkiSegment>,
}

impl Initrd {
    /// Microcode first, which the kernel looks for at the start, then the segments.
    pub(crate) fn of(machine: &Machine) -> Result<Self, BuildError> {
        let ucode = machine
            .kernel
            .as_ref()
            .and_then(|kernel| kernel.ucode.clone());
        let own_key: Sha256 = sha2::Sha256::digest(b"etc/nodeimage").into();
        let mut parts = Vec::new();
        parts.extend(ucode.map(|file| (None, Extents::from_file(file))));
        for segment in &machine.segments {
            let file = Extents::from_file(Arc::clone(&segment.file));
            parts.push((Some(segment.key), file));
        }
        let own = machine.own.clone().map(Extents::from_bytes);
        parts.extend(own.map(|own| (Some(own_key), own)));

        let lens: Vec<u64> = parts.iter().map(|(_, part)| part.size()).collect();
        let slots = slot::pack(&lens).ok_or(UkiError::TooLarge)?;
        let mut extents = Extents::new(slots.len);
        let mut segments = Vec::new();
        for ((key, part), offset) in parts.iter().zip(&slots.offsets) {
            extents.place(*offset, part).map_err(CanonicalError::from)?;
            segments.extend(key.map(|key| UkiSegment {
                key,
                offset: *offset,
                len: part.size(),
            }));
        }
        Ok(Self { extents, segments })
    }

    /// The segments, the initrd beginning at `start`.
    pub(crate) fn segments_from(&self, start: u64) -> Vec<UkiSegment> {
        let moved = |segment: &UkiSegment| UkiSegment {
            offset: start + segment.offset,
            ..segment.clone()
        };
        self.segments.iter().map(moved).collect()
    }
}
