//! One place that may hold what is wanted: a registry or a mirror of it.

use url::Url;

use crate::error::{ErrorKind, Failure};
use crate::loopback;

/// How to speak to a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
    /// A loopback registry: a reference does not say, so it is tried.
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) scheme: Scheme,
    /// Host and optional port; also the name its credentials go by.
    pub(crate) authority: String,
    pub(crate) repository: String,
    /// The registry that a mirror stands for, when it is to be told.
    pub(crate) namespace: Option<String>,
    pub(crate) mirror: bool,
}

impl Endpoint {
    /// The registry itself; `registry` is canonical.
    pub(crate) fn registry(registry: &str, repository: &str) -> Self {
        let url = Url::parse(&format!("https://{registry}/"));
        let local = url.is_ok_and(|url| loopback::is_loopback(&url));
        Self {
            scheme: if local {
                Scheme::Unknown
            } else {
                Scheme::Https
            },
            authority: registry.to_owned(),
            repository: repository.to_owned(),
            namespace: None,
            mirror: false,
        }
    }

    /// `https://host/`; Docker Hub's API lives on another host than its name.
    pub(crate) fn base(&self, scheme: Scheme) -> Result<Url, Failure> {
        let host = if self.authority == "docker.io" {
            "registry-1.docker.io"
        } else {
            &self.authority
        };
        let scheme = if scheme == Scheme::Http {
            "http"
        } else {
            "https"
        };
        Url::parse(&format!("{scheme}://{host}/")).map_err(|error| {
            Failure::new(ErrorKind::BadReference(format!(
                "the registry {host:?}: {error}"
            )))
        })
    }

    /// URL of `manifests/…` or `blobs/…`.
    pub(crate) fn url(&self, scheme: Scheme, path: &str) -> Result<Url, Failure> {
        let mut url = self.base(scheme)?;
        url.set_path(&format!("/v2/{}/{path}", self.repository));
        if let Some(namespace) = &self.namespace {
            url.query_pairs_mut().append_pair("ns", namespace);
        }
        Ok(url)
    }

    pub(crate) fn is_docker_hub(&self) -> bool {
        self.authority == "docker.io"
    }
}
