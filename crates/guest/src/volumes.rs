//! Volumes: /containers/volumes/NAME has the image's content in `lower` and is shown, writable
//! when there is a `tmp`, at `merged`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::console::say;
use crate::error::{Doing, Result};
use crate::mounts::options::{Options, overlay_value};

/// Mounts every volume; failures are told.
pub(crate) fn mount_all() {
    let folders = fs::read_dir("/containers/volumes").into_iter().flatten();
    let mut volumes: Vec<PathBuf> = folders.flatten().map(|entry| entry.path()).collect();
    volumes.sort();
    for volume in volumes {
        if volume.is_dir()
            && let Err(error) = mount(&volume)
        {
            say!("nodeimage: volume {}: {error}", volume.display());
        }
    }
}

fn mount(volume: &Path) -> Result<()> {
    let (lower, tmp, merged) = (
        volume.join("lower"),
        volume.join("tmp"),
        volume.join("merged"),
    );
    let words = |words: &[&str]| -> Vec<String> { words.iter().map(|w| (*w).to_owned()).collect() };
    if !tmp.is_dir() {
        let source = lower.to_string_lossy();
        return Options::parse(&words(&["bind", "ro"])).mount(&source, &merged, "none");
    }
    Options::default().mount("tmpfs", &tmp, "tmpfs")?;
    let (upper, work) = (tmp.join("upper"), tmp.join("work"));
    for folder in [&upper, &work] {
        fs::create_dir_all(folder).doing(|| format!("make {}", folder.display()))?;
    }
    let layers = [
        format!("lowerdir={}", overlay_value(&lower)?),
        format!("upperdir={}", overlay_value(&upper)?),
        format!("workdir={}", overlay_value(&work)?),
    ];
    Options::parse(&layers).mount("overlay", &merged, "overlay")
}
