//! A provider whose cloud is a directory of files.

mod ami;
mod cloud;
mod functions;
mod image;
mod lookup;
mod thing;

use tfplugin::{Cx, Diagnostic, Diagnostics, Provider, Registry, model};

pub use cloud::Cloud;
#[allow(unused_imports, reason = "the tests use it, the binary does not")]
pub use functions::digest;

#[derive(Debug)]
pub struct Toy;

model! {
    /// Where the toys are.
    pub struct Config {
        /// The directory that is the cloud.
        dir: String = optional(),
        /// A token, which may be ephemeral.
        token: String = optional().sensitive(),
        /// How the toys are built.
        style: String = optional().default_str("plain").one_of(&["plain", "fancy"]),
    }
}

impl Provider for Toy {
    type Config = Config;
    type Data = Cloud;
    const NAME: &'static str = "toy";
    const DESCRIPTION: &'static str = "Toys, for tests.";

    fn configure(&self, cx: &mut Cx, config: &Config) -> Result<Cloud, Diagnostics> {
        if config.style.known().is_none() && !config.style.is_unknown() {
            return Err(Diagnostic::error("no style", "the default is missing").into());
        }
        tracing::info!(version = cx.terraform_version(), "configured");
        Ok(Cloud::new(config.dir.known().cloned()))
    }

    fn registry(&self) -> Registry {
        Registry::new()
            .resource(image::Image)
            .resource(ami::Ami)
            .resource(thing::Thing)
            .data_source(lookup::Lookup)
            .function(functions::Merge)
            .function(functions::Digest)
    }
}
