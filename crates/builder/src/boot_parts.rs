//! Boot parts: GRUB and the EFI stubs, from the image behind `builtin:boot`.
//!
//! The image's files below `grub/` and `efi/` are the parts, named by their file names. A lock holds
//! the digest of each, so that a locked spec says what will boot it without any image at hand.

use std::collections::BTreeMap;
use std::io;

use nodeimage_disk::Sha256;
use nodeimage_images::store::{Bucket, Store, StoreError};
use nodeimage_images::{Data, Images, Kind, Tree};
use nodeimage_spec::reference::BUILTIN_BOOT;
use nodeimage_spec::{Architecture, Digest};
use sha2::Digest as _;

/// GRUB's first sector.
pub const BOOT_IMG: &str = "boot.img";
/// GRUB's core for disks.
pub const CORE_IMG: &str = "core.img";

/// More than any part has; the largest, El Torito's core, has 160 KiB.
const MAX_PART: u64 = 8 << 20;

/// The EFI stub for an architecture; none for riscv64.
pub fn stub_name(architecture: Architecture) -> Option<&'static str> {
    match architecture {
        Architecture::Amd64 => Some("linuxx64.efi.stub"),
        Architecture::Arm64 => Some("linuxaa64.efi.stub"),
        Architecture::Riscv64 => None,
    }
}

/// Why boot parts can't be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootPartsError {
    /// The image can't be had.
    #[error(transparent)]
    Image(#[from] nodeimage_images::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A part can't be read.
    #[error("cannot read the boot part `{name}`")]
    Read {
        /// The part.
        name: String,
        /// The cause.
        source: io::Error,
    },
    /// The locked spec doesn't name a part that is needed.
    #[error(
        "the boot image has no `{0}`; use a boot image made for this architecture and firmware"
    )]
    Missing(String),
    /// A part is not what the locked spec says.
    #[error(
        "the boot part `{name}` of {image} is not the one in the lock; lock anew with `nodeimage lock`"
    )]
    Changed {
        /// The part.
        name: String,
        /// The boot image.
        image: Digest,
    },
}

/// The parts of the boot image `digest`: name → digest.
pub fn digests(
    images: &Images,
    digest: &Digest,
    architecture: Architecture,
) -> Result<BTreeMap<String, Digest>, BootPartsError> {
    let tree = tree(images, digest, architecture)?;
    files(&tree)
        .map(|(name, data)| Ok((name.clone(), Digest::of(&read(&name, data)?))))
        .collect()
}

/// The named parts, each checked against its digest in `locked`. They are kept in the store by
/// these digests: the image is read for those that are not there.
pub fn load(
    images: &Images,
    locked: &nodeimage_spec::locked::Boot,
    architecture: Architecture,
    names: &[&str],
) -> Result<BTreeMap<String, Vec<u8>>, BootPartsError> {
    // Parts that are kept are not read from the image, and are trusted no more for that.
    images.permit(BUILTIN_BOOT, &locked.digest, architecture.name())?;
    let mut parts = BTreeMap::new();
    let mut image = None;
    for name in names {
        let missing = || BootPartsError::Missing((*name).to_owned());
        let wanted = locked.parts.get(*name).ok_or_else(missing)?;
        if let Some(bytes) = kept(images.store(), wanted)? {
            parts.insert((*name).to_owned(), bytes);
            continue;
        }
        let tree = match &mut image {
            Some(tree) => tree,
            none => none.insert(tree(images, &locked.digest, architecture)?),
        };
        let (_, data) = files(tree)
            .find(|(found, _)| found == name)
            .ok_or_else(missing)?;
        let bytes = read(name, data)?;
        if Digest::of(&bytes) != *wanted {
            return Err(BootPartsError::Changed {
                name: (*name).to_owned(),
                image: locked.digest,
            });
        }
        let store = images.store();
        store.replace(Bucket::Images, &key(wanted), &bytes, b"")?;
        parts.insert((*name).to_owned(), bytes);
    }
    Ok(parts)
}

fn kept(store: &Store, digest: &Digest) -> Result<Option<Vec<u8>>, BootPartsError> {
    match store.get(Bucket::Images, &key(digest))? {
        Some(entry) if entry.file().len <= MAX_PART => {
            let bytes = entry.read()?;
            Ok((Digest::of(&bytes) == *digest).then_some(bytes))
        }
        _ => Ok(None),
    }
}

fn key(digest: &Digest) -> Sha256 {
    sha2::Sha256::digest(format!("boot part 1 {digest}")).into()
}

fn tree(
    images: &Images,
    digest: &Digest,
    architecture: Architecture,
) -> Result<Tree, BootPartsError> {
    let image = images.open(BUILTIN_BOOT, digest, architecture.name())?;
    Ok(images.tree(&image)?)
}

fn files(tree: &Tree) -> impl Iterator<Item = (String, &Data)> {
    tree.iter().filter_map(|(path, node)| {
        let Kind::File(data) = &node.kind else {
            return None;
        };
        let path = std::str::from_utf8(path).ok()?;
        let name = path
            .strip_prefix("grub/")
            .or_else(|| path.strip_prefix("efi/"))?;
        (!name.contains('/')).then(|| (name.to_owned(), data))
    })
}

fn read(name: &str, data: &Data) -> Result<Vec<u8>, BootPartsError> {
    data.read(MAX_PART).map_err(|source| BootPartsError::Read {
        name: name.to_owned(),
        source,
    })
}
