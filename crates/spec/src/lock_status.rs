//! Whether a lock still fits its spec, offline: what is missing, stale or superfluous.

use std::collections::BTreeSet;

use crate::disk::Architecture;
use crate::lock::{Lock, LockedImage};
use crate::model::Spec;
use crate::pin::references;
use crate::reference::{BUILTIN_BOOT, BUILTIN_INIT, Reference};

/// A reference of the spec without an entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// The expanded reference.
    pub reference: String,
    /// For which machines.
    pub architectures: Vec<Architecture>,
}

/// An entry that was for what the spec names no longer, and what it names instead.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stale {
    /// The entry.
    pub locked: String,
    /// The reference of the same repository that has no entry.
    pub wanted: String,
}

/// What is wrong with a lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockStatus {
    /// References without an entry, sorted; those of `stale` as well.
    pub missing: Vec<Missing>,
    /// Entries of which the spec now names another tag, sorted.
    pub stale: Vec<Stale>,
    /// Entries that the spec does not need, sorted; those of `stale` not.
    pub superfluous: Vec<String>,
}

impl LockStatus {
    /// Compares a lock with the spec it is for.
    pub fn of(lock: &Lock, spec: &Spec, architectures: &[Architecture]) -> Self {
        let mut status = Self::default();
        let wanted: BTreeSet<String> = architectures
            .iter()
            .flat_map(|architecture| references(spec, *architecture))
            .filter(|name| !is_pinned(name))
            .collect();
        for name in &wanted {
            let lacks = |architecture: &&Architecture| !has(lock, name, **architecture);
            let lacking: Vec<_> = architectures.iter().filter(lacks).copied().collect();
            if !lacking.is_empty() {
                status.missing.push(Missing {
                    reference: name.clone(),
                    architectures: lacking,
                });
            }
        }
        let unneeded = lock.images.keys().filter(|name| !wanted.contains(*name));
        for name in unneeded {
            let mut new = status.missing.iter().map(|missing| &missing.reference);
            let successor = new
                .find(|new| !lock.images.contains_key(*new) && repository(new) == repository(name));
            match successor {
                Some(successor) => status.stale.push(Stale {
                    locked: name.clone(),
                    wanted: successor.clone(),
                }),
                None => status.superfluous.push(name.clone()),
            }
        }
        if lock.init.is_some() && !wanted.contains(BUILTIN_INIT) {
            status.superfluous.push(BUILTIN_INIT.to_owned());
        }
        status.superfluous.sort();
        status
    }

    /// Whether nothing is wrong.
    pub fn is_current(&self) -> bool {
        *self == Self::default()
    }
}

fn has(lock: &Lock, name: &str, architecture: Architecture) -> bool {
    let platform = architecture.platform();
    let serves =
        |image: &LockedImage| image.platforms.is_empty() || image.platforms.contains_key(&platform);
    match name {
        BUILTIN_BOOT => lock.boot.as_ref().is_some_and(|boot| {
            let served = boot.platforms.is_empty() || boot.platforms.contains_key(&platform);
            served && boot.parts.contains_key(&platform)
        }),
        BUILTIN_INIT => lock.init.as_ref().is_some_and(serves),
        _ => lock.images.get(name).is_some_and(serves),
    }
}

/// The spec says the digest itself.
fn is_pinned(name: &str) -> bool {
    Reference::parse(name).is_ok_and(|reference| reference.digest().is_some())
}

fn repository(name: &str) -> Option<(String, String)> {
    let parsed = Reference::parse(name).ok()?;
    Some((parsed.registry().to_owned(), parsed.repository().to_owned()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::lock::LockedBoot;
    use crate::reference::Digest;
    use crate::{Document, parse};

    fn spec(text: &str) -> Spec {
        let document = Document {
            name: "node.yml",
            text,
        };
        parse(&[document]).unwrap().spec
    }

    fn image(platforms: &[&str]) -> LockedImage {
        let digest = Digest::of(b"x");
        LockedImage {
            digest,
            platforms: platforms
                .iter()
                .map(|name| ((*name).to_owned(), digest))
                .collect(),
        }
    }

    #[test]
    fn missing_stale_and_superfluous() {
        let digest = Digest::of(b"y");
        let spec = spec(&format!(
            "kernel:\n  image: acme.example/kernel:2\ninit:\n  - acme.example/init:1\n  - acme.example/pinned@{digest}\n"
        ));
        let mut lock = Lock::default();
        let all = ["linux/amd64", "linux/arm64"];
        lock.images
            .insert("acme.example/kernel:1".to_owned(), image(&all));
        lock.images
            .insert("acme.example/init:1".to_owned(), image(&all[..1]));
        lock.images
            .insert("acme.example/old:1".to_owned(), image(&[]));
        lock.images
            .insert(format!("acme.example/pinned@{digest}"), image(&[]));
        lock.init = Some(image(&[]));
        let both = [Architecture::Amd64, Architecture::Arm64];
        let status = LockStatus::of(&lock, &spec, &both);
        let missing = |reference: &str, architectures: &[Architecture]| Missing {
            reference: reference.to_owned(),
            architectures: architectures.to_vec(),
        };
        assert_eq!(
            status.missing,
            [
                missing("acme.example/init:1", &both[1..]),
                missing("acme.example/kernel:2", &both),
                missing("builtin:boot", &both),
            ]
        );
        assert_eq!(status.stale.len(), 1);
        assert_eq!(status.stale[0].locked, "acme.example/kernel:1");
        assert_eq!(status.stale[0].wanted, "acme.example/kernel:2");
        let pinned = format!("acme.example/pinned@{digest}");
        assert_eq!(
            status.superfluous,
            ["acme.example/old:1", &pinned, "builtin:init"]
        );

        let mut lock = Lock::default();
        lock.images
            .insert("acme.example/kernel:2".to_owned(), image(&all));
        lock.images
            .insert("acme.example/init:1".to_owned(), image(&[]));
        let parts = all.iter().map(|name| ((*name).to_owned(), BTreeMap::new()));
        lock.boot = Some(LockedBoot {
            digest,
            platforms: BTreeMap::new(),
            parts: parts.collect(),
        });
        assert!(LockStatus::of(&lock, &spec, &both).is_current());
        assert!(!LockStatus::of(&lock, &spec, &[Architecture::Riscv64]).is_current());
    }
}
