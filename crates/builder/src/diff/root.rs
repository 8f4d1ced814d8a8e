//! The root file system of one side, from layers that are in the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use nodeimage_disk::Sha256;
use nodeimage_images::{Kind, Node, Tree};
use nodeimage_spec::LockedSpec;

use super::settings::unique;
use super::sizes::Size;
use crate::BuildError;
use crate::facts::OpenImages;
use crate::rootfs::Component;
use crate::runtime::Section;

/// A file of the root, and which component it comes from.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) file: Arc<File>,
    pub(super) component: usize,
}

/// A node; names of one file have its data.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct File {
    pub(super) node: Node,
    /// Of which file this is another name.
    pub(super) linked_to: Option<Vec<u8>>,
}

/// A component's files by path.
type Files = Vec<(Vec<u8>, Arc<File>)>;

/// Trees by what decides them: two images share most of theirs.
pub(super) type Shared = BTreeMap<Sha256, Arc<Files>>;

/// All files of an image.
#[derive(Debug, Default)]
pub(super) struct Root {
    /// By path, in which numbers of containers are left out: `containers/onboot/dhcpcd/…`.
    pub(super) entries: BTreeMap<Vec<u8>, Entry>,
    /// Names of the components, in order, and what is in them.
    pub(super) components: Vec<(String, String, Size)>,
}

impl Root {
    /// Lays the components over each other: the last one wins.
    pub(super) fn of(
        locked: &LockedSpec,
        components: &[Component],
        open: &OpenImages<'_>,
        shared: &mut Shared,
    ) -> Result<Self, BuildError> {
        let places = Places::of(locked);
        let mut root = Self::default();
        let labels: Vec<String> = components
            .iter()
            .map(|component| name(locked, component))
            .collect();
        let labels = unique(labels.iter().map(String::as_str));
        for (at, (component, label)) in components.iter().zip(labels).enumerate() {
            let files = match shared.get(&component.inputs.digest()) {
                Some(files) => Arc::clone(files),
                None => {
                    let files = Arc::new(files(component.tree(open)?));
                    shared.insert(component.inputs.digest(), Arc::clone(&files));
                    files
                }
            };
            let mut size = Size::default();
            for (path, file) in files.iter() {
                if let Kind::File(data) = &file.node.kind {
                    size.files += 1;
                    if file.linked_to.is_none() {
                        size.bytes = size.bytes.saturating_add(data.len());
                    }
                }
                root.put(places.key(path), file, at);
            }
            root.components
                .push((label, component.source.clone(), size));
        }
        Ok(root)
    }

    fn put(&mut self, key: Vec<u8>, file: &Arc<File>, component: usize) {
        let entry = Entry {
            file: Arc::clone(file),
            component,
        };
        let before = self.entries.insert(key.clone(), entry);
        let was_dir = before.is_some_and(|before| before.file.node.kind == Kind::Dir);
        if was_dir && file.node.kind != Kind::Dir && !key.is_empty() {
            // Everything that starts with `key/`: '0' is the byte after '/'.
            let below = [key.as_slice(), b"/"].concat()..[key.as_slice(), b"0"].concat();
            self.entries.extract_if(below, |_, _| true).for_each(drop);
        }
    }
}

fn files(tree: Tree) -> Files {
    let target = |node: &Node| match &node.kind {
        Kind::HardLink(target) => tree.get(target).map(|node| (target.clone(), node)),
        _ => None,
    };
    let mut files = Vec::with_capacity(tree.len());
    for (path, node) in &tree {
        let file = match target(node) {
            Some((target, node)) => File {
                node: node.clone(),
                linked_to: Some(target),
            },
            None => File {
                node: node.clone(),
                linked_to: None,
            },
        };
        files.push((path.clone(), Arc::new(file)));
    }
    files
}

/// The component as people know it: containers by their names, init images by theirs.
fn name(locked: &LockedSpec, component: &Component) -> String {
    let label = &component.label;
    let numbered = |section: &str| -> Option<usize> {
        let rest = label.strip_prefix(section)?.strip_prefix('[')?;
        rest.strip_suffix(']')?.parse().ok()
    };
    for section in Section::ALL {
        if let Some(container) =
            numbered(section.name()).and_then(|at| section.of(&locked.spec).get(at))
        {
            return format!("{} {}", section.name(), container.name);
        }
    }
    if let Some(volume) = numbered("volume").and_then(|at| locked.spec.volumes.get(at)) {
        return format!("volume {}", volume.name);
    }
    if numbered("init").is_some() {
        let repository = super::references::repository(&component.source);
        return format!("init {repository}");
    }
    label.clone()
}

/// The directories of containers whose number says only when they run.
struct Places(BTreeMap<Vec<u8>, Vec<u8>>);

impl Places {
    fn of(locked: &LockedSpec) -> Self {
        let mut places = BTreeMap::new();
        for section in [Section::Onboot, Section::Onshutdown] {
            let containers = section.of(&locked.spec);
            let names = unique(containers.iter().map(|container| container.name.as_str()));
            for (index, (container, name)) in containers.iter().zip(names).enumerate() {
                let dir = format!("containers/{}", section.name());
                // A name with a slash has directories that it shares with others.
                if !container.name.contains('/') {
                    let from = format!("{dir}/{index:03}-{}", container.name);
                    places.insert(from.into_bytes(), format!("{dir}/{name}").into_bytes());
                }
            }
        }
        Self(places)
    }

    fn key(&self, path: &[u8]) -> Vec<u8> {
        if self.0.is_empty() || !path.starts_with(b"containers/on") {
            return path.to_vec();
        }
        let third = path
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'/')
            .nth(2)
            .map_or(path.len(), |(at, _)| at);
        let (head, rest) = path.split_at(third);
        match self.0.get(head) {
            Some(place) => [place.as_slice(), rest].concat(),
            None => path.to_vec(),
        }
    }
}
