//! The whole spec as text, for `files` entries with `metadata: yaml` or `json`.
//!
//! Keys stand in LinuxKit's order, and what is printed is a spec again: parsing it gives the spec
//! that was printed. YAML has two spaces and lists at the level of their key; JSON has four spaces,
//! and `null` for sections without entries.

mod emit;

use base64::Engine as _;
use serde_json::Value;

use crate::model::{Container, FileEntry, Spec};
use crate::schema::untranslate_resources;
use emit::Tree;

/// The order of a container's keys.
const CONTAINER: &[&str] = &[
    "name",
    "image",
    "capabilities",
    "capabilities.add",
    "ambient",
    "mounts",
    "binds",
    "binds.add",
    "devices",
    "tmpfs",
    "command",
    "env",
    "cwd",
    "net",
    "pid",
    "ipc",
    "uts",
    "userns",
    "hostname",
    "readonly",
    "maskedPaths",
    "readonlyPaths",
    "uid",
    "gid",
    "additionalGids",
    "noNewPrivileges",
    "oomScoreAdj",
    "rootfsPropagation",
    "cgroupsPath",
    "resources",
    "sysctl",
    "rlimits",
    "uidMappings",
    "gidMappings",
    "annotations",
    "runtime",
];
const KERNEL: &[&str] = &["image", "cmdline", "binary", "tar", "ucode"];
const FILE: &[&str] = &[
    "path",
    "directory",
    "symlink",
    "contents",
    "source",
    "metadata",
    "optional",
    "mode",
    "uid",
    "gid",
];
const VOLUME: &[&str] = &["name", "image", "readonly", "format", "platforms"];

/// The spec as YAML.
pub fn yaml(spec: &Spec) -> String {
    emit::yaml(&tree(spec, true))
}

/// The spec as JSON. Contents that are not UTF-8, which only a locked spec has, can't be said in
/// it: their odd bytes come out as U+FFFD. (YAML has `!!binary`.)
pub fn json(spec: &Spec) -> String {
    emit::json(&tree(spec, false))
}

/// `binary`: whether bytes can be said.
fn tree(spec: &Spec, binary: bool) -> Tree {
    let kernel = spec
        .kernel
        .as_ref()
        .map(|kernel| ordered(plain(kernel), KERNEL))
        .unwrap_or_default();
    let mut kernel = kernel;
    if let Tree::Map(pairs) = &mut kernel
        && pairs.first().is_none_or(|(key, _)| key != "image")
    {
        pairs.insert(0, ("image".to_owned(), Tree::Text(String::new())));
    }
    let containers = |list: &[Container]| Tree::List(list.iter().map(container).collect());
    let init = spec.init.iter().map(|image| Tree::Text(image.clone()));
    let files = spec.files.iter().map(|entry| file(entry, binary));
    let volumes = spec
        .volumes
        .iter()
        .map(|volume| ordered(plain(volume), VOLUME));
    Tree::Map(
        [
            ("kernel", kernel),
            ("init", Tree::List(init.collect())),
            ("onboot", containers(&spec.onboot)),
            ("onshutdown", containers(&spec.onshutdown)),
            ("services", containers(&spec.services)),
            ("files", Tree::List(files.collect())),
            ("volumes", Tree::List(volumes.collect())),
        ]
        .map(|(key, tree)| (key.to_owned(), tree))
        .into(),
    )
}

fn container(container: &Container) -> Tree {
    let mut value = plain(container);
    if let Some(resources) = value.get_mut("resources").and_then(Value::as_object_mut) {
        untranslate_resources(resources);
    }
    ordered(value, CONTAINER)
}

fn file(entry: &FileEntry, binary: bool) -> Tree {
    let mut entry = entry.clone();
    // LinuxKit prints these two always.
    entry.directory.get_or_insert(false);
    entry.optional.get_or_insert(false);
    let bytes = entry.contents_base64.take();
    let mut tree = ordered(plain(&entry), FILE);
    if let (Tree::Map(pairs), Some(packed)) = (&mut tree, bytes) {
        let contents = if binary {
            Tree::Binary(packed)
        } else {
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(packed)
                .unwrap_or_default();
            Tree::Text(String::from_utf8_lossy(&bytes).into_owned())
        };
        let at = pairs
            .iter()
            .position(|(key, _)| key == "optional")
            .unwrap_or(pairs.len());
        pairs.insert(at, ("contents".to_owned(), contents));
    }
    tree
}

/// A part of the model as plain JSON, keys sorted whatever serde_json's features are.
fn plain(part: &impl serde::Serialize) -> Value {
    let mut value = serde_json::to_value(part).unwrap_or_default();
    value.sort_all_objects();
    value
}

/// The keys of an object in a fixed order; those of objects in it stay sorted.
fn ordered(value: Value, order: &[&str]) -> Tree {
    let Value::Object(mut map) = value else {
        return Tree::from(value);
    };
    let pairs = order.iter().filter_map(|key| {
        map.remove(*key)
            .map(|value| ((*key).to_owned(), Tree::from(value)))
    });
    Tree::Map(pairs.collect())
}

#[cfg(test)]
mod tests;
