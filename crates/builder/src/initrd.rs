//! The initrd in the UKI: each part from a cluster on, so that it can have its own place on the disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use nodeimage_disk::canonical::{CanonicalError, UkiSegment};
use nodeimage_disk::fat32::CLUSTER;
use nodeimage_disk::uki::UkiError;
use nodeimage_disk::{Extents, Sha256};
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
        let named = |text: &str| -> Sha256 { sha2::Sha256::digest(text).into() };
        let mut parts = Vec::new();
        parts.extend(ucode.map(|file| (None, Extents::from_file(file))));
        let mut seen = BTreeMap::new();
        for segment in &machine.segments {
            let file = Extents::from_file(Arc::clone(&segment.file));
            // Two of one name, as they come.
            let count = seen.entry(segment.identity.as_str()).or_insert(0_u32);
            let identity = named(&format!("{}#{count}", segment.identity));
            *count += 1;
            parts.push((Some((segment.key, identity, false)), file));
        }
        let own = machine.own.clone().map(Extents::from_bytes);
        let own_key = named("etc/nodeimage");
        // It has the image id.
        parts.extend(own.map(|own| (Some((own_key, own_key, true)), own)));

        let mut len = 0_u64;
        let mut places = Vec::with_capacity(parts.len());
        for (ids, part) in &parts {
            let offset = len;
            len = (len.checked_add(part.size()))
                .and_then(|end| end.checked_next_multiple_of(CLUSTER))
                .ok_or(UkiError::TooLarge)?;
            places.push((*ids, part, offset));
        }
        let mut extents = Extents::new(len);
        let mut segments = Vec::new();
        for (ids, part, offset) in places {
            extents.place(offset, part).map_err(CanonicalError::from)?;
            segments.extend(ids.map(|(key, identity, is_volatile)| UkiSegment {
                key,
                identity,
                is_volatile,
                offset,
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

#[cfg(test)]
mod tests {
    use nodeimage_disk::StoredFile;
    use nodeimage_spec::Architecture;

    use super::*;
    use crate::kernel::StoredKernel;
    use crate::segment::Codec;

    #[test]
    fn microcode_stands_first_and_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let stored = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            Arc::new(StoredFile {
                path,
                len: bytes.len() as u64,
                block_hashes: vec![],
            })
        };
        let microcode = b"070701 and so on";
        let machine = Machine {
            id: [0; 32],
            architecture: Architecture::Amd64,
            kernel: Some(StoredKernel::of_files(
                stored("kernel", b"MZ"),
                Some(stored("ucode", microcode)),
            )),
            cmdline: String::new(),
            segments: vec![],
            own: Some(b"own"[..].into()),
            codec: Codec::Lz4,
        };
        let initrd = Initrd::of(&machine).unwrap();
        let mut bytes = vec![0; initrd.extents.size() as usize];
        initrd.extents.read_at(0, &mut bytes).unwrap();
        assert!(bytes.starts_with(microcode));
        let own = &initrd.segments_from(100)[0];
        let at = (own.offset - 100) as usize;
        assert!(
            at >= microcode.len() && at.is_multiple_of(4),
            "where the kernel looks for a cpio"
        );
        assert_eq!(bytes[at..at + 3], *b"own");
        assert!(bytes[microcode.len()..at].iter().all(|byte| *byte == 0));
    }
}
