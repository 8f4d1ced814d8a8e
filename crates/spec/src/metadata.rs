//! The whole spec as text, for `files` entries with `metadata: yaml` or `json`: LinuxKit's bytes.
//!
//! LinuxKit prints its structures with Go's `yaml.v2` and `encoding/json`, so keys stand in the
//! order of its structures, members without a value are left out where it says so and printed
//! where it doesn't, and texts are quoted and folded as `yaml.v2` does. What is printed as YAML is
//! a spec again: parsing it gives the spec that was printed.
//!
//! Deliberately different, because there LinuxKit's own YAML is no spec any more or tells less
//! than was asked for: `resources` and id mappings are printed with the schema's keys and only
//! those given, and U+2028 and U+2029 are escaped.

mod json;
mod tree;
mod yaml;

use crate::model::Spec;

/// The spec as YAML.
pub fn yaml(spec: &Spec) -> String {
    yaml::print(&tree::of(spec, tree::Notation::Yaml))
}

/// The spec as JSON. Contents that are not UTF-8 can't be said in it: their odd bytes come out as
/// U+FFFD. (YAML has `!!binary`.)
pub fn json(spec: &Spec) -> String {
    json::print(&tree::of(spec, tree::Notation::Json))
}

#[cfg(test)]
mod tests;
