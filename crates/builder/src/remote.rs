//! Registries, reached when the first one is needed: a plan must start without TLS, files or
//! threads.

use std::io::Read;
use std::sync::OnceLock;

use nodeimage_images::Remote;
use nodeimage_images::config::Config;
use nodeimage_images::source::{SourceError, SourceErrorKind};
use nodeimage_registry::{Cancel, Client};
use nodeimage_spec::Digest;

/// All registries.
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
        Self {
            config,
            sources,
            cancel,
            client: OnceLock::new(),
        }
    }

    fn client(&self, place: &str) -> Result<&Client, SourceError> {
        let made = self.client.get_or_init(|| {
            let mut config = self.config.clone();
            self.sources
                .apply_to(&mut config, variable)
                .map_err(|error| error.to_string())?;
            let client = Client::new(config).map_err(|error| error.to_string())?;
            Ok(client.with_cancel(self.cancel.clone()))
        });
        let failed =
            |why: &String| SourceError::new(place, SourceErrorKind::Malformed(why.clone()));
        made.as_ref().map_err(failed)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "nodeimage.toml names the variable of a password"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl Remote for Registries {
    fn resolve(&self, reference: &str) -> Result<Digest, SourceError> {
        Remote::resolve(self.client(reference)?, reference)
    }

    fn manifest(&self, reference: &str, digest: &Digest) -> Result<(String, Vec<u8>), SourceError> {
        Remote::manifest(self.client(reference)?, reference, digest)
    }

    fn blob(
        &self,
        reference: &str,
        digest: &Digest,
        size: u64,
    ) -> Result<Box<dyn Read + Send>, SourceError> {
        Remote::blob(self.client(reference)?, reference, digest, size)
    }

    fn attached(&self, reference: &str, digest: &Digest) -> Result<Vec<Vec<u8>>, SourceError> {
        Remote::attached(self.client(reference)?, reference, digest)
    }
}
