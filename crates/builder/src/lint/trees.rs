//! Lints that read the files of the init images: `no-init`, `no-runtime`; and those that hold them
//! against the kernel's.

use nodeimage_images::{Images, Tree};
use nodeimage_spec::Fault;
use nodeimage_spec::lint::{Facts, Reads};
use nodeimage_spec::reference::BUILTIN_INIT;

use super::open::{self, Opened};
use super::programs::{has_file, has_program};
use super::{Linted, skip, usr_merge};
use crate::BuildError;
use crate::facts::INIT_LABEL;

pub(super) const NO_INIT: &str = "no-init";
pub(super) const NO_RUNTIME: &str = "no-runtime";

/// An init image's files.
#[derive(Debug)]
pub(super) struct Root {
    /// Its place in `init`.
    pub(super) index: usize,
    pub(super) reference: String,
    pub(super) is_own: bool,
}

pub(super) fn look(
    images: &Images,
    linted: &Linted<'_>,
    facts: &mut Facts,
) -> Result<(), BuildError> {
    let lints = linted.lints(Reads::Trees);
    // A spec without init images has a finding that needs none.
    if lints.is_empty() || linted.spec.init.is_empty() {
        return Ok(());
    }
    let mut roots = Vec::new();
    let mut trees = Vec::new();
    for (index, reference) in linted.spec.init.iter().enumerate() {
        let opened = match open::open(images, linted, reference)? {
            Ok(opened) => opened,
            Err(unseen) => {
                skip(facts, reference, lints.clone(), unseen);
                continue;
            }
        };
        match images.tree(&opened.image) {
            Ok(tree) => {
                roots.push(root(index, reference, &opened));
                trees.push(tree);
            }
            Err(error) => skip(facts, reference, lints.clone(), open::unseen(error)?),
        }
    }
    if trees.len() == linted.spec.init.len() {
        // What is nowhere can be said only when all is known.
        facts.settled.extend([NO_INIT, NO_RUNTIME]);
        init(linted, &trees, facts);
        runtime(linted, &roots, &trees, facts);
    }
    usr_merge::look(images, linted, &roots, &trees, facts)
}

fn root(index: usize, reference: &str, opened: &Opened) -> Root {
    Root {
        index,
        reference: reference.to_owned(),
        is_own: reference == BUILTIN_INIT || opened.image.config.labels.contains_key(INIT_LABEL),
    }
}

fn init(linted: &Linted<'_>, trees: &[Tree], facts: &mut Facts) {
    if has_file(linted.spec, trees, "init") {
        return;
    }
    let message = "no image in `init` has a file /init, so the kernel panics";
    let help = "add `builtin:init`, or `linuxkit/init` with a runtime";
    facts.found.push(found(NO_INIT, "init", message, help));
}

fn runtime(linted: &Linted<'_>, roots: &[Root], trees: &[Tree], facts: &mut Facts) {
    let spec = linted.spec;
    let is_own = roots.iter().any(|root| root.is_own);
    let sections = [
        ("onboot", spec.onboot.len()),
        ("onshutdown", spec.onshutdown.len()),
        ("services", spec.services.len()),
    ];
    let Some((section, _)) = sections.into_iter().find(|(_, count)| *count > 0) else {
        return;
    };
    // LinuxKit's programs call runc by its name.
    let (runtimes, names): (&[&str], &str) = match is_own {
        true => (&["runc", "crun"], "runc nor crun"),
        false => (&["runc"], "runc"),
    };
    if !runtimes.iter().any(|name| has_program(spec, trees, name)) {
        let message = match is_own {
            true => format!("`{section}` has containers, and the init images have neither {names}"),
            false => format!("`{section}` has containers, and no init image has {names}"),
        };
        let help = "add an image with it to `init`";
        facts.found.push(found(NO_RUNTIME, section, &message, help));
    }
    if !is_own && !spec.services.is_empty() && !has_program(spec, trees, "containerd") {
        let message = "`services` has containers, and no init image has containerd";
        let help = "add an image with it to `init`, or use `builtin:init`, which needs none";
        facts
            .found
            .push(found(NO_RUNTIME, "services", message, help));
    }
}

/// A finding of a lint.
pub(super) fn found(id: &'static str, path: &str, message: &str, help: &str) -> Fault {
    let mut fault = Fault::new(path, message).help(help);
    fault.id = Some(id);
    fault
}
