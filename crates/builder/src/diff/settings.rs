//! Everything of a locked spec but its digests: which settings differ.
//!
//! Containers are known by their names, files by their paths, so that an inserted one moves
//! nothing. What may be secret (contents of files, values of environment variables) is never told,
//! only that it changed.

use std::collections::{BTreeMap, BTreeSet};

use nodeimage_spec::LockedSpec;
use nodeimage_spec::model::{Container, FileEntry};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Change;

/// A setting that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setting {
    /// What it belongs to: `kernel`, `disk`, `services web`, `files /etc/motd` …
    pub of: String,
    /// Its key: `cmdline`, `capabilities`, `env PATH` …
    pub key: String,
    /// What happened.
    pub change: Change,
    /// Before; also null when it is not to be told.
    pub from: Option<Value>,
    /// Afterwards; also null when it is not to be told.
    pub to: Option<Value>,
}

/// A value, and whether it may be told.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    value: Value,
    told: bool,
}

type Flat = BTreeMap<(String, String), Known>;

/// All settings that differ, sorted.
pub(super) fn settings(from: &LockedSpec, to: &LockedSpec) -> Vec<Setting> {
    let (old, new) = (flat(from), flat(to));
    let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let mut found = Vec::new();
    for key in keys {
        let (was, is) = (old.get(key), new.get(key));
        if was == is {
            continue;
        }
        let Some(change) = Change::of(was, is) else {
            continue;
        };
        let told = |known: Option<&Known>| {
            let known = known.filter(|known| known.told);
            known.map(|known| known.value.clone())
        };
        found.push(Setting {
            of: key.0.clone(),
            key: key.1.clone(),
            change,
            from: told(was),
            to: told(is),
        });
    }
    found
}

fn flat(locked: &LockedSpec) -> Flat {
    let mut flat = Flat::new();
    let mut put = |of: &str, key: &str, value: Value, told: bool| {
        flat.insert((of.to_owned(), key.to_owned()), Known { value, told });
    };
    put("image", "recipe", json!(locked.recipe), true);
    put(
        "image",
        "architecture",
        json!(locked.architecture.name()),
        true,
    );
    for (name, digest) in &locked.boot.parts {
        put("boot parts", name, json!(digest.to_string()), true);
    }
    for (key, value) in object(&locked.disk) {
        put("disk", &key, value, true);
    }
    let spec = &locked.spec;
    for (key, value) in spec.kernel.iter().flat_map(object) {
        put("kernel", &key, value, true);
    }
    if !spec.init.is_empty() {
        put("init", "order", json!(spec.init), true);
    }
    let sections: [(&str, &[Container]); 3] = [
        ("onboot", &spec.onboot),
        ("onshutdown", &spec.onshutdown),
        ("services", &spec.services),
    ];
    for (section, containers) in sections {
        let names = unique(containers.iter().map(|container| container.name.as_str()));
        if !names.is_empty() {
            put(section, "order", json!(names), true);
        }
        for (name, container) in names.iter().zip(containers) {
            let of = format!("{section} {name}");
            put(&of, "image", json!(container.image), true);
            for (key, value) in object(&container.options) {
                match (key.as_str(), &container.options.env) {
                    ("env", Some(env)) => {
                        for variable in env {
                            let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
                            put(&of, &format!("env {name}"), json!(value), false);
                        }
                    }
                    _ => put(&of, &key, value, true),
                }
            }
        }
    }
    let names = unique(spec.volumes.iter().map(|volume| volume.name.as_str()));
    for (name, volume) in names.iter().zip(&spec.volumes) {
        for (key, value) in object(volume).into_iter().filter(|(key, _)| key != "name") {
            put(&format!("volumes {name}"), &key, value, true);
        }
    }
    let names = unique(spec.files.iter().map(|file| file.path.as_str()));
    for (path, file) in names.iter().zip(&spec.files) {
        let of = format!("files {path}");
        put(&of, "type", json!(kind(file)), true);
        for (key, value) in object(file).into_iter().filter(|(key, _)| key != "path") {
            let told = !matches!(key.as_str(), "contents" | "contents_base64");
            // Text or not is no difference of its own.
            let key = if told { key.as_str() } else { "contents" };
            put(&of, key, value, told);
        }
    }
    flat
}

fn kind(file: &FileEntry) -> &'static str {
    if file.directory == Some(true) {
        "directory"
    } else if file.symlink.is_some() {
        "symlink"
    } else {
        "file"
    }
}

/// Names, equal ones numbered.
pub(super) fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    let number = |name: &'a str| {
        let count = seen.entry(name).or_default();
        *count += 1;
        match count {
            1 => name.to_owned(),
            _ => format!("{name}#{count}"),
        }
    };
    names.map(number).collect()
}

fn object(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}
