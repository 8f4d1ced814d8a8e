//! Everything that can be told of two images.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nodeimage_disk::block_map::BlockMap;
use nodeimage_images::store::Store;
use nodeimage_images::{ErrorKind, Images, Limits};
use serde::Serialize;

use super::root::{Root, Shared};
use super::{Blocks, Files, Identity, Moved, Packages, Setting, Side, Sizes};
use super::{blocks, references, settings, sizes};
use crate::facts::OpenImages;
use crate::rootfs::{self, Component};
use crate::{BuildError, Builder, Machine, explain};

/// What differs between two images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diff {
    /// The first image; none if only its disk is known.
    pub from: Option<Identity>,
    /// The second image.
    pub to: Option<Identity>,
    /// References that moved.
    pub references: Vec<Moved>,
    /// Settings that differ.
    pub settings: Vec<Setting>,
    /// Files that differ.
    pub files: Option<Files>,
    /// Packages that differ.
    pub packages: Option<Packages>,
    /// Sizes.
    pub sizes: Option<Sizes>,
    /// Blocks of the disks.
    pub blocks: Option<Blocks>,
    /// What is not compared, and why.
    pub not_compared: Vec<NotCompared>,
}

/// Something that is not compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotCompared {
    /// `spec`, `files` (and packages and sizes), `blocks`.
    pub what: &'static str,
    /// The reason.
    pub why: String,
}

/// How much a comparison may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Bytes of compressed layers of both images that are looked into; more, and files are not
    /// compared.
    pub layer_bytes: u64,
    /// Whether disks are laid out.
    pub disks: bool,
}

impl Effort {
    /// All that can be told.
    pub const FULL: Self = Self {
        layer_bytes: u64::MAX,
        disks: true,
    };
}

/// Compares images by what the store has.
#[derive(Debug)]
pub struct Compare {
    builder: Builder,
}

impl Compare {
    /// By what `store` has, and nothing else: sources and registries are not asked, and nothing is
    /// built.
    #[expect(
        clippy::field_reassign_with_default,
        reason = "a field of the configuration is private"
    )]
    pub fn stored(store: &Store, limits: Limits, threads: NonZeroUsize) -> Self {
        let mut config = nodeimage_images::Config::default();
        config.limits = limits;
        let images = Images::new(store.clone(), &config, None);
        // What was to be stopped from the start takes what is in the store, and makes nothing.
        let stopped = Arc::new(AtomicBool::new(true));
        Self {
            builder: Builder::new(images, threads).with_stop(stopped),
        }
    }

    /// By what `builder` can get and make.
    pub fn with(builder: Builder) -> Self {
        Self { builder }
    }

    /// Compares two images. Disks at hand are given by their block maps.
    pub fn compare(
        &self,
        (from, from_map): (Option<&Side>, Option<&BlockMap>),
        (to, to_map): (Option<&Side>, Option<&BlockMap>),
        effort: Effort,
    ) -> Diff {
        let mut diff = match (from, to) {
            (Some(from), Some(to)) => Diff::of_specs(from, to),
            _ => {
                let mut diff = Diff::empty();
                diff.from = from.map(Side::identity);
                diff.to = to.map(Side::identity);
                let why = "the store does not know what the disk was made of; build it here once, \
                           or compare its YAML or locked spec";
                diff.skip("spec", why.to_owned());
                diff
            }
        };
        let mut machines = [None, None];
        if effort.disks && !diff.is_same_image() {
            for (machine, side) in machines.iter_mut().zip([from, to]) {
                *machine = side.map(|side| self.machine(side));
            }
        }
        if let (Some(from), Some(to)) = (from, to)
            && !diff.is_same_image()
        {
            match self.roots(from, to, effort, &machines) {
                Ok([old, new]) => diff.set_contents(&old, &new),
                Err(why) => diff.skip("files", why),
            }
        }
        if effort.disks && !(diff.is_same_image() && from_map.is_none() && to_map.is_none()) {
            let [old, new] = machines;
            let map = |side: Option<&Side>, map: Option<&BlockMap>, machine| match map {
                Some(map) => Ok(map.clone()),
                None => self.map(side, machine),
            };
            match (map(from, from_map, old), map(to, to_map, new)) {
                (Ok(old), Ok(new)) => match blocks::between(&old, &new) {
                    Some(blocks) => diff.blocks = Some(blocks),
                    None => diff.skip(
                        "blocks",
                        "a disk has more data than its block map lists".to_owned(),
                    ),
                },
                (Err(why), _) | (_, Err(why)) => diff.skip("blocks", why),
            }
        }
        diff
    }

    /// Kernel and segments; without the right to build, only if all of it is in the store.
    fn machine(&self, side: &Side) -> Result<Machine, String> {
        unpinned(side)?;
        self.builder
            .machine(&side.locked)
            .map_err(|error| reason(&error))
    }

    fn map(
        &self,
        side: Option<&Side>,
        machine: Option<Result<Machine, String>>,
    ) -> Result<BlockMap, String> {
        let side = side.ok_or("there is nothing to make a disk of")?;
        let machine = match machine {
            Some(machine) => machine?,
            None => self.machine(side)?,
        };
        let disk = self.builder.disk(&side.locked, &machine);
        disk.map(|disk| disk.map).map_err(|error| reason(&error))
    }

    fn roots(
        &self,
        from: &Side,
        to: &Side,
        effort: Effort,
        machines: &[Option<Result<Machine, String>>; 2],
    ) -> Result<[Root; 2], String> {
        let mut shared = Shared::new();
        let mut left = effort.layer_bytes;
        let mut root = |side: &Side, machine: &Option<Result<Machine, String>>| {
            unpinned(side)?;
            let found = self
                .builder
                .with_components(&side.locked, |components, open| {
                    let bytes = layer_bytes(components, open);
                    let Some(rest) = left.checked_sub(bytes) else {
                        return Ok(None);
                    };
                    left = rest;
                    Root::of(&side.locked, components, open, &mut shared).map(Some)
                });
            match found {
                Ok(Some(mut root)) => {
                    if let Some(Ok(machine)) = machine {
                        sizes::set_packed(&mut root, machine);
                    }
                    Ok(root)
                }
                Ok(None) => Err("the images are too large to be looked into here; run \
                                 `nodeimage diff`"
                    .to_owned()),
                Err(error) => Err(reason(&error)),
            }
        };
        let [old, new] = machines;
        Ok([root(from, old)?, root(to, new)?])
    }
}

impl Diff {
    /// What two locked specs say: no store, no network.
    pub fn of_specs(from: &Side, to: &Side) -> Self {
        Self {
            from: Some(from.identity()),
            to: Some(to.identity()),
            references: references::moved(from, to),
            settings: settings::settings(&from.locked, &to.locked),
            ..Self::empty()
        }
    }

    fn empty() -> Self {
        Self {
            from: None,
            to: None,
            references: Vec::new(),
            settings: Vec::new(),
            files: None,
            packages: None,
            sizes: None,
            blocks: None,
            not_compared: Vec::new(),
        }
    }

    fn skip(&mut self, what: &'static str, why: String) {
        self.not_compared.push(NotCompared { what, why });
    }

    fn set_contents(&mut self, from: &Root, to: &Root) {
        match Files::between(from, to) {
            Ok(files) => self.files = Some(files),
            Err(error) => {
                self.skip(
                    "files",
                    format!("a layer in the store can't be read: {error}"),
                );
                return;
            }
        }
        self.packages = Some(Packages::between(from, to));
        self.sizes = Some(Sizes::between(from, to));
    }

    /// Whether both are the same image: then nothing differs, and nothing else was looked at.
    pub fn is_same_image(&self) -> bool {
        let id = |side: &Option<Identity>| side.as_ref().and_then(|side| side.id.clone());
        id(&self.from).is_some() && id(&self.from) == id(&self.to)
    }

    /// Whether anything differs that was compared.
    pub fn differs(&self) -> bool {
        let id = |side: &Option<Identity>| side.as_ref().and_then(|side| side.id.clone());
        let ids = id(&self.from).zip(id(&self.to));
        ids.is_some_and(|(from, to)| from != to)
            || !self.references.is_empty()
            || !self.settings.is_empty()
            || self.blocks.as_ref().is_some_and(|blocks| blocks.differ > 0)
    }
}

fn unpinned(side: &Side) -> Result<(), String> {
    if side.unpinned.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = side.unpinned.iter().map(String::as_str).collect();
    Err(format!(
        "not pinned: {}; write a lock with `nodeimage lock`",
        names.join(", ")
    ))
}

/// Compressed bytes of all layers that the components are made of.
fn layer_bytes(components: &[Component], open: &OpenImages<'_>) -> u64 {
    let mut seen = std::collections::BTreeSet::new();
    let mut bytes = 0_u64;
    for component in components {
        for layer in open
            .image(&component.source)
            .iter()
            .flat_map(|image| &image.layers)
        {
            if seen.insert(layer.diff_id.to_string()) {
                bytes = bytes.saturating_add(layer.size);
            }
        }
    }
    bytes
}

/// Why an image can't be looked into. What is not in the store is told in few words.
fn reason(error: &BuildError) -> String {
    let mut missing = Vec::new();
    find_missing(error, &mut missing);
    missing.sort();
    missing.dedup();
    if !missing.is_empty() {
        return format!(
            "not in the store: {}; build the image here once, or use --fetch",
            missing.join(", ")
        );
    }
    if error.is_cancelled() {
        return "not all of it is built; build the image here once, or use --fetch".to_owned();
    }
    explain(error)
}

fn find_missing(error: &BuildError, missing: &mut Vec<String>) {
    let image = match error {
        BuildError::Many(all) => {
            for error in all {
                find_missing(error, missing);
            }
            return;
        }
        BuildError::Image(error) => Some(error),
        BuildError::RootFs(rootfs::Error::Image { source, .. }) => source.downcast_ref(),
        _ => None,
    };
    if let Some(error) = image
        && matches!(&*error.kind, ErrorKind::Sources { .. })
    {
        missing.push(error.reference.clone());
    }
}
