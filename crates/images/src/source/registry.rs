//! Registries, through the registry client.

use std::io::Read;

use nodeimage_registry::{Client, Target};
use nodeimage_spec::Digest;

use super::name::Name;
use super::{Remote, SourceError, SourceErrorKind};

type Theirs = nodeimage_registry::Digest;

impl Remote for Client {
    fn resolve(&self, reference: &str) -> Result<Digest, SourceError> {
        let target = target(reference)?;
        let digest = Self::resolve(self, &target).map_err(|error| failed(reference, error))?;
        Ok(Digest::new(*digest.as_bytes()))
    }

    fn manifest(&self, reference: &str, digest: &Digest) -> Result<(String, Vec<u8>), SourceError> {
        let (target, digest) = (target(reference)?, Theirs::from_bytes(*digest.bytes()));
        let manifest = Self::manifest(self, &target, &digest);
        let manifest = manifest.map_err(|error| failed(reference, error))?;
        Ok((manifest.media_type, manifest.bytes))
    }

    fn blob(
        &self,
        reference: &str,
        digest: &Digest,
        size: u64,
    ) -> Result<Box<dyn Read + Send>, SourceError> {
        let (target, digest) = (target(reference)?, Theirs::from_bytes(*digest.bytes()));
        let blob = Self::blob(self, &target, &digest, size);
        Ok(Box::new(blob.map_err(|error| failed(reference, error))?))
    }
}

/// The digest of a reference wins over its tag.
fn target(reference: &str) -> Result<Target, SourceError> {
    let name = Name::parse(reference);
    let (registry, repository) = name
        .repository
        .split_once('/')
        .unwrap_or((name.repository, ""));
    // LinuxKit leaves `docker.io/NAME` as it is; Docker Hub keeps it below `library`.
    let official = (registry == "docker.io" && !repository.contains('/'))
        .then(|| format!("library/{repository}"));
    let repository = official.as_deref().unwrap_or(repository);
    let wanted = name.digest.unwrap_or(name.tag_or_latest());
    Target::new(registry, repository, wanted).map_err(|error| failed(reference, error))
}

fn failed(reference: &str, error: nodeimage_registry::Error) -> SourceError {
    let registry = reference.split('/').next().unwrap_or_default();
    SourceError::new(registry, SourceErrorKind::Remote(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::target;

    #[test]
    fn official_images_are_below_library() {
        assert_eq!(
            target("docker.io/nginx:1.22").unwrap().repository(),
            "library/nginx"
        );
        assert_eq!(
            target("docker.io/a/nginx:1.22").unwrap().repository(),
            "a/nginx"
        );
        assert_eq!(target("ghcr.io/nginx:1.22").unwrap().repository(), "nginx");
    }

    #[test]
    fn references_become_targets() {
        let show = |reference: &str| target(reference).map(|target| target.to_string()).ok();
        let hub = "docker.io/library/nginx";
        assert_eq!(show("docker.io/library/nginx:1"), Some(format!("{hub}:1")));
        assert_eq!(
            show("docker.io/library/nginx"),
            Some(format!("{hub}:latest"))
        );
        assert_eq!(
            show("localhost:5000/a/b:c").as_deref(),
            Some("localhost:5000/a/b:c")
        );
        let digest = nodeimage_spec::Digest::of(b"");
        assert_eq!(
            show(&format!("{hub}:1@{digest}")),
            Some(format!("{hub}@{digest}"))
        );
        assert_eq!(show("builtin:init"), None);
        assert_eq!(show("docker.io/../x:1"), None);
    }
}
