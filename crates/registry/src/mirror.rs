//! Mirrors: other places that hold a registry's content.
//!
//! A rule's prefix is replaced by a mirror's location, as in
//! `containers-registries.conf(5)`; `?ns=REGISTRY` tells a mirror of many
//! registries which one is meant, as containerd does. Digests make mirrored
//! content as good as the original; tags are only as fresh as the mirror.

use std::fmt;

use url::Url;

use crate::endpoint::{Endpoint, Scheme};
use crate::error::{Error, ErrorKind, Result, shown};
use crate::loopback;
use crate::target::{Target, is_repository};

/// One place to look at.
#[derive(Clone, PartialEq, Eq)]
pub struct Mirror {
    base: Url,
    repository: String,
    namespace: bool,
}

impl Mirror {
    /// `location` is `https://HOST[:PORT][/PREFIX]`; `http` for loopback only.
    /// Without a prefix the original registry's name is sent as `?ns=`.
    ///
    /// # Errors
    /// When the location has another form.
    pub fn new(location: &str) -> Result<Self> {
        let bad = |what: String| Error::new("", ErrorKind::BadConfig(what));
        let url = Url::parse(location).map_err(|error| {
            bad(format!(
                "a mirror must be https://HOST[:PORT][/PREFIX]; yours is not: {error}"
            ))
        })?;
        let name = shown(&url);
        let extra = url.query().is_some() || url.fragment().is_some();
        if !url.username().is_empty() || url.password().is_some() || extra {
            return Err(bad(format!(
                "the mirror {name} must have no user, query or fragment; give its credentials like a registry's"
            )));
        }
        match url.scheme() {
            "https" => {}
            "http" if loopback::is_loopback(&url) => {}
            "http" => {
                return Err(bad(format!(
                    "the mirror {name} is not on this machine, so it must use https"
                )));
            }
            _ => return Err(bad(format!("the mirror {name} must use https"))),
        }
        let repository = url.path().trim_matches('/').to_owned();
        if !repository.is_empty() && !is_repository(&repository) {
            return Err(bad(format!(
                "the path of the mirror {name} is not a repository prefix"
            )));
        }
        let mut base = url;
        base.set_path("/");
        Ok(Self {
            namespace: repository.is_empty(),
            base,
            repository,
        })
    }

    /// Whether to send the original registry's name as `?ns=`.
    #[must_use]
    pub fn with_namespace(self, namespace: bool) -> Self {
        Self { namespace, ..self }
    }
}

impl fmt::Debug for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            base,
            repository,
            namespace,
        } = self;
        write!(f, "{}{repository} (ns: {namespace})", shown(base))
    }
}

/// Which mirrors stand for which references.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorRule {
    prefix: String,
    mirrors: Vec<Mirror>,
    registry_too: bool,
}

impl MirrorRule {
    /// `prefix` is a registry (`docker.io`) or a registry and the first path
    /// components of repositories (`ghcr.io/acme`). Mirrors are tried in order,
    /// then the registry. Of several fitting rules the longest prefix counts.
    ///
    /// # Errors
    /// When the prefix is malformed.
    pub fn new(prefix: &str, mirrors: Vec<Mirror>) -> Result<Self> {
        let (registry, path) = prefix.split_once('/').unwrap_or((prefix, ""));
        let registry = registry.to_ascii_lowercase();
        let fault = match loopback::check_authority(&registry) {
            Err(why) => Some(why),
            Ok(()) if !path.is_empty() && !is_repository(path) => Some("has a malformed path"),
            Ok(()) => None,
        };
        if let Some(why) = fault {
            let what = format!("the mirror prefix {prefix:?} {why}");
            return Err(Error::new("", ErrorKind::BadConfig(what)));
        }
        let mut prefix = canonical(&registry).to_owned();
        if !path.is_empty() {
            prefix = format!("{prefix}/{path}");
        }
        Ok(Self {
            prefix,
            mirrors,
            registry_too: true,
        })
    }

    /// Never ask the registry itself (an air-gapped network, say).
    #[must_use]
    pub fn mirrors_only(self) -> Self {
        Self {
            registry_too: false,
            ..self
        }
    }

    /// What is left of `name` behind the prefix, at a component boundary.
    fn rest<'a>(&self, name: &'a str) -> Option<&'a str> {
        let rest = name.strip_prefix(&self.prefix)?;
        if rest.is_empty() {
            Some(rest)
        } else {
            rest.strip_prefix('/')
        }
    }
}

/// Docker Hub has several names.
pub(crate) fn canonical(registry: &str) -> &str {
    match registry {
        "index.docker.io" | "registry-1.docker.io" => "docker.io",
        other => other,
    }
}

/// The places to ask for `target`, in order; never empty.
pub(crate) fn endpoints(rules: &[MirrorRule], target: &Target) -> Vec<Endpoint> {
    let registry = canonical(target.registry());
    let name = format!("{registry}/{}", target.repository());
    let fitting = rules
        .iter()
        .filter_map(|rule| Some((rule, rule.rest(&name)?)));
    let mut out = Vec::new();
    let mut registry_too = true;
    if let Some((rule, rest)) = fitting.max_by_key(|(rule, _)| rule.prefix.len()) {
        registry_too = rule.registry_too || rule.mirrors.is_empty();
        for mirror in &rule.mirrors {
            let joint = if mirror.repository.is_empty() || rest.is_empty() {
                ""
            } else {
                "/"
            };
            let repository = format!("{}{joint}{rest}", mirror.repository);
            if !is_repository(&repository) {
                // The prefix is the whole reference and the location has no path.
                continue;
            }
            out.push(Endpoint {
                scheme: if mirror.base.scheme() == "http" {
                    Scheme::Http
                } else {
                    Scheme::Https
                },
                authority: mirror.base[url::Position::BeforeHost..url::Position::AfterPort]
                    .to_owned(),
                repository,
                namespace: mirror.namespace.then(|| registry.to_owned()),
                mirror: true,
            });
        }
    }
    if registry_too || out.is_empty() {
        out.push(Endpoint::registry(registry, target.repository()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(prefix: &str, mirrors: &[&str]) -> MirrorRule {
        let mirrors = mirrors
            .iter()
            .map(|location| Mirror::new(location).unwrap())
            .collect();
        MirrorRule::new(prefix, mirrors).unwrap()
    }

    fn urls(rules: &[MirrorRule], registry: &str, repository: &str) -> Vec<String> {
        let target = Target::new(registry, repository, "1").unwrap();
        let endpoints = endpoints(rules, &target);
        endpoints
            .iter()
            .map(|e| e.url(e.scheme, "manifests/1").unwrap().to_string())
            .collect()
    }

    #[test]
    fn in_order_and_then_the_registry() {
        let rules = [rule(
            "docker.io",
            &["https://m.example", "https://h.example:8443/hub"],
        )];
        assert_eq!(
            urls(&rules, "docker.io", "library/nginx"),
            [
                "https://m.example/v2/library/nginx/manifests/1?ns=docker.io",
                "https://h.example:8443/v2/hub/library/nginx/manifests/1",
                "https://registry-1.docker.io/v2/library/nginx/manifests/1",
            ]
        );
        assert_eq!(
            urls(&rules, "quay.io", "a/b"),
            ["https://quay.io/v2/a/b/manifests/1"]
        );
    }

    #[test]
    fn the_longest_prefix_counts_at_component_boundaries() {
        let rules = [
            rule("ghcr.io", &["https://all.example"]),
            rule("ghcr.io/acme", &["https://acme.example/x"]).mirrors_only(),
        ];
        assert_eq!(
            urls(&rules, "ghcr.io", "acme/a"),
            ["https://acme.example/v2/x/a/manifests/1"]
        );
        assert_eq!(
            urls(&rules, "ghcr.io", "acme"),
            ["https://acme.example/v2/x/manifests/1"]
        );
        assert_eq!(
            urls(&rules, "ghcr.io", "acmex/a")[0],
            "https://all.example/v2/acmex/a/manifests/1?ns=ghcr.io"
        );
    }

    #[test]
    fn names_of_docker_hub_are_one() {
        let rules = [rule("index.docker.io", &["https://m.example"])];
        assert_eq!(urls(&rules, "registry-1.docker.io", "library/a").len(), 2);
    }

    #[test]
    fn refuses_unsafe_locations_without_repeating_secrets() {
        for bad in [
            "http://10.0.0.1:5000",
            "http://mirror.example",
            "ftp://mirror.example",
            "https://u:s3cret@mirror.example",
            "https://mirror.example/?token=s3cret",
            "https://mirror.example/A",
            "mirror.example",
        ] {
            let error = Mirror::new(bad).unwrap_err().to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
        assert!(Mirror::new("http://127.0.0.1:5000/a").is_ok());
        assert!(MirrorRule::new("docker.io/", vec![]).is_ok());
        assert!(MirrorRule::new("https://docker.io", vec![]).is_err());
    }
}
