//! The lock: which digest each reference of a spec stands for, as a text that people review.
//!
//! One lock serves all architectures:
//!
//! ```json
//! {
//!   "boot": {"digest": "sha256:…", "parts": {"linux/amd64": {"core.img": "sha256:…"}}, "platforms": {}},
//!   "images": {
//!     "docker.io/library/nginx:alpine": {
//!       "digest": "sha256:…",
//!       "platforms": {"linux/amd64": "sha256:…"}
//!     }
//!   },
//!   "init": {"digest": "sha256:…", "platforms": {"linux/amd64": "sha256:…"}},
//!   "recipe": 1,
//!   "version": 1
//! }
//! ```
//!
//! `digest` is what the registry answered for the reference: an index, or a manifest. `platforms`
//! names the manifests in it; empty, the image is a single manifest that serves every platform.

use std::collections::BTreeMap;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::disk::Architecture;
use crate::fault::quoted;
use crate::locked::RECIPE;
use crate::reference::{Digest, Reference};

/// Bytes of a lock that are read.
const MAX_TEXT: usize = 16 << 20;
const MAX_NAME: usize = 255;

/// The version of the format.
pub const VERSION: u32 = 1;

/// Why a lock can't be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Not JSON, or keys and types that are not a lock's.
    #[error("the lock is not valid: {what}{}; write it anew with `nodeimage lock`", on_line(*line))]
    Format {
        /// What is wrong.
        what: String,
        /// Where, from 1, if that is known and not in the text already.
        line: Option<usize>,
    },
    /// Two versions of it were merged and neither was chosen.
    #[error(
        "the lock holds a merge conflict on line {line}; take either side and run `nodeimage lock`, which adds what is missing"
    )]
    Conflict {
        /// Where, from 1.
        line: usize,
    },
    /// Written by another program version.
    #[error(
        "the lock has version {version}{}, this program reads version {VERSION}; use a newer nodeimage or lock anew",
        on_line(*line)
    )]
    Version {
        /// Its version.
        version: u64,
        /// Where it says so, from 1.
        line: Option<usize>,
    },
    /// A recipe that this program can't build.
    #[error(
        "the lock asks for recipe {recipe}{}, this program builds 1 to {RECIPE}; use a newer nodeimage or lock anew",
        on_line(*line)
    )]
    Recipe {
        /// Its recipe.
        recipe: u64,
        /// Where it says so, from 1.
        line: Option<usize>,
    },
}

fn on_line(line: Option<usize>) -> String {
    line.map_or(String::new(), |line| format!(" on line {line}"))
}

/// All pinned digests of a spec.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Version of the format: 1.
    pub version: u32,
    /// The recipe that decides disk bytes.
    pub recipe: u32,
    /// Expanded reference → digests.
    #[serde(default, deserialize_with = "unique")]
    pub images: BTreeMap<String, LockedImage>,
    /// The image of the boot parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<LockedBoot>,
    /// Our init image, when the spec names `builtin:init`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<LockedImage>,
}

/// The digests of one reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedImage {
    /// Index or manifest.
    pub digest: Digest,
    /// `os/architecture` → manifest.
    #[serde(default)]
    pub platforms: BTreeMap<String, Digest>,
}

/// The digests of the boot parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedBoot {
    /// Index or manifest.
    pub digest: Digest,
    /// `os/architecture` → manifest.
    #[serde(default)]
    pub platforms: BTreeMap<String, Digest>,
    /// `os/architecture` → part's name → its content.
    #[serde(default)]
    pub parts: BTreeMap<String, BTreeMap<String, Digest>>,
}

impl Default for Lock {
    fn default() -> Self {
        Self {
            version: VERSION,
            recipe: RECIPE,
            images: BTreeMap::new(),
            boot: None,
            init: None,
        }
    }
}

impl Lock {
    /// Reads a lock; any text may be given.
    ///
    /// # Errors
    /// When the text is no lock, or one of a version or recipe that is not known here.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        let format = |what: String, line| LockError::Format { what, line };
        if text.len() > MAX_TEXT {
            let what = format!(
                "it has {} bytes, more than the {MAX_TEXT} that are read",
                text.len()
            );
            return Err(format(what, None));
        }
        // serde says where, in the same words.
        let json = |error: serde_json::Error| match conflict(text) {
            Some(line) => LockError::Conflict { line },
            None => format(error.to_string(), None),
        };
        // The version first: a newer lock may have keys that are unknown here.
        let head: Head = serde_json::from_str(text).map_err(json)?;
        match head.version.as_ref().map(Value::as_u64) {
            Some(Some(version)) if version == u64::from(VERSION) => {}
            Some(Some(version)) => {
                let line = line_of(text, "version");
                return Err(LockError::Version { version, line });
            }
            given => {
                let what = match given {
                    Some(None) => "its `version` is no whole number",
                    _ => "it has no `version`",
                };
                return Err(format(what.to_owned(), line_of(text, "version")));
            }
        }
        if let Some(Some(recipe)) = head.recipe.as_ref().map(Value::as_u64)
            && !(1..=u64::from(RECIPE)).contains(&recipe)
        {
            let line = line_of(text, "recipe");
            return Err(LockError::Recipe { recipe, line });
        }
        let lock: Self = serde_json::from_str(text).map_err(json)?;
        lock.check()
            .map_err(|wrong| format(wrong.what, line_of(text, &wrong.key)))?;
        Ok(lock)
    }

    fn check(&self) -> Result<(), Wrong> {
        for (name, image) in &self.images {
            let wrong = |what: String| Wrong {
                what,
                key: name.clone(),
            };
            let reference = Reference::parse(name).map_err(|error| wrong(error.to_string()))?;
            let shown = quoted(name);
            if reference.as_str() != name {
                return Err(wrong(format!("{shown} is not expanded; it is {reference}")));
            }
            if reference.is_builtin() {
                return Err(wrong(format!("{shown} has its own key beside `images`")));
            }
            let own = reference.digest();
            if own.is_some_and(|digest| *digest != image.digest) {
                let what = format!("{shown} is locked to another digest than its own");
                return Err(wrong(what));
            }
            platforms(&image.platforms)?;
        }
        if let Some(init) = &self.init {
            platforms(&init.platforms)?;
        }
        if let Some(boot) = &self.boot {
            platforms(&boot.platforms)?;
            platforms(&boot.parts)?;
            let names = boot.parts.values().flat_map(BTreeMap::keys);
            if let Some(name) = names.into_iter().find(|name| !is_part_name(name)) {
                return Err(Wrong {
                    what: format!("{} is no name of a boot part", quoted(name)),
                    key: name.clone(),
                });
            }
        }
        Ok(())
    }

    /// Leaves out platforms of other architectures.
    pub fn restrict(&mut self, architectures: &[Architecture]) {
        let names: Vec<String> = architectures.iter().map(|it| it.platform()).collect();
        for image in self.images.values_mut().chain(&mut self.init) {
            image.platforms.retain(|name, _| names.contains(name));
        }
        if let Some(boot) = &mut self.boot {
            boot.platforms.retain(|name, _| names.contains(name));
            boot.parts.retain(|name, _| names.contains(name));
        }
    }

    /// The architectures that every entry serves; none for an empty lock.
    pub fn architectures(&self) -> Vec<Architecture> {
        let images = self.images.values().chain(&self.init);
        let mut platforms: Vec<Vec<&String>> = images
            .map(|image| image.platforms.keys().collect())
            .filter(|names: &Vec<_>| !names.is_empty())
            .collect();
        platforms.extend(self.boot.iter().map(|boot| boot.parts.keys().collect()));
        let all = [
            Architecture::Amd64,
            Architecture::Arm64,
            Architecture::Riscv64,
        ];
        let serves = |architecture: &Architecture| {
            let name = architecture.platform();
            !platforms.is_empty() && platforms.iter().all(|names| names.contains(&&name))
        };
        all.into_iter().filter(serves).collect()
    }
}

/// What is wrong, and the key in the text that shows where.
struct Wrong {
    what: String,
    key: String,
}

/// The line, from 1, of the first place where a text has this key.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let key = serde_json::to_string(key).ok()?;
    let is_key = |(at, _): &(usize, &str)| {
        let rest = text.get(at + key.len()..).unwrap_or_default();
        rest.trim_start().starts_with(':')
    };
    let (at, _) = text.match_indices(&key).find(is_key)?;
    Some(1 + text.get(..at)?.matches('\n').count())
}

/// The line, from 1, of a conflict that a merge has left.
fn conflict(text: &str) -> Option<usize> {
    let marker = |line: &str| line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ");
    text.lines().position(marker).map(|at| at + 1)
}

/// Sorted keys, two spaces, a line break at the end: the same lock is the same text.
impl std::fmt::Display for Lock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut value = serde_json::to_value(self).map_err(|_| std::fmt::Error)?;
        // Whether a map of serde_json sorts its keys depends on a feature that any crate may set.
        value.sort_all_objects();
        writeln!(f, "{value:#}")
    }
}

/// A map of which no key comes twice: in a text that people merge by hand the last one must not
/// win in silence.
fn unique<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, LockedImage>, D::Error> {
    struct Unique;

    impl<'de> Visitor<'de> for Unique {
        type Value = BTreeMap<String, LockedImage>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a map of references")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
            let mut map = BTreeMap::new();
            while let Some((name, image)) = access.next_entry::<String, LockedImage>()? {
                if map.contains_key(&name) {
                    return Err(serde::de::Error::custom(format!(
                        "{} is locked twice",
                        quoted(&name)
                    )));
                }
                map.insert(name, image);
            }
            Ok(map)
        }
    }

    deserializer.deserialize_map(Unique)
}

#[derive(Deserialize)]
struct Head {
    version: Option<Value>,
    recipe: Option<Value>,
}

fn platforms<T>(map: &BTreeMap<String, T>) -> Result<(), Wrong> {
    let word = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    let valid = |name: &str| {
        name.len() <= MAX_NAME
            && name.split('/').all(word)
            && (1..=2).contains(&name.matches('/').count())
    };
    match map.keys().find(|name| !valid(name)) {
        Some(name) => Err(Wrong {
            what: format!("{} is no platform such as `linux/amd64`", quoted(name)),
            key: name.clone(),
        }),
        None => Ok(()),
    }
}

/// A file name without any path.
pub(crate) fn is_part_name(name: &str) -> bool {
    let valid =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'+');
    !name.is_empty()
        && name.len() <= MAX_NAME
        && name.bytes().all(valid)
        && !matches!(name, "." | "..")
}

#[cfg(test)]
#[path = "lock_tests.rs"]
mod tests;
