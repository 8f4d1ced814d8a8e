//! Runs a program out of Debian packages without installing them: unpacked
//! to a temporary folder and started by their own loader with their own
//! libraries, so that the result does not depend on this machine's versions.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::architecture::Architecture;
use super::lock::Wanted;
use super::packages::Packages;
use crate::process;

#[derive(Debug)]
pub(super) struct HostTools {
    folder: TempDir,
}

impl HostTools {
    pub(super) fn unpack(wanted: &[Wanted], packages: &Packages) -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        for one in wanted {
            process::run(
                Command::new("dpkg-deb")
                    .arg("-x")
                    .arg(packages.path(*one)?)
                    .arg(folder.path()),
            )?;
        }
        Ok(Self { folder })
    }

    /// The unpacked file at a path without leading slash.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The program at `path`, called `name`.
    pub(super) fn command(&self, path: &str, name: &str) -> Command {
        let folder = Architecture::Amd64.multiarch();
        let mut libraries = self.path(&format!("lib/{folder}")).into_os_string();
        libraries.push(":");
        libraries.push(self.path(&format!("usr/lib/{folder}")));
        let mut command = Command::new(self.path(&format!("lib/{folder}/ld-linux-x86-64.so.2")));
        command
            .args(["--inhibit-cache", "--argv0", name, "--library-path"])
            .arg(libraries)
            .arg(self.path(path))
            .env("LC_ALL", "C");
        command
    }
}
