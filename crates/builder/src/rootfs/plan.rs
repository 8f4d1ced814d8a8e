//! The order of the components.

use nodeimage_spec::model::Spec;

use crate::runtime::{NamedIds, Section};

use super::bundles::Bundles;
use super::component::{Build, Component, info};
use super::faults::Faults;
use super::{Error, ImageFacts, Inputs, Links, Resolver, RootFacts, files, kernel, links, volume};

/// The components of the spec's root file system, in order: a later one wins.
///
/// No layer is read, and nothing is made but the small generated files. References in the spec are
/// expanded and `source` files inlined. Faults that are independent are reported together. `own_init`: the machine's init is ours, which mounts volumes
/// without `tmp` read-only; LinuxKit's can't.
pub fn plan(spec: &Spec, images: &dyn ImageFacts, own_init: bool) -> Result<Vec<Component>, Error> {
    let mut faults = Faults::default();
    let mut components = Vec::new();
    // What follows is checked as well when these are not known, and then thrown away.
    let roots = faults.take(roots(spec, images)).unwrap_or_default();
    let mut links = Links::default();
    for root in &roots {
        links.extend(&root.links);
    }
    components.extend(faults.take(kernel(spec, images, &links)).flatten());
    let init = faults.take(init(spec, images, &roots, &links));
    components.extend(init.into_iter().flatten());
    let volumes = faults.take(volume::components(spec, images, own_init));
    components.extend(volumes.into_iter().flatten());
    let mut bundles = Bundles::new(spec, images);
    for section in Section::ALL {
        let section = faults.take(bundles.section(section));
        components.extend(section.into_iter().flatten());
    }
    let files = faults.take(files(spec, bundles.ids(), &links));
    components.extend(files.flatten());
    faults.or(components)
}

fn roots(spec: &Spec, images: &dyn ImageFacts) -> Result<Vec<RootFacts>, Error> {
    let mut faults = Faults::default();
    let root = |reference: &String| {
        images.root(reference).map_err(|source| Error::Image {
            reference: reference.clone(),
            source,
        })
    };
    let roots = spec.init.iter().filter_map(|it| faults.take(root(it)));
    let roots = roots.collect();
    faults.or(roots)
}

fn files(spec: &Spec, ids: &NamedIds, links: &Links) -> Result<Option<Component>, Error> {
    let files = files::tree(spec, ids)?;
    if files.is_empty() {
        return Ok(None);
    }
    let placed = links
        .place(files, links::Above::Assume)
        .map_err(|(name, reason)| Error::Link {
            component: "files".to_owned(),
            name,
            reason,
        })?;
    Ok(Some(Component::of_tree("files", "linuxkit.files", placed)))
}

fn kernel(spec: &Spec, images: &dyn ImageFacts, links: &Links) -> Result<Option<Component>, Error> {
    let Some(section) = &spec.kernel else {
        return Ok(None);
    };
    let Some(reference) = section.image.clone().filter(|image| !image.is_empty()) else {
        return Ok(None);
    };
    Ok(Some(Component {
        label: "kernel".to_owned(),
        source: reference.clone(),
        inputs: Inputs::Kernel {
            manifest: info(images, &reference)?.manifest.clone(),
            binary: kernel::binary_path(section).to_owned(),
            tar: kernel::tar_path(section).map(str::to_owned),
            ucode: kernel::ucode_path(section).map(str::to_owned),
            cmdline: section.cmdline.clone().unwrap_or_default(),
            links: links.clone(),
        },
        build: Build::Kernel {
            reference,
            kernel: section.clone(),
            links: links.clone(),
        },
    }))
}

fn init(
    spec: &Spec,
    images: &dyn ImageFacts,
    roots: &[RootFacts],
    all_links: &Links,
) -> Result<Vec<Component>, Error> {
    let mut components = Vec::new();
    let mut databases = (Vec::new(), Vec::new());
    for (index, (reference, root)) in spec.init.iter().zip(roots).enumerate() {
        let manifest = info(images, reference)?.manifest.clone();
        if root.apk {
            databases.0.push(reference.clone());
            databases.1.push(manifest.clone());
        }
        // An image whose directories are no other image's links is placed as it is, and its segment
        // does not depend on the others.
        let concerned = root.dirs.iter().any(|name| all_links.contains(name));
        let links = if concerned {
            all_links.clone()
        } else {
            Links::default()
        };
        components.push(Component {
            label: format!("init[{index}]"),
            source: reference.clone(),
            inputs: Inputs::Image {
                manifest,
                place: String::new(),
                resolver: Resolver::Symlink,
                beside: Vec::new(),
                links: links.clone(),
            },
            build: Build::Image {
                reference: reference.clone(),
                place: String::new(),
                resolver: Resolver::Symlink,
                beside: Vec::new(),
                links,
            },
        });
    }
    let (references, manifests) = databases;
    if references.len() > 1 {
        let links = all_links.clone();
        components.push(Component {
            label: "init".to_owned(),
            source: "LINUXKIT.apkinit".to_owned(),
            inputs: Inputs::ApkDatabases {
                manifests,
                links: links.clone(),
            },
            build: Build::ApkDatabases { references, links },
        });
    }
    Ok(components)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
