//! A container's files before it starts, and after it has ended: `runtime.json`'s mounts, folders
//! and cgroups.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::mount::{UnmountFlags, unmount};

use super::bundle::Bundle;
use super::config::{Mount, RuntimeConfig};
use super::{cgroup, inside};
use crate::error::{Doing, Error, Result};
use crate::mounts::options::Options;
use crate::mounts::table;

/// Makes everything; after an error [`clean`] takes back what was mounted.
pub(crate) fn prepare(bundle: &Bundle, config: &RuntimeConfig) -> Result<()> {
    for mount in config.mounts.iter().flatten() {
        make_mount(bundle, mount)?;
    }
    for folder in config.mkdir.iter().flatten() {
        make_folder(bundle, folder)?;
    }
    config
        .cgroups
        .iter()
        .flatten()
        .try_for_each(|name| cgroup::make(name))
}

/// Unmounts the container's root and what its writable layer kept in memory. Mounts made
/// elsewhere are the machine's and stay.
pub(crate) fn clean(bundle: &Bundle) {
    let own = [bundle.rootfs(), bundle.path.join("tmp")];
    // Each may be mounted more than once; the newest goes first.
    for entry in table::read().iter().rev() {
        if own.contains(&entry.target) {
            // Detached even while something still uses it.
            let _ = unmount(&entry.target, UnmountFlags::DETACH);
        }
    }
}

fn make_mount(bundle: &Bundle, mount: &Mount) -> Result<()> {
    let options = Options::parse(mount.options.as_deref().unwrap_or_default());
    if mount.kind == "overlay" {
        for name in ["upperdir", "workdir"] {
            if let Some(path) = options.value(name) {
                fs::create_dir_all(path).doing(|| format!("make {path}"))?;
            }
        }
    }
    let destination = Path::new(&mount.destination);
    if destination.is_absolute() {
        place(&mount.source, destination, &options)?;
        return options.mount(&mount.source, destination, &mount.kind);
    }
    if mount.destination.is_empty() {
        return Err(Error::invalid(
            format!("runtime.json of {}", bundle.name),
            "a mount has no destination",
        ));
    }
    let folder = inside::make_folder(&bundle.rootfs(), destination)?;
    options.mount(&mount.source, &inside::path_of(&folder), &mount.kind)
}

/// Makes what is mounted on: a file when a file is bound, else a folder.
fn place(source: &str, destination: &Path, options: &Options) -> Result<()> {
    if destination.exists() {
        return Ok(());
    }
    let what = || format!("make {}", destination.display());
    let binds = options.bind != crate::mounts::options::Bind::No;
    if binds && Path::new(source).is_file() {
        if let Some(parent) = destination.parent() {
            fs::create_dir_all(parent).doing(what)?;
        }
        return fs::write(destination, "").doing(what);
    }
    fs::create_dir_all(destination).doing(what)
}

fn make_folder(bundle: &Bundle, folder: &str) -> Result<()> {
    let path = PathBuf::from(folder);
    if path.is_absolute() {
        return fs::create_dir_all(&path).doing(|| format!("make {folder}"));
    }
    inside::make_folder(&bundle.rootfs(), &path).map(drop)
}
