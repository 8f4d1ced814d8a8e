//! The machine of stand-ins in a sandbox.

use anyhow::Result;

use super::Sandbox;
use crate::fixture::{self, Codec, Layout};

/// A `nodeimage.toml` for it, with its images in `images`.
const LOCAL: &str =
    "[sources]\n\"builtin\" = \"oci:images\"\n\"fixture.example\" = \"oci:images\"\n";

impl Sandbox {
    /// One with [`fixture::MACHINE`] as `node.yml` and its images in the layout `images`: built in
    /// a fraction of a second.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn with_fixture(codec: Codec) -> Result<Self> {
        let sandbox = Self::new()?;
        let mut layout = Layout::create(sandbox.path("images"))?;
        fixture::machine(&mut layout, codec)?;
        sandbox.write("node.yml", fixture::MACHINE)?;
        sandbox.write("nodeimage.toml", LOCAL)?;
        Ok(sandbox)
    }
}
