//! What lints ask of images: labels and configurations of containers' images, files of the kernel
//! and init images. See [`nodeimage_spec::lint`].
//!
//! Whatever images can be reached is looked at; what can't be is written down with its reason. The
//! caller decides what can be reached: without a remote nothing but the store and local sources.

mod open;
mod programs;
mod trees;
mod usr_merge;

use std::collections::BTreeSet;

use nodeimage_images::Images;
use nodeimage_spec::lint::{Facts, ImageFacts, LINTS, Reads, Selection, Skipped};
use nodeimage_spec::{Architecture, Lock, Spec};

use crate::BuildError;
use open::{Opened, Unseen};

/// What is to be linted.
#[derive(Clone, Copy, Debug)]
pub struct Linted<'a> {
    /// The spec.
    pub spec: &'a Spec,
    /// Which digests its references stand for. What it has nothing for is asked for by tag.
    pub lock: Option<&'a Lock>,
    /// The machine whose images are looked at.
    pub architecture: Architecture,
    /// The lints that run.
    pub selection: &'a Selection,
}

impl Linted<'_> {
    /// The lints that run and read these.
    fn lints(&self, reads: Reads) -> Vec<&'static str> {
        let wanted = LINTS
            .iter()
            .filter(|lint| lint.reads == reads && self.selection.runs(lint));
        wanted.map(|lint| lint.id).collect()
    }

    fn containers(&self) -> BTreeSet<&str> {
        let spec = self.spec;
        let all = spec
            .onboot
            .iter()
            .chain(&spec.onshutdown)
            .chain(&spec.services);
        all.map(|container| container.image.as_str()).collect()
    }

    fn kernel(&self) -> Option<&str> {
        let image = self.spec.kernel.as_ref()?.image.as_deref()?;
        Some(image).filter(|image| !image.is_empty())
    }
}

/// Looks at the images.
///
/// # Errors
/// Only when it was stopped on request.
pub fn look(images: &Images, linted: &Linted<'_>) -> Result<Facts, BuildError> {
    let mut facts = Facts::default();
    let configs = linted.lints(Reads::Configs);
    for reference in linted.containers() {
        match open::open(images, linted, reference)? {
            Ok(opened) => {
                let known = known(opened);
                facts.images.insert(reference.to_owned(), known);
            }
            Err(unseen) => skip(&mut facts, reference, configs.clone(), unseen),
        }
    }
    trees::look(images, linted, &mut facts)?;
    Ok(facts)
}

/// The facts where nothing could be looked at, for one reason.
pub fn nothing(linted: &Linted<'_>, reason: &str) -> Facts {
    let mut facts = Facts::default();
    let unseen = || Unseen(reason.to_owned());
    let configs = linted.lints(Reads::Configs);
    for reference in linted.containers() {
        skip(&mut facts, reference, configs.clone(), unseen());
    }
    let trees = linted.lints(Reads::Trees);
    let init = linted.spec.init.iter().map(String::as_str);
    for reference in init.chain(linted.kernel()) {
        skip(&mut facts, reference, trees.clone(), unseen());
    }
    facts
}

fn known(opened: Opened) -> ImageFacts {
    let config = opened.image.config;
    ImageFacts {
        label: opened.label,
        user: config.user,
        env: config.env,
        command: config.entrypoint.into_iter().chain(config.cmd).collect(),
    }
}

/// One entry per image and reason.
fn skip(facts: &mut Facts, reference: &str, lints: Vec<&'static str>, unseen: Unseen) {
    if lints.is_empty() {
        return;
    }
    let same = |skipped: &&mut Skipped| skipped.subject == reference && skipped.reason == unseen.0;
    if let Some(there) = facts.skipped.iter_mut().find(same) {
        there.lints.extend(lints);
        there.lints.sort_unstable();
        there.lints.dedup();
        return;
    }
    facts.skipped.push(Skipped {
        subject: reference.to_owned(),
        lints,
        reason: unseen.0,
    });
}
