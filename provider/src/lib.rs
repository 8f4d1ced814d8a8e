//! The Terraform provider: images as resources.
//!
//! | type | what |
//! |---|---|
//! | `nodeimage_image` | YAML and lock → image id and locked spec; a pure function of its configuration |
//! | `nodeimage_file` | an image as a file of a disk format |
//! | `data nodeimage_latest` | what every reference stands for today, as a lock |
//! | `provider::nodeimage::image_id` | the id of an image, offline |
//!
//! A plan knows the image id whenever every reference is pinned, and asks nothing but the
//! configuration and the prior state for it: it runs again when it is applied, in another process.

mod changes;
mod config;
mod documents;
mod faults;
mod file;
mod given;
mod image;
mod image_id;
mod intact;
mod latest;
mod progress;
mod reference;
mod workshop;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use tfplugin::{Cx, Diagnostics, Launch, Provider, Registry};

use config::Config;
use workshop::Workshop;

/// The provider.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nodeimage;

impl Provider for Nodeimage {
    type Config = Config;
    type Data = Workshop;

    const NAME: &'static str = "nodeimage";
    const DESCRIPTION: &'static str = "Builds operating system images from LinuxKit YAML, without \
        Docker, virtual machines or root, and gives them to the cloud they are for: the same bytes \
        on every platform.";

    fn validate(&self, _: &mut Cx, config: &Config) -> Result<(), Diagnostics> {
        config::validate(config)
    }

    fn configure(&self, cx: &mut Cx, config: &Config) -> Result<Workshop, Diagnostics> {
        Ok(Workshop::new(config.clone(), cx.cancel().clone()))
    }

    fn registry(&self) -> Registry {
        Registry::new()
            .resource(image::ImageResource)
            .resource(file::FileResource)
            .data_source(latest::Latest)
            .function(image_id::ImageId)
    }
}

/// Serves Terraform if it has started this process; `None` if somebody else did.
pub fn serve_if_launched() -> Option<ExitCode> {
    match tfplugin::serve(Nodeimage) {
        Ok(Launch::NotAPlugin) => None,
        Ok(Launch::Served) => Some(ExitCode::SUCCESS),
        Err(error) => {
            use std::io::Write;
            // Terraform shows the provider's standard error when the start fails.
            let _ = writeln!(std::io::stderr(), "nodeimage: {error}");
            Some(ExitCode::FAILURE)
        }
    }
}

/// The pages of the provider's documentation, by their paths below the repository's root; examples
/// are taken from `examples`.
///
/// # Errors
/// When an example can't be read or a schema has a fault.
pub fn docs(examples: &Path) -> Result<BTreeMap<String, String>, tfplugin::docs::DocsError> {
    tfplugin::docs::render(Nodeimage, examples)
}
