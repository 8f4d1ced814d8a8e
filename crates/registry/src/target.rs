//! What to pull: a registry, a repository and a tag or digest.

use std::fmt;

use crate::digest::{Digest, DigestError};
use crate::error::{Error, ErrorKind, Result};
use crate::loopback;

/// A tag or a digest.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reference {
    /// A name that may move.
    Tag(String),
    /// Content that may not.
    Digest(Digest),
}

/// A checked reference to something in a registry. Its parts can go into a URL
/// as they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    registry: String,
    repository: String,
    reference: Reference,
}

impl Target {
    /// `registry` is a host with an optional port, `repository` a full name
    /// (`library/nginx`, not `nginx`), `reference` a tag or a `sha256:` digest.
    /// The caller has expanded short names.
    ///
    /// # Errors
    /// When a part does not have the form the distribution specification
    /// demands, or the digest is not SHA-256.
    pub fn new(registry: &str, repository: &str, reference: &str) -> Result<Self> {
        let name = |what: String| {
            let shown = format!("{registry}/{repository}:{reference}");
            Error::new(shown, ErrorKind::BadReference(what))
        };
        let registry = registry.to_ascii_lowercase();
        if let Err(why) = loopback::check_authority(&registry) {
            return Err(name(format!("the registry {registry:?} {why}")));
        }
        if !is_repository(repository) {
            return Err(name(format!(
                "{repository:?} is not a repository name (lower-case letters, digits, and . _ - / between them)"
            )));
        }
        let parsed = if reference.contains(':') {
            match reference.parse() {
                Ok(digest) => Reference::Digest(digest),
                Err(error @ DigestError::Algorithm(_)) => {
                    let kind = ErrorKind::UnsupportedDigest(error.to_string());
                    return Err(Error::new(
                        format!("{registry}/{repository}@{reference}"),
                        kind,
                    ));
                }
                Err(error) => return Err(name(error.to_string())),
            }
        } else if is_tag(reference) {
            Reference::Tag(reference.to_owned())
        } else {
            return Err(name(format!(
                "{reference:?} is not a tag (at most 128 letters, digits, and . _ -)"
            )));
        };
        Ok(Self {
            registry,
            repository: repository.to_owned(),
            reference: parsed,
        })
    }

    /// The same repository with another reference.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self {
            reference: Reference::Digest(digest),
            ..self.clone()
        }
    }

    /// The same repository with a tag.
    ///
    /// # Errors
    /// When the tag does not have the form the distribution specification demands.
    pub fn with_tag(&self, tag: &str) -> Result<Self> {
        if !is_tag(tag) {
            let what = format!("{tag:?} is not a tag (at most 128 letters, digits, and . _ -)");
            return Err(Error::new(self, ErrorKind::BadReference(what)));
        }
        Ok(Self {
            reference: Reference::Tag(tag.to_owned()),
            ..self.clone()
        })
    }

    /// Host and optional port, lower case, as written in the reference.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository's full name.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag or digest.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        match &self.reference {
            Reference::Tag(tag) => write!(f, ":{tag}"),
            Reference::Digest(digest) => write!(f, "@{digest}"),
        }
    }
}

/// Path components of lower-case alphanumerics, joined inside by `.`, `_`, `__`
/// or any number of `-`, and by `/` between them; 255 bytes in all.
pub(crate) fn is_repository(name: &str) -> bool {
    name.len() <= 255 && name.split('/').all(is_component)
}

fn is_component(component: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let ends = component.starts_with(word) && component.ends_with(word);
    ends && component
        .split(word)
        .all(|joint| matches!(joint, "" | "." | "_" | "__") || joint.bytes().all(|c| c == b'-'))
}

fn is_tag(tag: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.len() <= 128
        && tag.starts_with(word)
        && tag.chars().all(|c| word(c) || c == '.' || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_itself_as_a_reference() {
        let target = Target::new("Docker.io", "library/nginx", "1.27-alpine").unwrap();
        assert_eq!(target.to_string(), "docker.io/library/nginx:1.27-alpine");
        let digest = Digest::of(b"x");
        let pinned = target.with_digest(digest);
        assert_eq!(
            pinned.to_string(),
            format!("docker.io/library/nginx@{digest}")
        );
        assert!(Target::new("[::1]:5000", "a--b/c__d/e.f", "v1").is_ok());
    }

    #[test]
    fn refuses_what_could_leave_its_place_in_a_url() {
        for (registry, repository, reference) in [
            ("docker.io", "../admin", "latest"),
            ("docker.io", "a//b", "latest"),
            ("docker.io", "a/./b", "latest"),
            ("docker.io", "A/b", "latest"),
            ("docker.io", "a?x=1", "latest"),
            ("docker.io", "a", "lat/est"),
            ("docker.io", "a", "-x"),
            ("docker.io", "a", ""),
            ("docker.io", "", "latest"),
            ("docker.io", "a", "sha256:12"),
            ("user@docker.io", "a", "latest"),
            ("http://docker.io", "a", "latest"),
            ("docker.io/x", "a", "latest"),
            ("docker.io:99999", "a", "latest"),
            ("", "a", "latest"),
        ] {
            let made = Target::new(registry, repository, reference);
            assert!(made.is_err(), "{registry} {repository} {reference}");
        }
    }

    #[test]
    fn names_the_digest_algorithm_it_refuses() {
        let sha512 = format!("sha512:{}", "0".repeat(128));
        let error = Target::new("docker.io", "a", &sha512).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::UnsupportedDigest(_)));
        assert!(error.to_string().contains("sha512"), "{error}");
    }
}
