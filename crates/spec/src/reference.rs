//! Image references: `[registry/]repository[:tag][@sha256:…]`, expanded as LinuxKit expands them,
//! in the grammar of the OCI distribution specification.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fault::quoted;

/// The alias of our own init image.
pub const BUILTIN_INIT: &str = "builtin:init";
/// The alias of the image that holds the boot parts.
pub const BUILTIN_BOOT: &str = "builtin:boot";

const DEFAULT_REGISTRY: &str = "docker.io";
const MAX_NAME: usize = 255;
const MAX_TAG: usize = 128;

/// What is wrong with a reference or digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text} is no valid image reference: {reason}")]
pub struct ReferenceError {
    /// The text, quoted and shortened.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// A parsed, expanded reference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    text: String,
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// Expands and parses a reference.
    ///
    /// # Errors
    /// When a part is missing, too long, or holds characters that the grammar doesn't allow.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        let fail = |reason| ReferenceError {
            text: quoted(text),
            reason,
        };
        if text == BUILTIN_INIT || text == BUILTIN_BOOT {
            let (name, tag) = text.split_once(':').unwrap_or((text, ""));
            return Ok(Self {
                text: text.to_owned(),
                registry: String::new(),
                repository: name.to_owned(),
                tag: Some(tag.to_owned()),
                digest: None,
            });
        }
        if text.starts_with("builtin:") {
            return Err(fail(
                "the builtin images are `builtin:init` and `builtin:boot`",
            ));
        }
        if text.starts_with('@') {
            return Err(fail(
                "templates such as `@pkg:` are not resolved; name the image itself",
            ));
        }
        if text.is_empty() {
            return Err(fail("it is empty"));
        }
        // Before anything is copied: a reference this long is none.
        if text.len() > MAX_NAME + MAX_TAG + 80 {
            return Err(fail("it is too long"));
        }
        let text = expand(text);
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (
                rest,
                Some(digest.parse().map_err(|_| {
                    fail("after `@` comes `sha256:` and 64 lower-case hexadecimal digits")
                })?),
            ),
            None => (text.as_str(), None),
        };
        let (name, tag) = split_tag(rest);
        if let Some(tag) = tag {
            check_tag(tag).map_err(fail)?;
        }
        if name.len() > MAX_NAME {
            return Err(fail("the name is longer than 255 characters"));
        }
        let (registry, repository) = match name.split_once('/') {
            Some((first, rest)) if is_host(first) => (first, rest),
            // Three and more parts without a host: not expanded, read as Docker Hub's.
            _ => (DEFAULT_REGISTRY, name),
        };
        check_registry(registry).map_err(fail)?;
        check_repository(repository).map_err(fail)?;
        Ok(Self {
            registry: registry.to_owned(),
            repository: repository.to_owned(),
            tag: tag.map(str::to_owned),
            digest,
            text,
        })
    }

    /// Host name, with port if one is given; empty for the builtin images.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Path in the registry. Docker Hub's official images have `library/` in it, but for texts such
    /// as `docker.io/nginx`, which LinuxKit doesn't expand: a client of Docker Hub adds it.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag, if one is given; none stands for `latest` when there is no digest either.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest of an index or a manifest.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The expanded text, which is what locks and locked specs use as a key.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether this is one of the images that come with the program.
    pub fn is_builtin(&self) -> bool {
        self.registry.is_empty()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// LinuxKit's expansion, without any check: one part becomes `docker.io/library/…`, two parts of
/// which the first is no host become `docker.io/…`, the rest and the builtin aliases stay.
pub fn expand(text: &str) -> String {
    if text == BUILTIN_INIT || text == BUILTIN_BOOT {
        return text.to_owned();
    }
    match text.split_once('/') {
        None => format!("{DEFAULT_REGISTRY}/library/{text}"),
        Some((first, rest)) if !rest.contains('/') && !is_host(first) => {
            format!("{DEFAULT_REGISTRY}/{text}")
        }
        Some(_) => text.to_owned(),
    }
}

fn is_host(part: &str) -> bool {
    part.contains(['.', ':']) || part == "localhost"
}

/// The tag is what follows the last `:` behind the last `/`.
fn split_tag(text: &str) -> (&str, Option<&str>) {
    let path = text.rfind('/').map_or(0, |at| at + 1);
    match text[path..].find(':') {
        Some(at) => (&text[..path + at], Some(&text[path + at + 1..])),
        None => (text, None),
    }
}

fn check_tag(tag: &str) -> Result<(), &'static str> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if tag.is_empty() {
        return Err("the tag is empty");
    }
    if tag.len() > MAX_TAG {
        return Err("the tag is longer than 128 characters");
    }
    if !tag.starts_with(word) || !tag.chars().all(|c| word(c) || matches!(c, '.' | '-')) {
        return Err(
            "a tag holds letters, digits, `_`, `.` and `-`, and starts with none of the last two",
        );
    }
    Ok(())
}

fn check_registry(registry: &str) -> Result<(), &'static str> {
    const REASON: &str = "the registry is no valid host name";
    let (host, port) = match registry.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or(REASON)?;
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return Err(REASON);
            }
            return match port.strip_prefix(':') {
                Some(port) => check_port(port),
                None if port.is_empty() => Ok(()),
                None => Err(REASON),
            };
        }
        None => match registry.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (registry, None),
        },
    };
    let label = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    if !host.split('.').all(label) {
        return Err(REASON);
    }
    port.map_or(Ok(()), check_port)
}

fn check_port(port: &str) -> Result<(), &'static str> {
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(1..) if digits => Ok(()),
        _ => Err("the registry's port is no number from 1 to 65535"),
    }
}

fn check_repository(repository: &str) -> Result<(), &'static str> {
    for part in repository.split('/') {
        if part.is_empty() {
            return Err("a part of the repository is empty");
        }
        if part.chars().any(|c| c.is_ascii_uppercase()) {
            return Err("a repository is written in lower case");
        }
        if !is_component(part) {
            return Err(
                "a part of a repository holds letters and digits, single `.`, `_`, `__` or `-` between them",
            );
        }
    }
    Ok(())
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(part: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    part.starts_with(alphanumeric)
        && part.ends_with(alphanumeric)
        && part.split(alphanumeric).all(|between| {
            matches!(between, "" | "." | "_" | "__") || between.chars().all(|c| c == '-')
        })
}

/// A sha256 digest, printed `sha256:` and 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// From the 32 bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The 32 bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 digits alone, as used for file names of blobs.
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = || ReferenceError {
            text: quoted(text),
            reason: "a digest is `sha256:` and 64 lower-case hexadecimal digits",
        };
        let digits = text.strip_prefix("sha256:").ok_or_else(fail)?;
        if digits.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(fail());
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| fail())?;
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| {
            serde::de::Error::custom(format!(
                "{} is no digest (`sha256:` and 64 hexadecimal digits)",
                quoted(&text)
            ))
        })
    }
}

#[cfg(test)]
#[path = "reference_tests.rs"]
mod tests;
