//! Spec + digests + file contents → locked spec.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;

use crate::fault::{Fault, Faults, quoted};
use crate::lock::{Lock, LockedImage};
use crate::locked::{Architecture, Boot, DiskOptions, LockedSpec, RECIPE};
use crate::model::{FileEntry, Spec, Volume};
use crate::reference::{BUILTIN_BOOT, BUILTIN_INIT, Digest, Reference};

/// Bytes of all inlined sources together.
pub const MAX_INLINE: usize = 1 << 20;

/// Reads a `source`: its path as the spec gives it, and whether it may be missing (then `None`).
pub type Inline<'a> = dyn FnMut(&str, bool) -> Result<Option<Vec<u8>>, String> + 'a;

/// What locking comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is pinned.
    Locked(Box<LockedSpec>),
    /// These references are not, sorted.
    Unpinned(Vec<String>),
}

/// Which references an image needs, expanded: kernel, init, containers and volumes of the spec,
/// and `builtin:boot`. All architectures need the same ones.
pub fn references(spec: &Spec, _architecture: Architecture) -> BTreeSet<String> {
    let kernel = spec.kernel.as_ref().and_then(|kernel| kernel.image.clone());
    let containers = spec
        .onboot
        .iter()
        .chain(&spec.onshutdown)
        .chain(&spec.services);
    let images = containers.map(|container| container.image.clone());
    let volumes = spec
        .volumes
        .iter()
        .filter_map(|volume| volume.image.clone());
    let all = kernel
        .into_iter()
        .chain(spec.init.iter().cloned())
        .chain(images)
        .chain(volumes);
    all.chain([BUILTIN_BOOT.to_owned()]).collect()
}

/// The references of which volumes of format `oci` hold the whole index, and whether nothing else
/// names them: then no image of the machine's platform is taken from them.
pub fn whole_images(spec: &Spec) -> BTreeMap<String, bool> {
    let is_whole = |volume: &&Volume| volume.format.as_deref() == Some("oci");
    let whole = spec.volumes.iter().filter(is_whole);
    let mut rest = spec.clone();
    rest.volumes.retain(|volume| !is_whole(&volume));
    let named = references(&rest, Architecture::Amd64);
    whole
        .filter_map(|volume| volume.image.clone())
        .map(|image| (image.clone(), !named.contains(&image)))
        .collect()
}

/// Locks a spec. A reference is pinned by its own digest, else by the lock, else by the locked spec
/// of before. `inline` brings the contents of `source` files.
///
/// # Errors
/// When a source can't be read or all are too big, or the disk options make no sense; the faults
/// know their paths, see [`Parsed::locate`](crate::parse::Parsed::locate).
pub fn lock_spec(
    spec: &Spec,
    architecture: Architecture,
    lock: Option<&Lock>,
    prior: Option<&LockedSpec>,
    options: &DiskOptions,
    inline: &mut Inline<'_>,
) -> Result<Outcome, Faults> {
    let pins = Pins {
        lock,
        prior: prior.filter(|prior| prior.architecture == architecture),
        architecture,
        whole: whole_images(spec),
    };
    let mut images = BTreeMap::new();
    let mut init = None;
    let mut unpinned = Vec::new();
    for name in references(spec, architecture) {
        if name == BUILTIN_BOOT {
            continue;
        }
        match pins.find(&name)? {
            Some(digest) if name == BUILTIN_INIT => init = Some(digest),
            Some(digest) => drop(images.insert(name, digest)),
            None => unpinned.push(name),
        }
    }
    let boot = pins.boot();
    if boot.is_none() {
        unpinned.push(BUILTIN_BOOT.to_owned());
    }
    let mut disk = options.clone();
    disk.normalize(architecture);
    // Also when something is unpinned: all faults are found at once.
    let mut faults: Faults = disk
        .check(architecture)
        .err()
        .map(|fault| *fault)
        .into_iter()
        .collect();
    let spec = inlined(spec, inline, &mut faults);
    let spec = faults.or(spec)?;
    match boot {
        Some(boot) if unpinned.is_empty() => {
            let recipe = pins.recipe();
            Ok(Outcome::Locked(Box::new(LockedSpec {
                recipe,
                architecture,
                spec,
                images,
                boot,
                init,
                disk,
            })))
        }
        _ => {
            unpinned.sort();
            Ok(Outcome::Unpinned(unpinned))
        }
    }
}

/// Where digests come from.
struct Pins<'a> {
    lock: Option<&'a Lock>,
    prior: Option<&'a LockedSpec>,
    architecture: Architecture,
    whole: BTreeMap<String, bool>,
}

impl Pins<'_> {
    fn find(&self, name: &str) -> Result<Option<Digest>, Box<Fault>> {
        let reference =
            Reference::parse(name).map_err(|error| Box::new(Fault::new("", error.to_string())))?;
        if let Some(digest) = reference.digest() {
            return Ok(Some(*digest));
        }
        let locked = self.lock.and_then(|lock| match name {
            BUILTIN_INIT => lock.init.as_ref(),
            _ => lock.images.get(name),
        });
        let locked = locked.and_then(|image| {
            if self.whole.contains_key(name) {
                Some(image.digest)
            } else {
                self.manifest(image)
            }
        });
        Ok(locked.or_else(|| self.prior.and_then(|prior| prior.digest(name)).copied()))
    }

    /// The manifest for the architecture; an image without platforms is one for all.
    fn manifest(&self, image: &LockedImage) -> Option<Digest> {
        self.platform(image.digest, &image.platforms)
    }

    fn platform(&self, digest: Digest, platforms: &BTreeMap<String, Digest>) -> Option<Digest> {
        if platforms.is_empty() {
            return Some(digest);
        }
        platforms.get(&self.architecture.platform()).copied()
    }

    fn boot(&self) -> Option<Boot> {
        let locked = self
            .lock
            .and_then(|lock| lock.boot.as_ref())
            .and_then(|boot| {
                let digest = self.platform(boot.digest, &boot.platforms)?;
                let parts = boot.parts.get(&self.architecture.platform()).cloned()?;
                Some(Boot { digest, parts })
            });
        locked.or_else(|| self.prior.map(|prior| prior.boot.clone()))
    }

    fn recipe(&self) -> u32 {
        let lock = self.lock.map(|lock| lock.recipe);
        lock.or_else(|| self.prior.map(|prior| prior.recipe))
            .unwrap_or(RECIPE)
    }
}

fn inlined(spec: &Spec, inline: &mut Inline<'_>, faults: &mut Faults) -> Spec {
    let mut spec = spec.clone();
    let mut total = 0_usize;
    let mut files = Vec::with_capacity(spec.files.len());
    for (index, mut file) in std::mem::take(&mut spec.files).into_iter().enumerate() {
        let Some(source) = file.source.take() else {
            files.push(file);
            continue;
        };
        let optional = file.optional.take() == Some(true);
        match inline(&source, optional) {
            Ok(Some(bytes)) => {
                total = total.saturating_add(bytes.len());
                if total > MAX_INLINE {
                    faults.push(too_big(index, &source, total));
                    break;
                }
                set_contents(&mut file, bytes);
                files.push(file);
            }
            Ok(None) if optional => {}
            Ok(None) => faults.push(Fault::new(
                at(index),
                format!("there is no file {}", quoted(&source)),
            )),
            Err(reason) => faults.push(Fault::new(
                at(index),
                format!("can't read {}: {reason}", quoted(&source)),
            )),
        }
    }
    spec.files = files;
    spec
}

fn at(index: usize) -> String {
    format!("files[{index}].source")
}

fn too_big(index: usize, source: &str, total: usize) -> Fault {
    let message = format!(
        "with {} the sources of `files` have {total} bytes, more than the {MAX_INLINE} that a locked spec carries",
        quoted(source)
    );
    Fault::new(at(index), message).help("put big files into an image of their own")
}

fn set_contents(file: &mut FileEntry, bytes: Vec<u8>) {
    match String::from_utf8(bytes) {
        Ok(text) => file.contents = Some(text),
        Err(error) => {
            file.contents_base64 =
                Some(base64::engine::general_purpose::STANDARD.encode(error.as_bytes()));
        }
    }
}

#[cfg(test)]
#[path = "pin_tests.rs"]
pub(crate) mod tests;
