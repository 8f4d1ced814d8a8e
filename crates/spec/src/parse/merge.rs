//! Joining documents, LinuxKit's way.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Adds a document to those before it. `bases` learns how long each top-level list is now.
pub(super) fn merge(
    into: &mut Map<String, Value>,
    document: Map<String, Value>,
    bases: &mut BTreeMap<String, usize>,
) {
    for (key, value) in document {
        match (value, into.get_mut(&key)) {
            (Value::Array(mut more), Some(Value::Array(list))) => {
                list.append(&mut more);
                bases.insert(key, list.len());
            }
            (Value::Array(list), None) => {
                bases.insert(key.clone(), list.len());
                into.insert(key, Value::Array(list));
            }
            (Value::Object(section), old) if key == "kernel" => {
                let kernel = section
                    .into_iter()
                    .filter(|(name, value)| says_something(name, value));
                match old {
                    Some(Value::Object(old)) => old.extend(kernel),
                    _ => drop(into.insert(key, kernel.collect::<Map<_, _>>().into())),
                }
            }
            (Value::Object(section), old) => {
                let mut joined = match old {
                    Some(Value::Object(old)) => std::mem::take(old),
                    _ => Map::new(),
                };
                // `trust`: its lists are joined like any other; their numbers matter to nobody.
                let mut inner = BTreeMap::new();
                merge(&mut joined, section, &mut inner);
                bases.extend(
                    inner
                        .into_iter()
                        .map(|(name, length)| (format!("{key}.{name}"), length)),
                );
                into.insert(key, joined.into());
            }
            (value, _) => drop(into.insert(key, value)),
        }
    }
}

/// `tar` and `ucode` count when they are given at all, the others when they are not empty.
fn says_something(name: &str, value: &Value) -> bool {
    matches!(name, "tar" | "ucode") || value.as_str() != Some("")
}
