//! Where things are: the clone, cargo's target folder, the download cache.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow};
use serde::Deserialize;

use crate::process;

/// The folders the commands work in, all absolute.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// The root of the clone.
    pub root: PathBuf,
    /// Cargo's target folder.
    pub target: PathBuf,
    /// Downloads that outlive a clone: `$XDG_CACHE_HOME/nodeimage-dev`.
    pub cache: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

impl Workspace {
    /// Asks cargo for the workspace that it runs this program of, else for the
    /// one it was built from. Clones may share a build folder, and then cargo
    /// takes a program that another clone has built.
    ///
    /// # Errors
    /// When cargo cannot be run, or neither `XDG_CACHE_HOME` nor `HOME` is set.
    pub fn find() -> Result<Self> {
        let folder = match (
            std::env::var("CARGO_PKG_NAME"),
            std::env::var_os("CARGO_MANIFEST_DIR"),
        ) {
            (Ok(name), Some(folder)) if name == env!("CARGO_PKG_NAME") => PathBuf::from(folder),
            _ => PathBuf::from(env!("CARGO_MANIFEST_DIR")),
        };
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
            .arg("--manifest-path")
            .arg(folder.join("Cargo.toml"))
            .current_dir(&folder);
        let text = process::output(&mut command)?;
        let metadata: Metadata =
            serde_json::from_slice(&text).context("cannot read the answer of cargo metadata")?;
        let cache = std::env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
            .ok_or_else(|| anyhow!("no cache folder: set XDG_CACHE_HOME or HOME"))?
            .join("nodeimage-dev");
        Ok(Self {
            root: metadata.workspace_root,
            target: metadata.target_directory,
            cache,
        })
    }

    /// Where `base-images` puts its OCI image layout unless told otherwise.
    #[must_use]
    pub fn base_images(&self) -> PathBuf {
        self.target.join("base-images")
    }
}

/// Removes a folder that may not be there.
pub(crate) fn remove(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}
