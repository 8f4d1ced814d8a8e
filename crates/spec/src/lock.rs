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
    #[error("the lock is not valid: {0}; write it anew with `nodeimage lock`")]
    Format(String),
    /// Written by another program version.
    #[error(
        "the lock has version {0}, this program reads version {VERSION}; use a newer nodeimage or lock anew"
    )]
    Version(u64),
    /// A recipe that this program can't build.
    #[error(
        "the lock asks for recipe {0}, this program builds 1 to {RECIPE}; use a newer nodeimage or lock anew"
    )]
    Recipe(u64),
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
        let format = |reason: String| LockError::Format(reason);
        if text.len() > MAX_TEXT {
            return Err(format(format!(
                "it has {} bytes, more than the {MAX_TEXT} that are read",
                text.len()
            )));
        }
        // The version first: a newer lock may have keys that are unknown here.
        let head: Head = serde_json::from_str(text).map_err(|error| format(error.to_string()))?;
        match head.version.as_ref().map(Value::as_u64) {
            Some(Some(version)) if version == u64::from(VERSION) => {}
            Some(Some(version)) => return Err(LockError::Version(version)),
            _ => return Err(format("it has no `version`".to_owned())),
        }
        if let Some(Some(recipe)) = head.recipe.as_ref().map(Value::as_u64)
            && !(1..=u64::from(RECIPE)).contains(&recipe)
        {
            return Err(LockError::Recipe(recipe));
        }
        let lock: Self = serde_json::from_str(text).map_err(|error| format(error.to_string()))?;
        lock.check().map_err(format)?;
        Ok(lock)
    }

    fn check(&self) -> Result<(), String> {
        for (name, image) in &self.images {
            let reference = Reference::parse(name).map_err(|error| error.to_string())?;
            if reference.as_str() != name {
                return Err(format!(
                    "{} is not expanded; it is {reference}",
                    quoted(name)
                ));
            }
            if reference.is_builtin() {
                return Err(format!("{} has its own key beside `images`", quoted(name)));
            }
            if reference
                .digest()
                .is_some_and(|digest| *digest != image.digest)
            {
                return Err(format!(
                    "{} is locked to another digest than its own",
                    quoted(name)
                ));
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
                return Err(format!("{} is no name of a boot part", quoted(name)));
            }
        }
        Ok(())
    }
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

fn platforms<T>(map: &BTreeMap<String, T>) -> Result<(), String> {
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
        Some(name) => Err(format!(
            "{} is no platform such as `linux/amd64`",
            quoted(name)
        )),
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
