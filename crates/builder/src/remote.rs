//! Registries as a [`Remote`] of the images: references to targets, errors to errors.

use std::io::Read;
use std::path::PathBuf;
use std::sync::OnceLock;

use nodeimage_images::config::{Config, PasswordFrom};
use nodeimage_images::source::{SourceError, SourceErrorKind};
use nodeimage_images::Remote;
use nodeimage_registry::{Cancel, Client, Credential, Login, Secret, Target};
use nodeimage_spec::{Digest, Reference};

/// All registries, reached when the first one is needed: a plan must start without TLS, files or
/// threads.
#[derive(Debug)]
pub struct Registries {
    config: nodeimage_registry::Config,
    sources: Config,
    cancel: Cancel,
    client: OnceLock<Result<Client, String>>,
}

impl Registries {
    /// Registries as `config` says, with what `nodeimage.toml` (`sources`) says of them on top.
    pub fn new(config: nodeimage_registry::Config, sources: Config, cancel: Cancel) -> Self {
        Self { config, sources, cancel, client: OnceLock::new() }
    }

    fn client(&self, place: &str) -> Result<&Client, SourceError> {
        let made = self.client.get_or_init(|| {
            let config = with_sources(self.config.clone(), &self.sources)?;
            let client = Client::new(config).map_err(|error| error.to_string())?;
            Ok(client.with_cancel(self.cancel.clone()))
        });
        made.as_ref().map_err(|why| {
            SourceError::new(place, SourceErrorKind::Malformed(why.clone()))
        })
    }
}

/// Adds credentials and certificate authorities of `nodeimage.toml`; a password is read here, at
/// the last moment.
fn with_sources(
    mut config: nodeimage_registry::Config,
    sources: &Config,
) -> Result<nodeimage_registry::Config, String> {
    for (host, registry) in &sources.registries {
        config.ca_files.extend(registry.ca_file.iter().cloned().map(PathBuf::from));
        let (Some(username), Some(from)) = (&registry.username, &registry.password) else {
            continue;
        };
        let password = read_password(from).map_err(|why| format!("registry {host}: {why}"))?;
        let credential =
            Credential::Basic { username: username.clone(), password: Secret::new(password) };
        let login = Login::new(host, credential, "nodeimage.toml");
        config.credentials.push(login.map_err(|error| error.to_string())?);
    }
    Ok(config)
}

fn read_password(from: &PasswordFrom) -> Result<String, String> {
    match from {
        #[expect(clippy::disallowed_methods, reason = "nodeimage.toml names the variable")]
        PasswordFrom::Env(name) => std::env::var(name)
            .map_err(|_| format!("`password_env`: the variable {name} is not set, or not text")),
        PasswordFrom::File(path) => std::fs::read_to_string(path)
            .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
            .map_err(|error| format!("`password_file`: cannot read {}: {error}", path.display())),
    }
}

fn target(reference: &str) -> Result<Target, SourceError> {
    let bad = |why: String| SourceError::new(reference, SourceErrorKind::Malformed(why));
    let parsed = Reference::parse(reference).map_err(|error| bad(error.to_string()))?;
    let digest = parsed.digest().map(ToString::to_string);
    let wanted = digest.as_deref().or(parsed.tag()).unwrap_or("latest");
    Target::new(parsed.registry(), parsed.repository(), wanted).map_err(|error| bad(error.to_string()))
}

fn failed(reference: &str) -> impl Fn(nodeimage_registry::Error) -> SourceError {
    move |error| SourceError::new(reference, SourceErrorKind::Remote(Box::new(error)))
}

fn theirs(digest: &Digest) -> Result<nodeimage_registry::Digest, SourceError> {
    digest.to_string().parse().map_err(|error: nodeimage_registry::DigestError| {
        SourceError::new(digest.to_string(), SourceErrorKind::Malformed(error.to_string()))
    })
}

impl Remote for Registries {
    fn resolve(&self, reference: &str) -> Result<Digest, SourceError> {
        let digest = self
            .client(reference)?
            .resolve(&target(reference)?)
            .map_err(failed(reference))?;
        digest.to_string().parse().map_err(|error: nodeimage_spec::ReferenceError| {
            SourceError::new(reference, SourceErrorKind::Malformed(error.to_string()))
        })
    }

    fn manifest(&self, reference: &str, digest: &Digest) -> Result<(String, Vec<u8>), SourceError> {
        let manifest = self
            .client(reference)?
            .manifest(&target(reference)?, &theirs(digest)?)
            .map_err(failed(reference))?;
        Ok((manifest.media_type, manifest.bytes))
    }

    fn blob(
        &self,
        reference: &str,
        digest: &Digest,
        size: u64,
    ) -> Result<Box<dyn Read + Send>, SourceError> {
        let reader = self
            .client(reference)?
            .blob(&target(reference)?, &theirs(digest)?, size)
            .map_err(failed(reference))?;
        Ok(Box::new(reader))
    }
}
