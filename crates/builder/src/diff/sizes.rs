//! How large the images are, in all and by component.

use std::collections::BTreeMap;

use serde::Serialize;

use super::root::Root;
use crate::Machine;

/// What a component holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Regular files.
    pub files: u64,
    /// Their bytes, other names of a file not counted.
    pub bytes: u64,
    /// Bytes of its segment, packed as on the disk; none if the store does not have it.
    pub packed: Option<u64>,
}

/// A component whose size or content differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ComponentSize {
    /// `kernel`, `init docker.io/linuxkit/runc`, `services web`, `files` …
    pub name: String,
    /// Its image before, or `linuxkit.files` and the like.
    pub from_source: Option<String>,
    /// Its image afterwards.
    pub to_source: Option<String>,
    /// Before.
    pub from: Option<Size>,
    /// Afterwards.
    pub to: Option<Size>,
}

/// Sizes in all, and of components whose size differs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// All components before, packed only if every segment is in the store.
    pub from: Size,
    /// All components afterwards.
    pub to: Size,
    /// Components whose size differs, or that only one has, by name.
    pub components: Vec<ComponentSize>,
}

impl Sizes {
    pub(super) fn between(from: &Root, to: &Root) -> Self {
        let by_name = |root: &Root| -> BTreeMap<String, (String, Size)> {
            let all = root.components.iter().cloned();
            all.map(|(name, source, size)| (name, (source, size)))
                .collect()
        };
        let (old, new) = (by_name(from), by_name(to));
        let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let mut components = Vec::new();
        for name in names {
            let (was, is) = (old.get(name), new.get(name));
            if was.map(|it| it.1) == is.map(|it| it.1) {
                continue;
            }
            components.push(ComponentSize {
                name: name.clone(),
                from_source: was.map(|it| it.0.clone()),
                to_source: is.map(|it| it.0.clone()),
                from: was.map(|it| it.1),
                to: is.map(|it| it.1),
            });
        }
        Self {
            from: total(from),
            to: total(to),
            components,
        }
    }
}

/// Adds what the machine's segments take.
pub(super) fn set_packed(root: &mut Root, machine: &Machine) {
    // Segments that only unlink stand in front of the component they are for, under another source.
    let mut segments = machine.segments.iter();
    for (name, source, size) in &mut root.components {
        let label_fits = |label: &str| name.starts_with(label.split('[').next().unwrap_or(label));
        let found = segments.find(|it| it.source == *source && label_fits(&it.label));
        size.packed = found.map(|segment| segment.file.len);
    }
}

fn total(root: &Root) -> Size {
    let mut total = Size {
        packed: Some(0),
        ..Size::default()
    };
    for (_, _, size) in &root.components {
        total.files += size.files;
        total.bytes = total.bytes.saturating_add(size.bytes);
        total.packed = total
            .packed
            .zip(size.packed)
            .map(|(a, b)| a.saturating_add(b));
    }
    total
}
