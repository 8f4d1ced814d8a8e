//! The kernel as a file of its own in the store, and what it says of itself.

mod codec;
mod version;

use std::io::{self, Read};
use std::sync::Arc;

use nodeimage_disk::{Extents, Sha256, StoredFile};
use nodeimage_images::store::{Bucket, Check, Store, StoreError, Writer};
use nodeimage_images::{Data, Images};
use nodeimage_spec::LockedSpec;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use crate::BuildError;
use crate::facts::OpenImages;
use crate::rootfs::kernel_parts;

pub use codec::{UnsupportedCodec, codec};
pub use version::Version;

/// The kernel of an image.
#[derive(Clone, Debug)]
pub struct StoredKernel {
    /// The kernel.
    pub file: Arc<StoredFile>,
    /// The microcode cpio that goes in front of the initrd.
    pub ucode: Option<Arc<StoredFile>>,
    keys: [Sha256; 2],
    /// Its release (`6.1.0-56-cloud-amd64`), if the header has one: bzImages do.
    pub release: Option<String>,
    /// Its version, wherever it says it.
    pub version: Option<Version>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Facts {
    release: Option<String>,
    version: Option<Version>,
    ucode: bool,
}

impl StoredKernel {
    /// The kernel of the spec, put into the store when it is not there; `None` when there is none.
    pub fn get(
        images: &Images,
        open: &OpenImages<'_>,
        locked: &LockedSpec,
    ) -> Result<Option<Self>, BuildError> {
        let Some(section) = &locked.spec.kernel else {
            return Ok(None);
        };
        let Some(reference) = section.image.as_deref().filter(|image| !image.is_empty()) else {
            return Ok(None);
        };
        let image = open.image(reference).ok_or_else(|| BuildError::Unpinned {
            reference: reference.to_owned(),
        })?;
        let manifest = image.manifest_digest;
        let part = |name: &str, path: &str| -> Sha256 {
            sha2::Sha256::digest(format!("{name} 1 {manifest} {path}")).into()
        };
        let key = part("kernel", section.binary.as_deref().unwrap_or("kernel"));
        let ucode_key = part("ucode", section.ucode.as_deref().unwrap_or_default());
        let store = images.store();
        // The number is raised when the facts are others.
        let facts_key: Sha256 =
            sha2::Sha256::digest([b"facts 2".as_slice(), &key, &ucode_key].concat()).into();
        if let Some(stored) = stored(store, &key, &ucode_key, &facts_key)? {
            return Ok(Some(stored));
        }
        let parts = kernel_parts(section, reference, &images.tree(image)?)?;
        put(store, &key, &parts.kernel)?;
        if let Some((ucode, _)) = &parts.ucode {
            if !is_cpio(ucode).map_err(BuildError::Kernel)? {
                return Err(BuildError::Ucode {
                    reference: reference.to_owned(),
                    path: section.ucode.clone().unwrap_or_default(),
                });
            }
            put(store, &ucode_key, ucode)?;
        }
        let mut from = parts.kernel.open().map_err(BuildError::Kernel)?;
        let said = version::read(&mut from).map_err(BuildError::Kernel)?;
        let facts = Facts {
            release: said.release,
            version: said.version,
            ucode: parts.ucode.is_some(),
        };
        let json = serde_json::to_vec(&facts)?;
        store.replace(Bucket::Images, &facts_key, &json, b"")?;
        match stored(store, &key, &ucode_key, &facts_key)? {
            Some(stored) => Ok(Some(stored)),
            None => Err(BuildError::StoreChanged),
        }
    }

    /// One of these files.
    #[cfg(test)]
    pub(crate) fn of_files(file: Arc<StoredFile>, ucode: Option<Arc<StoredFile>>) -> Self {
        Self {
            file,
            ucode,
            keys: [[0; 32]; 2],
            release: None,
            version: None,
        }
    }

    /// Removes its files from the store if they are damaged; whether they were.
    pub fn remove_damaged(&self, store: &Store) -> Result<bool, StoreError> {
        let [kernel, ucode] = &self.keys;
        let mut damaged = store.get_sound(Bucket::Images, kernel)?.is_none();
        if self.ucode.is_some() {
            damaged |= store.get_sound(Bucket::Images, ucode)?.is_none();
        }
        Ok(damaged)
    }
}

fn stored(
    store: &Store,
    key: &Sha256,
    ucode_key: &Sha256,
    facts_key: &Sha256,
) -> Result<Option<StoredKernel>, StoreError> {
    let Some(facts) = store.get_sound(Bucket::Images, facts_key)? else {
        return Ok(None);
    };
    let Ok(facts) = serde_json::from_slice::<Facts>(&facts.read()?) else {
        return Ok(None);
    };
    let Some(kernel) = store.get(Bucket::Images, key)? else {
        return Ok(None);
    };
    if !is_head_sound(kernel.file()) {
        store.remove(Bucket::Images, key)?;
        return Ok(None);
    }
    let ucode = if facts.ucode {
        let Some(ucode) = store.get(Bucket::Images, ucode_key)? else {
            return Ok(None);
        };
        Some(Arc::clone(ucode.file()))
    } else {
        None
    };
    Ok(Some(StoredKernel {
        file: Arc::clone(kernel.file()),
        ucode,
        keys: [*key, *ucode_key],
        release: facts.release,
        version: facts.version,
    }))
}

/// Whether the first block is what was stored: the UKI is laid out by the header in it. The others
/// are checked when they are written.
fn is_head_sound(kernel: &Arc<StoredFile>) -> bool {
    let extents = Extents::from_file(Arc::clone(kernel));
    let mut head = Vec::new();
    match (extents.blocks().next(), kernel.block_hashes.first()) {
        (Some(block), Some(expected)) => {
            block.read(&mut head).is_ok() && sha2::Sha256::digest(&head).as_slice() == expected
        }
        (block, expected) => block.is_none() && expected.is_none(),
    }
}

fn put(store: &Store, key: &Sha256, data: &Data) -> Result<(), BuildError> {
    if store.get_sound(Bucket::Images, key)?.is_some() {
        return Ok(());
    }
    store.once(Bucket::Images, key, |writer: &mut Writer| {
        writer.set_check(Check::Blocks)?;
        let mut from = data.open().map_err(BuildError::Kernel)?;
        io::copy(&mut from, writer).map_err(BuildError::Kernel)?;
        Ok::<(), BuildError>(())
    })?;
    Ok(())
}

/// Whether it is a cpio as the kernel's microcode loader reads it: newc, uncompressed
/// (Documentation/arch/x86/microcode.rst).
fn is_cpio(ucode: &Data) -> io::Result<bool> {
    let mut magic = Vec::with_capacity(6);
    ucode.open()?.take(6).read_to_end(&mut magic)?;
    Ok(matches!(magic.as_slice(), b"070701" | b"070702"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn microcode_is_an_uncompressed_cpio() {
        let is_cpio = |bytes: &[u8]| super::is_cpio(&Data::Bytes(bytes.into())).unwrap();
        assert!(is_cpio(b"070701and more") && is_cpio(b"070702"));
        for other in [
            &b""[..],
            b"07070",
            b"070707",
            b"\x1f\x8b\x08\0\0\0\0",
            b"GenuineIntel",
        ] {
            assert!(!is_cpio(other), "{other:?}");
        }
    }
}
