//! One section's containers: each image at its first place, and all bundles in one component.

use std::collections::{BTreeMap, BTreeSet};

use nodeimage_images::Tree;
use nodeimage_spec::model::{Container, Spec};

use crate::runtime::{self, Bundle, NamedIds, Section, Volumes};

use super::component::{Build, Component, info};
use super::faults::Faults;
use super::{Error, ImageFacts, Inputs, Links, Resolver, nodes};

/// What is carried from one section to the next.
pub(super) struct Bundles<'a> {
    spec: &'a Spec,
    images: &'a dyn ImageFacts,
    ids: NamedIds,
    volumes: Volumes,
    /// Where each reference's files lie: equal references share them, equal digests do not.
    first_copies: BTreeMap<&'a str, String>,
    taken: BTreeSet<String>,
}

impl<'a> Bundles<'a> {
    pub(super) fn new(spec: &'a Spec, images: &'a dyn ImageFacts) -> Self {
        Self {
            spec,
            images,
            ids: NamedIds::of(spec),
            volumes: Volumes::of(spec),
            first_copies: BTreeMap::new(),
            taken: BTreeSet::new(),
        }
    }

    /// The named ids of the spec.
    pub(super) fn ids(&self) -> &NamedIds {
        &self.ids
    }

    /// The section's images, then its bundles; nothing for an empty section.
    pub(super) fn section(&mut self, section: Section) -> Result<Vec<Component>, Error> {
        let spec = self.spec;
        let mut faults = Faults::default();
        let mut components = Vec::new();
        let mut bundles = Tree::new();
        for (index, container) in section.of(spec).iter().enumerate() {
            let made = self.container(section, index, container, &mut bundles);
            components.extend(faults.take(made).flatten());
        }
        if !bundles.is_empty() {
            let label = format!("{} configs", section.name());
            components.push(Component::of_tree(label, "linuxkit.bundles", bundles));
        }
        faults.or(components)
    }

    /// Adds a container's bundle; its image's files, if they are not there yet.
    fn container(
        &mut self,
        section: Section,
        index: usize,
        container: &'a Container,
        bundles: &mut Tree,
    ) -> Result<Option<Component>, Error> {
        let image = info(self.images, &container.image)?;
        let first_copy = self.first_copies.get(container.image.as_str()).cloned();
        let bundle = runtime::render(&runtime::Request {
            section,
            index,
            container,
            label: image.label.as_ref(),
            image: &image.config,
            ids: &self.ids,
            volumes: &self.volumes,
            first_copy: first_copy.as_deref(),
        })?;
        let label = format!("{}[{index}]", section.name());
        if !self.taken.insert(bundle.path.clone()) {
            let container = format!("{label} ({})", container.name);
            return Err(Error::DuplicateBundle {
                container,
                path: bundle.path,
            });
        }
        let elsewhere = first_copy.is_some();
        let files = (!elsewhere).then(|| {
            self.first_copies
                .insert(&container.image, bundle.files.clone());
            files(label, &container.image, &image.manifest, &bundle.files)
        });
        add(bundles, bundle, elsewhere);
        Ok(files)
    }
}

fn files(label: String, reference: &str, manifest: &str, place: &str) -> Component {
    Component {
        label,
        source: reference.to_owned(),
        inputs: Inputs::Image {
            manifest: manifest.to_owned(),
            place: place.to_owned(),
            resolver: Resolver::File,
            beside: Vec::new(),
            links: Links::default(),
        },
        build: Build::Image {
            reference: reference.to_owned(),
            place: place.to_owned(),
            resolver: Resolver::File,
            beside: Vec::new(),
            links: Links::default(),
        },
    }
}

fn add(tree: &mut Tree, bundle: Bundle, elsewhere: bool) {
    let below = |name: &str| format!("{}/{name}", bundle.path).into_bytes();
    nodes::add_dirs(tree, bundle.path.as_bytes());
    tree.insert(below("config.json"), nodes::file(bundle.config_json));
    tree.insert(below("runtime.json"), nodes::file(bundle.runtime_json));
    if !bundle.readonly {
        tree.insert(below("tmp"), nodes::dir());
    }
    // A read-only root that is unpacked here has its own mode, which must stay.
    if !bundle.readonly || elsewhere {
        tree.insert(below("rootfs"), nodes::dir());
    }
}
