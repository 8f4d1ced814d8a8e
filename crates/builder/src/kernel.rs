//! The kernel as a file of its own in the store, and what its header says.

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
use crate::segment::Codec;

/// The first kernel that unpacks zstd initrds.
const FIRST_WITH_ZSTD: (u32, u32) = (5, 9);
/// Offset of the version's offset in a bzImage (Documentation/arch/x86/boot.rst, `kernel_version`).
const VERSION_POINTER: usize = 0x20e;

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
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Facts {
    release: Option<String>,
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
        let facts_key: Sha256 = sha2::Sha256::digest([key, ucode_key].concat()).into();
        if let Some(stored) = stored(store, &key, &ucode_key, &facts_key)? {
            return Ok(Some(stored));
        }
        let parts = kernel_parts(section, reference, &images.tree(image)?)?;
        put(store, &key, &parts.kernel)?;
        if let Some((ucode, _)) = &parts.ucode {
            put(store, &ucode_key, ucode)?;
        }
        let facts = Facts {
            release: release(&parts.kernel)?,
            ucode: parts.ucode.is_some(),
        };
        let json = serde_json::to_vec(&facts)?;
        store.replace(Bucket::Images, &facts_key, &json, b"")?;
        match stored(store, &key, &ucode_key, &facts_key)? {
            Some(stored) => Ok(Some(stored)),
            None => Err(BuildError::StoreChanged),
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

    /// What `auto` means for this kernel.
    pub fn codec(&self) -> Codec {
        match self.release.as_deref().and_then(version) {
            Some(version) if version < FIRST_WITH_ZSTD => Codec::Gzip,
            _ => Codec::Zstd,
        }
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

/// The release a bzImage's header names: the first word of its version string.
fn release(kernel: &Data) -> Result<Option<String>, BuildError> {
    let mut head = Vec::new();
    kernel
        .open()
        .and_then(|from| from.take(64 * 1024).read_to_end(&mut head))
        .map_err(BuildError::Kernel)?;
    Ok(release_in(&head))
}

fn release_in(head: &[u8]) -> Option<String> {
    if head.get(0x202..0x206)? != b"HdrS" {
        return None;
    }
    let pointer = head.get(VERSION_POINTER..VERSION_POINTER + 2)?;
    let at = usize::from(u16::from_le_bytes([pointer[0], pointer[1]])) + 0x200;
    let text = head.get(at..)?;
    let end = text
        .iter()
        .take(256)
        .position(|byte| matches!(byte, 0 | b' '))?;
    let release = std::str::from_utf8(&text[..end]).ok()?;
    (!release.is_empty() && release.bytes().all(|byte| byte.is_ascii_graphic()))
        .then(|| release.to_owned())
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bzimage(version: &[u8]) -> Vec<u8> {
        let mut head = vec![0; 0x410];
        head[0x202..0x206].copy_from_slice(b"HdrS");
        head[VERSION_POINTER..VERSION_POINTER + 2].copy_from_slice(&0x100u16.to_le_bytes());
        head[0x300..0x300 + version.len()].copy_from_slice(version);
        head
    }

    #[test]
    fn the_release_stands_in_the_header() {
        let head = bzimage(b"6.1.0-56-cloud-amd64 (debian-kernel@lists.debian.org) #1");
        assert_eq!(release_in(&head).as_deref(), Some("6.1.0-56-cloud-amd64"));
        assert_eq!(release_in(&bzimage(b"")), None);
        assert_eq!(release_in(&bzimage(&[0xff, b' '])), None);
        assert_eq!(release_in(b"MZ"), None);
        assert_eq!(release_in(&bzimage(&[b'6'; 256])), None, "too long");
        assert_eq!(release_in(&bzimage(b"6.1\x1b[2J x")), None);
        assert_eq!(release_in(&bzimage("6.1-\u{fc} x".as_bytes())), None);
        assert_eq!(release_in(&bzimage(b"6.1\0")).as_deref(), Some("6.1"));
        let mut at_the_end = bzimage(b"");
        at_the_end.truncate(0x300);
        assert_eq!(release_in(&at_the_end), None);
        at_the_end.truncate(VERSION_POINTER + 1);
        assert_eq!(release_in(&at_the_end), None);
        let mut outside = bzimage(b"6.1");
        outside[VERSION_POINTER..VERSION_POINTER + 2].copy_from_slice(&0xffffu16.to_le_bytes());
        assert_eq!(release_in(&outside), None);
    }

    #[test]
    fn old_kernels_get_gzip() {
        let kernel = |release: Option<&str>| {
            let file = Arc::new(StoredFile {
                path: "/k".into(),
                len: 0,
                block_hashes: vec![],
            });
            StoredKernel {
                file,
                ucode: None,
                keys: [[0; 32]; 2],
                release: release.map(str::to_owned),
            }
            .codec()
        };
        assert_eq!(kernel(Some("4.9.184-linuxkit")), Codec::Gzip);
        assert_eq!(kernel(Some("5.8.1")), Codec::Gzip);
        assert_eq!(kernel(Some("5.9.0")), Codec::Zstd);
        assert_eq!(kernel(Some("6.1.0-56-cloud-amd64")), Codec::Zstd);
        for odd in ["", "x", "6", "6.", ".6", "99999999999.1", "6.99999999999"] {
            assert_eq!(kernel(Some(odd)), Codec::Zstd, "{odd}");
        }
        assert_eq!(kernel(None), Codec::Zstd, "arm64 images name none");
    }
}
