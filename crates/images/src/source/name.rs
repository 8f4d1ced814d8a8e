//! The parts of a reference that choose a source.

/// An expanded reference, cut into its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name<'a> {
    /// `docker.io/library/nginx`.
    pub(crate) repository: &'a str,
    /// `:1.22@sha256:…` or parts of it, as it stands.
    pub(crate) suffix: &'a str,
    /// `1.22`.
    pub(crate) tag: Option<&'a str>,
    /// `sha256:…`.
    pub(crate) digest: Option<&'a str>,
}

impl<'a> Name<'a> {
    pub(crate) fn parse(reference: &'a str) -> Self {
        let (front, digest) = match reference.split_once('@') {
            Some((front, digest)) => (front, Some(digest)),
            None => (reference, None),
        };
        let last = front.rfind('/').map_or(0, |slash| slash + 1);
        let (repository, tag) = match front[last..].find(':') {
            Some(colon) => (&front[..last + colon], Some(&front[last + colon + 1..])),
            None => (front, None),
        };
        Self {
            repository,
            suffix: &reference[repository.len()..],
            tag,
            digest,
        }
    }

    /// What follows `prefix` when it is the repository or whole components at its front.
    pub(crate) fn below(&self, prefix: &str) -> Option<&'a str> {
        let rest = self.repository.strip_prefix(prefix)?;
        if rest.is_empty() {
            Some(rest)
        } else {
            rest.strip_prefix('/')
        }
    }

    /// The tag that is asked for when there is no digest.
    pub(crate) fn tag_or_latest(&self) -> &'a str {
        self.tag.unwrap_or("latest")
    }
}

/// The expanded form of a short reference as Docker writes it into archives, with its tag.
pub(super) fn expand(short: &str) -> String {
    let full = nodeimage_spec::reference::expand(short);
    let name = Name::parse(&full);
    format!("{}:{}", name.repository, name.tag_or_latest())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_cut() {
        let cut = |reference| {
            let name = Name::parse(reference);
            (name.repository, name.tag, name.digest)
        };
        assert_eq!(
            cut("docker.io/library/nginx:1.22@sha256:ab"),
            ("docker.io/library/nginx", Some("1.22"), Some("sha256:ab"))
        );
        assert_eq!(cut("localhost:5000/a"), ("localhost:5000/a", None, None));
        assert_eq!(
            cut("localhost:5000/a:b"),
            ("localhost:5000/a", Some("b"), None)
        );
        assert_eq!(cut("builtin:init"), ("builtin", Some("init"), None));
        assert_eq!(cut(""), ("", None, None));
    }

    #[test]
    fn prefixes_end_at_components() {
        let name = Name::parse("docker.io/library/nginx:1.22");
        assert_eq!(name.below("docker.io"), Some("library/nginx"));
        assert_eq!(name.below("docker.io/library/nginx"), Some(""));
        assert_eq!(name.below("docker.io/lib"), None);
        assert_eq!(Name::parse("localhost:5000/a").below("localhost"), None);
    }

    #[test]
    fn short_names_expand() {
        assert_eq!(expand("nginx"), "docker.io/library/nginx:latest");
        assert_eq!(expand("a/b:1"), "docker.io/a/b:1");
        assert_eq!(expand("ghcr.io/a:1"), "ghcr.io/a:1");
        assert_eq!(expand("localhost/a:1"), "localhost/a:1");
    }
}
