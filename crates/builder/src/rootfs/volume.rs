//! Volumes: `containers/volumes/NAME/{lower,tmp,merged}`.

use std::collections::BTreeSet;

use nodeimage_images::Tree;
use nodeimage_spec::model::{Spec, Volume};

use super::component::{Build, Component, info};
use super::faults::Faults;
use super::{Error, ImageFacts, Inputs, Links, Resolver, nodes};

/// One component for each volume.
///
/// With LinuxKit's init every volume has `tmp`, also a read-only one: without it that init stops
/// at the volume (its tmpfs has nowhere to go), and with it the volume is writable. Our init mounts
/// a volume without `tmp` read-only, so it gets none.
pub(super) fn components(
    spec: &Spec,
    images: &dyn ImageFacts,
    own_init: bool,
) -> Result<Vec<Component>, Error> {
    let mut names = BTreeSet::new();
    let mut faults = Faults::default();
    let mut components = Vec::with_capacity(spec.volumes.len());
    for (index, volume) in spec.volumes.iter().enumerate() {
        let mut name = check_name(&volume.name);
        if !names.insert(&volume.name) {
            name = Err(Error::DuplicateVolume {
                name: volume.name.clone(),
            });
        }
        let made = name.and_then(|()| component(index, volume, images, own_init));
        components.extend(faults.take(made));
    }
    faults.or(components)
}

fn check_name(name: &str) -> Result<(), Error> {
    let fine = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    if name.is_empty() || !name.bytes().all(fine) {
        return Err(Error::VolumeName {
            name: name.to_owned(),
        });
    }
    Ok(())
}

fn component(
    index: usize,
    volume: &Volume,
    images: &dyn ImageFacts,
    own_init: bool,
) -> Result<Component, Error> {
    let base = format!("containers/volumes/{}", volume.name);
    let place = format!("{base}/lower");
    let mut beside = vec![format!("{base}/merged")];
    if !(own_init && volume.readonly == Some(true)) {
        beside.push(format!("{base}/tmp"));
    }
    let label = format!("volume[{index}]");
    let format = match volume.format.as_deref() {
        None | Some("" | "filesystem") => "filesystem",
        Some("oci") => "oci",
        Some(other) => {
            return Err(Error::VolumeFormat {
                name: volume.name.clone(),
                format: other.to_owned(),
            });
        }
    };
    let Some(reference) = volume.image.clone().filter(|image| !image.is_empty()) else {
        return Ok(Component::of_tree(
            label,
            "empty",
            directories(&place, &beside),
        ));
    };
    let image = info(images, &reference)?;
    if format == "filesystem" {
        return Ok(Component {
            label,
            source: reference.clone(),
            inputs: Inputs::Image {
                manifest: image.manifest.clone(),
                place: place.clone(),
                resolver: Resolver::Symlink,
                beside: beside.clone(),
                links: Links::default(),
            },
            build: Build::Image {
                reference,
                place,
                resolver: Resolver::Symlink,
                beside,
                links: Links::default(),
            },
        });
    }
    let platforms = volume.platforms.clone().unwrap_or_default();
    let Some(digest) = image.index.clone() else {
        return Err(Error::VolumeNeedsIndex {
            name: volume.name.clone(),
            reference,
        });
    };
    Ok(Component {
        label,
        source: reference.clone(),
        inputs: Inputs::Layout {
            index: digest,
            reference: reference.clone(),
            platforms: platforms.clone(),
            place: place.clone(),
            beside: beside.clone(),
        },
        build: Build::Layout {
            reference,
            platforms,
            place,
            beside,
        },
    })
}

/// Empty directories with those above.
pub(super) fn directories(place: &str, beside: &[String]) -> Tree {
    let mut tree = Tree::new();
    nodes::add_dirs(&mut tree, place.as_bytes());
    add_beside(&mut tree, beside);
    tree
}

/// Adds empty directories beside a place.
pub(super) fn add_beside(tree: &mut Tree, beside: &[String]) {
    for path in beside {
        nodes::add_dirs(tree, path.as_bytes());
    }
}
