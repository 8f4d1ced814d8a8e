//! What one can show to a registry.

use crate::error::{Error, ErrorKind, Result};
use crate::loopback;
use crate::mirror::canonical;
use crate::secret::Secret;
use crate::target::is_repository;

/// A credential of one of the kinds that Docker's configuration knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// User name and password, or what stands for one (an access token).
    Basic {
        /// User name; without a colon.
        username: String,
        /// Password.
        password: Secret,
    },
    /// An OAuth 2 refresh token (`identitytoken`).
    IdentityToken(Secret),
    /// A token for the registry itself (`registrytoken`).
    RegistryToken(Secret),
}

/// An explicit credential and what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    pub(crate) scope: String,
    pub(crate) credential: Credential,
    pub(crate) source: String,
}

impl Login {
    /// `scope` is a registry (`ghcr.io`) or a registry with the first path
    /// components of repositories (`quay.io/acme`); the longest that fits
    /// counts. `source` says in errors where the credential was written, for
    /// instance "the provider block".
    ///
    /// # Errors
    /// When the scope is malformed.
    pub fn new(scope: &str, credential: Credential, source: impl Into<String>) -> Result<Self> {
        let (registry, path) = scope.split_once('/').unwrap_or((scope, ""));
        let registry = registry.to_ascii_lowercase();
        let sound = loopback::check_authority(&registry).is_ok()
            && (path.is_empty() || is_repository(path));
        let source = source.into();
        if !sound {
            let what =
                format!("credentials in {source}: {scope:?} is not REGISTRY or REGISTRY/PREFIX");
            return Err(Error::new("", ErrorKind::BadConfig(what)));
        }
        let mut scope = canonical(&registry).to_owned();
        if !path.is_empty() {
            scope = format!("{scope}/{path}");
        }
        Ok(Self {
            scope,
            credential,
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_secrets_and_checks_its_scope() {
        let credential = Credential::Basic {
            username: "me".into(),
            password: "hunter22".into(),
        };
        let login = Login::new("Index.Docker.io/acme", credential.clone(), "here").unwrap();
        assert_eq!(login.scope, "docker.io/acme");
        assert!(!format!("{login:?}").contains("hunter22"));
        for bad in ["https://ghcr.io", "ghcr.io/A", "", "ghcr.io//"] {
            let error = Login::new(bad, credential.clone(), "here")
                .unwrap_err()
                .to_string();
            assert!(!error.contains("hunter22"), "{error}");
        }
    }
}
