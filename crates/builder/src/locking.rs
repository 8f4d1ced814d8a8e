//! References to a lock: which digest each one stands for today.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use nodeimage_images::{Images, Resolved};
use nodeimage_spec::lock::{LockedBoot, LockedImage};
use nodeimage_spec::reference::{BUILTIN_BOOT, BUILTIN_INIT, Reference};
use nodeimage_spec::{Architecture, Digest, Lock, Spec, references, whole_images};

use crate::boot_parts::{self, BootPartsError};
use crate::parallel::parallel;

/// Everything that could not be locked.
#[derive(Debug, thiserror::Error)]
#[error("{}", list(failures))]
pub struct LockingError {
    /// One per reference, in the order of the references.
    pub failures: Vec<LockingFailure>,
}

/// A reference that could not be locked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockingFailure {
    /// It can't be resolved.
    #[error("cannot lock {0}")]
    Image(#[source] nodeimage_images::Error),
    /// The boot parts can't be read.
    #[error("cannot lock the boot parts: {0}")]
    Boot(#[from] BootPartsError),
}

fn list(failures: &[LockingFailure]) -> String {
    let texts: Vec<_> = failures
        .iter()
        .map(|failure| match failure {
            LockingFailure::Image(error) => format!("cannot lock {error}"),
            LockingFailure::Boot(error) => format!("cannot lock the boot parts: {error}"),
        })
        .collect();
    texts.join("\n")
}

/// What a lock is wanted for.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// The spec.
    pub spec: &'a Spec,
    /// Every one of these must be there for every reference.
    pub architectures: &'a [Architecture],
    /// References that keep the digests they have here.
    pub keep: Option<&'a Lock>,
    /// References that are resolved anew although `keep` has them.
    pub update: &'a BTreeSet<String>,
    /// How many references are asked for at once.
    pub threads: NonZeroUsize,
}

/// Resolves all references of a spec that carry no digest themselves, several at once. References
/// that the spec does not name are not in the result, whatever `keep` has.
pub fn lock(images: &Images, wanted: &Wanted<'_>) -> Result<Lock, LockingError> {
    lock_except(images, wanted, &BTreeSet::new())
}

/// [`lock`], but for references that something else pins; they are not in the result.
pub fn lock_except(
    images: &Images,
    wanted: &Wanted<'_>,
    pinned: &BTreeSet<String>,
) -> Result<Lock, LockingError> {
    let mut lock = Lock::default();
    if let Some(keep) = wanted.keep {
        lock.recipe = keep.recipe;
    }
    let mut open = Vec::new();
    let mut settled = Vec::new();
    let names: BTreeSet<String> = wanted
        .architectures
        .iter()
        .flat_map(|architecture| references(wanted.spec, *architecture))
        .collect();
    for name in names {
        if pinned.contains(&name) {
            continue;
        }
        if is_pinned(&name) || (!wanted.update.contains(&name) && kept(&mut lock, wanted, &name)) {
            settled.push(name);
        } else {
            open.push(name);
        }
    }
    let whole = whole_images(wanted.spec);
    let platforms: Vec<&str> = wanted
        .architectures
        .iter()
        .map(|architecture| architecture.name())
        .collect();
    let found = parallel(&open, wanted.threads, |name| {
        // A volume may hold an index without the machine's platform; the index stands for all.
        let only_whole = whole.get(name) == Some(&true);
        let platforms: &[&str] = if only_whole { &[] } else { &platforms };
        // A machine more must not move what the others have.
        let mut found = match locked(wanted, name) {
            Some(digest) => images.resolve(&format!("{name}@{digest}"), platforms)?,
            None => images.resolve(name, platforms)?,
        };
        if only_whole {
            found.platforms.clear();
        }
        Ok(found)
    });
    // A digest that is given is trusted no more than one that is looked up.
    let allowed = parallel(&settled, wanted.threads, |name| {
        permit(images, wanted, &lock, name)
    });
    let mut failures: Vec<LockingFailure> = allowed
        .into_iter()
        .filter_map(|allowed| allowed.err().map(LockingFailure::Image))
        .collect();
    for (name, found) in open.into_iter().zip(found) {
        match found {
            Err(error) => failures.push(LockingFailure::Image(error)),
            Ok(found) if name == BUILTIN_BOOT => match boot(images, wanted, found) {
                Ok(boot) => lock.boot = Some(boot),
                Err(error) => failures.push(error.into()),
            },
            Ok(Resolved { digest, platforms }) => {
                let image = LockedImage { digest, platforms };
                if name == BUILTIN_INIT {
                    lock.init = Some(image);
                } else {
                    lock.images.insert(name, image);
                }
            }
        }
    }
    if failures.is_empty() {
        Ok(lock)
    } else {
        Err(LockingError { failures })
    }
}

/// What the trust policy says of a digest that stands in the YAML or in the lock.
fn permit(
    images: &Images,
    wanted: &Wanted<'_>,
    lock: &Lock,
    name: &str,
) -> Result<(), nodeimage_images::Error> {
    let reference = Reference::parse(name).ok();
    let own = reference.as_ref().and_then(Reference::digest);
    let locked = match name {
        BUILTIN_BOOT => lock.boot.as_ref().map(|boot| &boot.digest),
        BUILTIN_INIT => lock.init.as_ref().map(|init| &init.digest),
        _ => lock.images.get(name).map(|image| &image.digest),
    };
    let Some(digest) = own.or(locked) else {
        return Ok(());
    };
    let mut all = wanted.architectures.iter();
    all.try_for_each(|architecture| images.permit(name, digest, architecture.name()))
}

/// The digest `keep` has for a reference that is not to be updated.
fn locked(wanted: &Wanted<'_>, name: &str) -> Option<Digest> {
    let keep = wanted.keep.filter(|_| !wanted.update.contains(name))?;
    match name {
        BUILTIN_BOOT => keep.boot.as_ref().map(|boot| boot.digest),
        BUILTIN_INIT => keep.init.as_ref().map(|image| image.digest),
        _ => keep.images.get(name).map(|image| image.digest),
    }
}

/// Takes over what `keep` has, if it serves every architecture.
fn kept(lock: &mut Lock, wanted: &Wanted<'_>, name: &str) -> bool {
    let Some(keep) = wanted.keep else {
        return false;
    };
    let serves = |image: &LockedImage| {
        let platforms = &image.platforms;
        let mut all = wanted.architectures.iter();
        platforms.is_empty() || all.all(|wanted| platforms.contains_key(&wanted.platform()))
    };
    match name {
        BUILTIN_BOOT => {
            let serves = |boot: &LockedBoot| {
                let mut all = wanted.architectures.iter();
                all.all(|wanted| boot.parts.contains_key(&wanted.platform()))
            };
            lock.boot = keep.boot.clone().filter(serves);
            lock.boot.is_some()
        }
        BUILTIN_INIT => {
            lock.init = keep.init.clone().filter(serves);
            lock.init.is_some()
        }
        _ => match keep.images.get(name).filter(|image| serves(image)) {
            Some(image) => {
                lock.images.insert(name.to_owned(), image.clone());
                true
            }
            None => false,
        },
    }
}

fn boot(
    images: &Images,
    wanted: &Wanted<'_>,
    found: Resolved,
) -> Result<LockedBoot, BootPartsError> {
    let mut parts = BTreeMap::new();
    for architecture in wanted.architectures {
        let platform = architecture.platform();
        let digest = found.platforms.get(&platform).unwrap_or(&found.digest);
        parts.insert(
            platform,
            boot_parts::digests(images, digest, *architecture)?,
        );
    }
    Ok(LockedBoot {
        digest: found.digest,
        platforms: found.platforms,
        parts,
    })
}

/// The references of a spec that a lock has nothing for on this architecture, sorted; offline.
pub fn missing(lock: &Lock, spec: &Spec, architecture: Architecture) -> Vec<String> {
    let wanted = Wanted {
        spec,
        architectures: &[architecture],
        keep: Some(lock),
        update: &BTreeSet::new(),
        threads: NonZeroUsize::MIN,
    };
    references(spec, architecture)
        .into_iter()
        .filter(|name| !is_pinned(name) && !kept(&mut Lock::default(), &wanted, name))
        .collect()
}

fn is_pinned(name: &str) -> bool {
    Reference::parse(name).is_ok_and(|reference| reference.digest().is_some())
}
