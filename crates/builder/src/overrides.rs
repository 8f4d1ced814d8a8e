//! Files that a later component puts where an earlier one has a file.
//!
//! The kernel unpacks one segment after the other. A regular file that is already there it writes
//! over, inode and all (`init/initramfs.c`, `do_name`), so that its other names would get the new
//! content too; such a name is unlinked first, by a small segment of its own in front. And the
//! attributes that init restores by path would stick to a file they were not made for; those of
//! replaced files are left out.
//!
//! Both are rare, so names are only looked at when an earlier component has hard links or
//! attributes where a later one may put files.

use std::collections::{BTreeMap, BTreeSet};

use nodeimage_disk::Sha256;
use nodeimage_images::store::{Bucket, Store};
use nodeimage_images::{Kind, Node, Tree};
use sha2::Digest as _;

use crate::BuildError;
use crate::rootfs::{Build, Component, Inputs, Links, MTIME, Trees, without_boot};
use crate::stored_segment::StoredSegment;

/// What later components do to earlier ones' files.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Overrides {
    /// Component and path: its attributes no longer hold.
    replaced: BTreeSet<(usize, Vec<u8>)>,
    /// Component → what must be unlinked before it is unpacked.
    unlink: BTreeMap<usize, BTreeSet<Vec<u8>>>,
}

struct Watched {
    component: usize,
    path: Vec<u8>,
    linked: bool,
}

impl Overrides {
    /// Compares components, whose segments are `segments`.
    pub(crate) fn find(
        store: &Store,
        trees: &dyn Trees,
        components: &[Component],
        segments: &[StoredSegment],
    ) -> Result<Self, BuildError> {
        let mut found = Self::default();
        let watched = watched(segments);
        for (at, (component, segment)) in components.iter().zip(segments).enumerate() {
            let mut names = None;
            let earlier = watched.iter().take_while(|it| it.component < at);
            for it in earlier.filter(|it| may_hold(&component.inputs, &it.path)) {
                let names = match &mut names {
                    Some(names) => names,
                    none => none.insert(Names::of(store, trees, component, &segment.key)?),
                };
                if !names.contain(&it.path) {
                    continue;
                }
                if it.linked {
                    found.unlink.entry(at).or_default().insert(it.path.clone());
                } else {
                    found.replaced.insert((it.component, it.path.clone()));
                }
            }
        }
        Ok(found)
    }

    /// Whether the attributes of this path still are those of this component's file.
    pub(crate) fn keeps(&self, component: usize, path: &[u8]) -> bool {
        self.replaced.is_empty() || !self.replaced.contains(&(component, path.to_vec()))
    }

    /// For each component with names to be unlinked, that which unlinks them; the last first, so
    /// that they can be put in front one after the other.
    pub(crate) fn unlinking(&self, components: &[Component]) -> Vec<(usize, Component)> {
        let unlinking = self.unlink.iter().rev();
        unlinking
            .map(|(at, paths)| {
                let label = components.get(*at).map_or("", |it| it.label.as_str());
                (*at, unlinking_component(label, paths))
            })
            .collect()
    }
}

/// A path with attributes, or one of several names of a file.
fn watched(segments: &[StoredSegment]) -> Vec<Watched> {
    let mut watched = Vec::new();
    for (component, segment) in segments.iter().enumerate() {
        let attributes = segment.facts.xattrs.keys().map(|path| (path, false));
        let linked = segment.facts.linked.iter().map(|path| (path, true));
        for (path, linked) in attributes.chain(linked) {
            watched.push(Watched {
                component,
                path: hex::decode(path).unwrap_or_default(),
                linked,
            });
        }
    }
    watched
}

/// Whether a component can have this path, judged by where it goes.
fn may_hold(inputs: &Inputs, path: &[u8]) -> bool {
    let no_links = |links: &Links| links.iter().next().is_none();
    let (place, beside) = match inputs {
        Inputs::Image {
            place,
            beside,
            links,
            ..
        } if no_links(links) => (place, beside),
        Inputs::Layout { place, beside, .. } => (place, beside),
        _ => return true,
    };
    place.is_empty()
        || std::iter::once(place)
            .chain(beside)
            .any(|own| is_at_or_below(path, own.as_bytes()) || is_at_or_below(own.as_bytes(), path))
}

fn is_at_or_below(path: &[u8], dir: &[u8]) -> bool {
    path.strip_prefix(dir)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// A symbolic link at each path: the kernel unlinks what has another type, twice.
fn unlinking_component(label: &str, paths: &BTreeSet<Vec<u8>>) -> Component {
    let mut digest = sha2::Sha256::new();
    digest.update(b"unlink");
    let link = Node {
        kind: Kind::Symlink(b".".to_vec()),
        mode: 0o777,
        uid: 0,
        gid: 0,
        mtime: MTIME,
        xattrs: BTreeMap::new(),
    };
    let mut tree = Tree::new();
    for path in paths {
        digest.update((path.len() as u64).to_le_bytes());
        digest.update(path);
        tree.insert(path.clone(), link.clone());
    }
    Component {
        label: format!("{label} unlinks"),
        source: "nodeimage.unlink".to_owned(),
        inputs: Inputs::Tree(digest.finalize().into()),
        build: Build::Tree(tree),
    }
}

/// All paths of a component.
enum Names<'a> {
    Here(&'a Tree),
    /// The first 64 bits of each path's sha256, sorted: two names in 2^64 may be taken for one,
    /// which costs an unlink too many.
    Hashed(Vec<u64>),
}

impl<'a> Names<'a> {
    fn of(
        store: &Store,
        trees: &dyn Trees,
        component: &'a Component,
        key: &Sha256,
    ) -> Result<Self, BuildError> {
        if let Build::Tree(tree) = &component.build {
            return Ok(Self::Here(tree));
        }
        let key: Sha256 = sha2::Sha256::digest([b"names 1".as_slice(), key].concat()).into();
        if let Some(entry) = store.get_sound(Bucket::Images, &key)? {
            let bytes = entry.read()?;
            let hashes = bytes.as_chunks::<8>().0.iter();
            let hashes = hashes.map(|it| u64::from_le_bytes(*it)).collect();
            return Ok(Self::Hashed(hashes));
        }
        let tree = without_boot(component.tree(trees)?);
        let mut hashes: Vec<u64> = tree.keys().map(|path| hash(path)).collect();
        hashes.sort_unstable();
        let bytes: Vec<u8> = hashes.iter().flat_map(|it| it.to_le_bytes()).collect();
        store.replace(Bucket::Images, &key, &bytes, b"")?;
        Ok(Self::Hashed(hashes))
    }

    fn contain(&self, path: &[u8]) -> bool {
        match self {
            Self::Here(tree) => tree.contains_key(path),
            Self::Hashed(hashes) => hashes.binary_search(&hash(path)).is_ok(),
        }
    }
}

fn hash(path: &[u8]) -> u64 {
    let digest: Sha256 = sha2::Sha256::digest(path).into();
    digest
        .first_chunk()
        .map_or(0, |first| u64::from_le_bytes(*first))
}

#[cfg(test)]
mod tests;
