//! Which references moved.

use std::collections::{BTreeMap, BTreeSet};

use nodeimage_spec::Reference;
use nodeimage_spec::reference::{BUILTIN_BOOT, BUILTIN_INIT};
use serde::Serialize;

use super::{Change, Side};

/// A reference and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pin {
    /// The expanded reference.
    pub reference: String,
    /// Its digest; none when it is not pinned.
    pub digest: Option<String>,
}

/// A reference that was added, removed, or stands for something else now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// What happened.
    pub change: Change,
    /// Before. Another tag than afterwards, when the YAML names another one.
    pub from: Option<Pin>,
    /// Afterwards.
    pub to: Option<Pin>,
}

/// All references that moved, sorted. Of one repository with one reference here and another there,
/// one became the other.
pub(super) fn moved(from: &Side, to: &Side) -> Vec<Moved> {
    let (old, new) = (pins(from), pins(to));
    let mut moved = Vec::new();
    let mut gone: BTreeMap<String, Vec<&String>> = BTreeMap::new();
    let mut come: BTreeMap<String, Vec<&String>> = BTreeMap::new();
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        match (old.get(name), new.get(name)) {
            (Some(from), Some(to)) if from == to => {}
            (Some(from), Some(to)) => moved.push(Moved {
                change: Change::Changed,
                from: Some(pin(name, from)),
                to: Some(pin(name, to)),
            }),
            (Some(_), None) => gone.entry(repository(name)).or_default().push(name),
            (None, Some(_)) => come.entry(repository(name)).or_default().push(name),
            (None, None) => {}
        }
    }
    let of = |name: &String, pins: &BTreeMap<String, Option<String>>| {
        pins.get(name).map(|digest| pin(name, digest))
    };
    for (repository, gone) in &gone {
        match (gone.as_slice(), come.get(repository).map(Vec::as_slice)) {
            ([before], Some([after])) => {
                moved.push(Moved {
                    change: Change::Changed,
                    from: of(before, &old),
                    to: of(after, &new),
                });
                come.remove(repository);
            }
            _ => moved.extend(gone.iter().map(|name| Moved {
                change: Change::Removed,
                from: of(name, &old),
                to: None,
            })),
        }
    }
    moved.extend(come.values().flatten().map(|name| Moved {
        change: Change::Added,
        from: None,
        to: of(name, &new),
    }));
    moved.sort_by(|a, b| a.name().cmp(b.name()));
    moved
}

impl Moved {
    /// The reference, the later one if there are two.
    pub fn name(&self) -> &str {
        let pin = self.to.as_ref().or(self.from.as_ref());
        pin.map_or("", |pin| pin.reference.as_str())
    }
}

fn pin(reference: &str, digest: &Option<String>) -> Pin {
    Pin {
        reference: reference.to_owned(),
        digest: digest.clone(),
    }
}

fn pins(side: &Side) -> BTreeMap<String, Option<String>> {
    let locked = &side.locked;
    let init = locked.init.iter().map(|digest| (BUILTIN_INIT, digest));
    let images = locked.images.iter();
    images
        .map(|(name, digest)| (name.as_str(), digest))
        .chain(init)
        .chain([(BUILTIN_BOOT, &locked.boot.digest)])
        .map(|(name, digest)| {
            let pinned = !side.unpinned.contains(name);
            (name.to_owned(), pinned.then(|| digest.to_string()))
        })
        .collect()
}

/// What stays when the tag changes.
pub(super) fn repository(reference: &str) -> String {
    match Reference::parse(reference) {
        Ok(parsed) if !parsed.is_builtin() => {
            format!("{}/{}", parsed.registry(), parsed.repository())
        }
        _ => reference.to_owned(),
    }
}
