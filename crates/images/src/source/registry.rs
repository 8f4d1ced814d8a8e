//! Registries, through the registry client.

use std::io::Read;

use nodeimage_registry::{Client, Target};
use nodeimage_spec::Digest;

use super::attached;
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

    fn attached(&self, reference: &str, digest: &Digest) -> Result<Vec<Vec<u8>>, SourceError> {
        let (target, theirs) = (target(reference)?, Theirs::from_bytes(*digest.bytes()));
        let failed = |error| failed(reference, error);
        let tagged = self.tagged(&target, &attached::tag(digest));
        let mut found: Vec<Vec<u8>> = tagged
            .map_err(failed)?
            .map(|manifest| manifest.bytes)
            .into_iter()
            .collect();
        let referrers = self.referrers(&target, &theirs).map_err(failed)?;
        let ours = referrers.iter().filter(|referrer| {
            attached::may_sign(&referrer.artifact_type, referrer.annotations.as_ref())
        });
        for referrer in ours.take(attached::MOST) {
            let malformed = |error: nodeimage_registry::DigestError| {
                let why = format!("the list of referrers of {digest}: {error}");
                let registry = reference.split('/').next().unwrap_or_default();
                SourceError::new(registry, SourceErrorKind::Malformed(why))
            };
            let at: Theirs = referrer.digest.parse().map_err(malformed)?;
            let manifest = Self::manifest(self, &target, &at).map_err(failed)?;
            found.push(manifest.bytes);
        }
        Ok(found)
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
