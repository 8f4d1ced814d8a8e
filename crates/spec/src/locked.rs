//! The locked spec: all that decides an image's bytes, as canonical JSON (RFC 8785). Its sha256 is
//! the image id.
//!
//! Every field that has its default is left out, so that an option added later changes no id. No
//! path, host or time is in it: any machine whose sources hold the digests rebuilds the image from
//! it alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::check;
use crate::disk::is_default;
pub use crate::disk::{Architecture, Codec, DiskOptions, Firmware};
use crate::fault::quoted;
use crate::lock::is_part_name;
use crate::model::Spec;
use crate::pin::references;
use crate::reference::{BUILTIN_BOOT, BUILTIN_INIT, Digest, Reference};

/// The newest recipe: one number for everything that changes disk bytes.
pub const RECIPE: u32 = 1;

/// Bytes of a locked spec that are read.
const MAX_TEXT: usize = 64 << 20;

/// Why a locked spec can't be used.
#[derive(Debug, thiserror::Error)]
pub enum LockedError {
    /// Not JSON, or a value that makes no sense.
    #[error("the locked spec is not valid: {0}")]
    Format(String),
    /// A recipe that this program can't build.
    #[error(
        "the locked spec asks for recipe {0}, this program builds 1 to {RECIPE}; use a newer nodeimage, or lock anew"
    )]
    Recipe(u64),
    /// Fields from a newer program.
    #[error(
        "the locked spec has a field that is not known here, {path}; it was written by another version of nodeimage \
         (its recipe is {recipe}, this program builds 1 to {RECIPE}): use that version, or lock anew"
    )]
    Unknown {
        /// Where, such as `disk.colour`.
        path: String,
        /// The locked spec's recipe.
        recipe: u64,
    },
    /// Equal to a locked spec, but not written as one, so that its hash is another.
    #[error("the locked spec is not in its canonical form; don't edit it, lock anew")]
    NotCanonical,
}

/// The boot parts of one architecture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Boot {
    /// The manifest of the boot image.
    pub digest: Digest,
    /// Part's name → its content.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parts: BTreeMap<String, Digest>,
}

/// All that decides an image's bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedSpec {
    /// What builds it.
    pub recipe: u32,
    /// The machine.
    pub architecture: Architecture,
    /// The spec, `files` sources inlined.
    pub spec: Spec,
    /// Expanded reference → manifest (or an index, where the YAML names one).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub images: BTreeMap<String, Digest>,
    /// The boot parts.
    pub boot: Boot,
    /// The manifest behind `builtin:init`, when the spec names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<Digest>,
    /// The disk.
    #[serde(default, skip_serializing_if = "is_default")]
    pub disk: DiskOptions,
}

impl LockedSpec {
    /// Canonical JSON, without a line break at the end.
    #[expect(
        clippy::expect_used,
        reason = "strings, finite numbers and maps with text keys always serialize"
    )]
    pub fn to_json(&self) -> String {
        serde_json_canonicalizer::to_string(self).expect("a locked spec is plain data")
    }

    /// The image id: `sha256:` and the hash of the canonical JSON.
    pub fn id(&self) -> String {
        Digest::of(self.to_json().as_bytes()).to_string()
    }

    /// The digest behind a reference of the spec, builtin ones included.
    pub fn digest(&self, reference: &str) -> Option<&Digest> {
        match reference {
            BUILTIN_BOOT => Some(&self.boot.digest),
            BUILTIN_INIT => self.init.as_ref(),
            _ => self.images.get(reference),
        }
    }

    /// Reads a locked spec; any text may be given. One line break at its end is allowed.
    ///
    /// # Errors
    /// When it is none, has a recipe or fields that are not known here, or is not canonical.
    pub fn parse(text: &str) -> Result<Self, LockedError> {
        let format = LockedError::Format;
        if text.len() > MAX_TEXT {
            return Err(format(format!(
                "it has {} bytes, more than the {MAX_TEXT} that are read",
                text.len()
            )));
        }
        let text = text.strip_suffix('\n').unwrap_or(text);
        let value: Value = serde_json::from_str(text).map_err(|error| format(error.to_string()))?;
        let Some(recipe) = value.get("recipe").and_then(Value::as_u64) else {
            return Err(format("it has no `recipe`".to_owned()));
        };
        if !(1..=u64::from(RECIPE)).contains(&recipe) {
            return Err(LockedError::Recipe(recipe));
        }
        if let Some(path) = unknown_top(&value) {
            return Err(LockedError::Unknown { path, recipe });
        }
        let locked = Self::deserialize(&value).map_err(|error| {
            let message = error.to_string();
            // serde's name of the field is all there is; it is enough to find it.
            match message
                .strip_prefix("unknown field `")
                .and_then(|rest| rest.split('`').next())
            {
                Some(name) => LockedError::Unknown {
                    path: quoted(name),
                    recipe,
                },
                None => format(message),
            }
        })?;
        let again = serde_json::to_value(&locked).map_err(|error| format(error.to_string()))?;
        if let Some(path) = missing(&value, &again, "") {
            return Err(LockedError::Unknown {
                path: quoted(&path),
                recipe,
            });
        }
        locked.check().map_err(format)?;
        let mut disk = locked.disk.clone();
        disk.normalize(locked.architecture);
        if disk != locked.disk || locked.to_json() != text {
            return Err(LockedError::NotCanonical);
        }
        Ok(locked)
    }

    fn check(&self) -> Result<(), String> {
        if let Some(fault) = check::check(&self.spec).into_iter().next() {
            return Err(format!("{} at {}", fault.message, fault.path));
        }
        if let Some(file) = self.spec.files.iter().find(|file| file.source.is_some()) {
            return Err(format!("the file {} is not inlined", quoted(&file.path)));
        }
        self.disk
            .check(self.architecture)
            .map_err(|fault| fault.message)?;
        let wanted = references(&self.spec, self.architecture);
        if let Some(reference) = wanted
            .iter()
            .find(|reference| self.digest(reference).is_none())
        {
            return Err(format!("{} has no digest", quoted(reference)));
        }
        if let Some(reference) = self
            .images
            .keys()
            .find(|reference| !wanted.contains(*reference))
        {
            return Err(format!(
                "{} is pinned and not in the spec",
                quoted(reference)
            ));
        }
        let own = |reference: &str| {
            Reference::parse(reference)
                .ok()
                .and_then(|reference| reference.digest().copied())
        };
        if let Some((reference, _)) = self
            .images
            .iter()
            .find(|(reference, digest)| own(reference).is_some_and(|own| own != **digest))
        {
            return Err(format!(
                "{} is pinned to another digest than its own",
                quoted(reference)
            ));
        }
        if self.init.is_some() && !wanted.contains(BUILTIN_INIT) {
            return Err(format!("`{BUILTIN_INIT}` is pinned and not in the spec"));
        }
        match self.boot.parts.keys().find(|name| !is_part_name(name)) {
            Some(name) => Err(format!("{} is no name of a boot part", quoted(name))),
            None => Ok(()),
        }
    }
}

fn unknown_top(value: &Value) -> Option<String> {
    const KNOWN: [&str; 7] = [
        "architecture",
        "boot",
        "disk",
        "images",
        "init",
        "recipe",
        "spec",
    ];
    let name = value
        .as_object()?
        .keys()
        .find(|key| !KNOWN.contains(&key.as_str()))?;
    Some(quoted(name))
}

/// The path of something in `given` that reading and writing lost.
fn missing(given: &Value, kept: &Value, path: &str) -> Option<String> {
    match (given, kept) {
        (Value::Object(given), Value::Object(kept)) => given.iter().find_map(|(key, value)| {
            let path = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            match kept.get(key) {
                Some(kept) => missing(value, kept, &path),
                // Defaults that are written out are left to the check of the canonical form.
                None if is_default_text(&path, value) => None,
                None => Some(path),
            }
        }),
        (Value::Array(given), Value::Array(kept)) => {
            let pairs = given.iter().zip(kept).enumerate();
            pairs.into_iter().find_map(|(index, (given, kept))| {
                missing(given, kept, &format!("{path}[{index}]"))
            })
        }
        _ => None,
    }
}

/// Whether a value says what leaving it out says.
fn is_default_text(path: &str, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty() || path == "disk",
        _ => matches!(path, "disk.codec" | "disk.min_memory" | "disk.cmdline"),
    }
}

#[cfg(test)]
#[path = "locked_tests.rs"]
mod tests;
