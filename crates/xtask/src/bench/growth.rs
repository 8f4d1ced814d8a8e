//! How the cost of a build grows with the size of a layer and with the number of its files: linear,
//! with memory flat.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::child::{self, Cost};
use super::grown::Growth;
use super::peer::Layers;
use crate::process;
use crate::workspace;

const KERNEL: &str = "ghcr.io/nodeimage/kernel:6.1";
const INIT: &str = "builtin:init";

/// Rounds from an empty store on. Warm builds are twice as many.
const ROUNDS: usize = 3;

/// What one size cost.
#[derive(Clone, Debug)]
pub(super) struct Grown {
    pub(super) growth: Growth,
    pub(super) step: usize,
    /// Bytes of all layers, unpacked: the kernel's and the init's as well.
    pub(super) bytes: u64,
    pub(super) cold: Cost,
    pub(super) warm: Cost,
    /// `gzip -dc | zstd -3` of the same layers.
    pub(super) peer: Cost,
}

/// Builds of the grown images.
#[derive(Debug)]
pub(super) struct Builds<'a> {
    pub(super) program: &'a Path,
    /// `nodeimage.toml`.
    pub(super) config: &'a Path,
    /// The layout of kernel and init.
    pub(super) base: &'a Path,
    /// The layout of what grows.
    pub(super) layout: &'a Path,
    pub(super) folder: PathBuf,
}

impl Builds<'_> {
    pub(super) fn measure(&self, growth: Growth, step: usize) -> Result<Grown> {
        workspace::remove(&self.folder)?;
        std::fs::create_dir_all(&self.folder)
            .with_context(|| format!("cannot make {}", self.folder.display()))?;
        let yml = self.folder.join("grown.yml");
        let yaml = format!(
            "kernel:\n  image: {KERNEL}\n  cmdline: console=ttyS0\ninit:\n  - {INIT}\nservices:\n  - name: grown\n    image: {}\n",
            growth.image(step)
        );
        std::fs::write(&yml, yaml).with_context(|| format!("cannot write {}", yml.display()))?;
        // In another store: the measured one must be empty.
        process::output(self.nodeimage("locking").arg("lock").arg(&yml))?;
        let (mut cold, mut warm) = (vec![], vec![]);
        for _ in 0..ROUNDS {
            workspace::remove(&self.folder.join("store"))?;
            cold.push(self.build(&yml)?);
            warm.push(self.build(&yml)?);
            warm.push(self.build(&yml)?);
        }
        let image = growth.image(step);
        let layers = Layers::of_images(&[
            (self.base, KERNEL),
            (self.base, INIT),
            (self.layout, &image),
        ])?;
        let best = |runs: &[Cost]| Cost::best(runs).context("nothing was measured");
        let grown = Grown {
            growth,
            step,
            bytes: layers.bytes,
            cold: best(&cold)?,
            warm: best(&warm)?,
            peer: layers.gzip_and_zstd()?,
        };
        workspace::remove(&self.folder)?;
        Ok(grown)
    }

    fn build(&self, yml: &Path) -> Result<Cost> {
        let mut build = self.nodeimage("store");
        // The initrd of the largest would not fit into the default machine.
        build.args(["--quiet", "--offline", "build", "--min-memory", "8192"]);
        child::measure(build.arg("--dir").arg(&self.folder).arg(yml))
    }

    fn nodeimage(&self, store: &str) -> Command {
        let mut command = Command::new(self.program);
        command
            .env_remove("TF_PLUGIN_MAGIC_COOKIE")
            .arg("--config")
            .arg(self.config)
            .arg("--cache")
            .arg(self.folder.join(store));
        command
    }
}
