//! What a schema can't say: names that must exist or be unique, and texts with a form of their own.
//!
//! Nothing here needs an image. LinuxKit finds most of these only in the middle of a build.

mod capability;
mod container;
mod file;
mod limit;
mod mount;
mod name;
mod volume;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::fault::{Fault, Faults};
use crate::model::{Options, Spec};
use crate::parse::Broken;
use crate::reference::Reference;

pub use capability::CAPABILITIES;
pub use limit::{Rlimit, parse_rlimit};
pub use name::{ids, parse_mode};
pub(crate) use volume::duplicates as duplicate_volumes;

/// Checks a spec; the faults know their paths, not their places.
pub fn check(spec: &Spec) -> Faults {
    with_broken(spec, &Broken::new())
}

/// The same for a spec of which some values could not be read.
pub(crate) fn with_broken(spec: &Spec, broken: &Broken) -> Faults {
    let mut check = Check::new(broken, Some(spec));
    if let Some(image) = spec
        .kernel
        .as_ref()
        .and_then(|kernel| kernel.image.as_ref())
    {
        check.reference("kernel.image", image);
    }
    for (index, image) in spec.init.iter().enumerate() {
        check.reference(&format!("init[{index}]"), image);
    }
    check.volumes(&spec.volumes);
    check.containers("onboot", &spec.onboot);
    check.containers("onshutdown", &spec.onshutdown);
    check.containers("services", &spec.services);
    check.unique_services(&spec.services);
    for (index, file) in spec.files.iter().enumerate() {
        check.file(&format!("files[{index}]"), file);
    }
    check.faults
}

/// Checks an image's label by itself: names are those of a spec that is not known here.
pub(crate) fn options(options: &Options, broken: &Broken) -> Faults {
    let mut check = Check::new(broken, None);
    check.options("", options);
    check.faults
}

/// A check on its way.
struct Check<'a> {
    broken: &'a Broken,
    faults: Faults,
    /// None for a label.
    names: Option<Names<'a>>,
}

/// What the spec defines.
struct Names<'a> {
    containers: BTreeSet<&'a str>,
    volumes: BTreeMap<&'a str, bool>,
    /// Whether there may be more of them, in entries that could not be read.
    containers_unsure: bool,
    volumes_unsure: bool,
}

impl<'a> Check<'a> {
    fn new(broken: &'a Broken, spec: Option<&'a Spec>) -> Self {
        let names = spec.map(|spec| {
            let unsure = |section: &str| {
                broken.contains("")
                    || under(broken, section).any(|path| {
                        let rest = &path[section.len()..];
                        !rest.contains('.') || rest.ends_with("].name")
                    })
            };
            let nameless = spec.volumes.iter().any(|volume| volume.name.is_empty());
            Names {
                containers: name::containers(spec).collect(),
                volumes: spec
                    .volumes
                    .iter()
                    .map(|v| (v.name.as_str(), v.readonly == Some(true)))
                    .collect(),
                containers_unsure: ["onboot", "onshutdown", "services"]
                    .iter()
                    .any(|section| unsure(section)),
                volumes_unsure: nameless || unsure("volumes"),
            }
        });
        Self {
            broken,
            faults: Faults::default(),
            names,
        }
    }

    /// Whether the value at `path` could not be read, or something in it.
    fn broken(&self, path: &str) -> bool {
        under(self.broken, path).next().is_some()
    }

    fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    fn reference(&mut self, path: &str, image: &str) {
        if self.broken(path) {
            return;
        }
        if let Err(error) = Reference::parse(image) {
            self.fault(Fault::new(path, error.to_string()));
        }
    }
}

/// The paths that are `path` or lie in it.
fn under<'a>(broken: &'a Broken, path: &'a str) -> impl Iterator<Item = &'a str> {
    broken
        .range::<str, _>((Bound::Included(path), Bound::Unbounded))
        .map(String::as_str)
        .take_while(move |found| found.starts_with(path))
        .filter(move |found| matches!(found.as_bytes().get(path.len()), None | Some(b'.' | b'[')))
}

/// The path of a key in an object, which may be the root of a label.
fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

#[cfg(test)]
mod tests;
