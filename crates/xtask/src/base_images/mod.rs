//! `cargo xtask base-images`: the images that examples, demo and tests are
//! built from, as one OCI image layout made of Debian packages and our init,
//! without root, Docker or a registry. The same packages give the same
//! digests.

mod boot;
mod certificates;
mod host_tool;
mod init;
mod kernel;
pub(crate) mod layout;
mod libraries;
mod licences;
mod lock;
mod mirror;
mod packages;
mod recipe;
mod recipes;
pub(crate) mod tree;
mod union;

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::setup::{self, Need};
use crate::workspace::Workspace;
use layout::Layout;
use lock::{Lock, Wanted};
use packages::Packages;
use recipes::RECIPES;

pub use layout::Image;

/// How to make the images.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Take the newest packages, whatever the lock file says.
    pub refresh: bool,
    /// Where the layout goes; [`Workspace::base_images`] when absent.
    pub out: Option<PathBuf>,
    /// A static program to take as our init instead of building it.
    pub init: Option<PathBuf>,
}

/// The images that are there now.
#[derive(Clone, Debug)]
pub struct BaseImages {
    /// The OCI image layout, absolute.
    pub layout: PathBuf,
    /// Sorted by reference.
    pub images: Vec<Image>,
}

/// Makes the base images, or leaves them alone when they are already made of
/// the same packages by the same recipes. Unless they go to a place of the
/// caller's, `examples/local/nodeimage.toml` says where they are. Safe to call
/// from several processes.
///
/// # Errors
/// When packages cannot be downloaded or checked, or our init not built.
pub fn ensure(workspace: &Workspace, options: &Options) -> Result<BaseImages> {
    let out = match &options.out {
        Some(out) => std::path::absolute(out).context("cannot find the output folder")?,
        None => workspace.base_images(),
    };
    std::fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    let guard = File::create(out.with_extension("lock")).context("cannot make the lock")?;
    guard.lock().context("cannot lock the base images")?;

    let packages = locked_packages(workspace, options.refresh)?;
    let init = match &options.init {
        Some(init) => init.clone(),
        None => {
            setup::ensure(&[Need::Linker])?;
            init::build(workspace)?
        }
    };
    let stamp_file = out.with_extension("stamp");
    let stamp = stamp(workspace, &init)?;
    let made = std::fs::read_to_string(&stamp_file).unwrap_or_default();
    let images = match read_stamp(&made, &stamp) {
        Some(images) if out.join("index.json").exists() => images,
        _ => {
            // A killed run must not leave the old stamp beside new blobs.
            std::fs::write(&stamp_file, "").context("cannot write the stamp")?;
            let images = make(&init, &packages, &out)?;
            std::fs::write(&stamp_file, write_stamp(&images, &stamp))
                .context("cannot write the stamp")?;
            images
        }
    };
    if options.out.is_none() {
        write_sources(workspace, &out)?;
    }
    Ok(BaseImages {
        layout: out,
        images,
    })
}

fn lock_file(workspace: &Workspace) -> PathBuf {
    workspace.root.join("crates/xtask/base-images.lock")
}

/// Brings the packages here and the lock file up to date, loudly.
fn locked_packages(workspace: &Workspace, refresh: bool) -> Result<Packages> {
    let wanted: BTreeSet<Wanted> = RECIPES.iter().flat_map(recipe::Recipe::wanted).collect();
    let wanted: Vec<Wanted> = wanted.into_iter().collect();
    let path = lock_file(workspace);
    let old = Lock::read(&path)?;
    let mut lock = old.clone();
    let packages = packages::fetch(&wanted, &mut lock, &workspace.cache, refresh)?;
    if lock != old {
        std::fs::write(&path, lock.to_text())
            .with_context(|| format!("cannot write {}", path.display()))?;
        eprintln!(
            "xtask: WARNING: the package versions in {} changed: \
             the base images get new digests. Commit the file.",
            path.display()
        );
    }
    Ok(packages)
}

fn make(init: &Path, packages: &Packages, out: &Path) -> Result<Vec<Image>> {
    let mut layout = Layout::create(out)?;
    for recipe in RECIPES {
        eprintln!("xtask: making the image {}:{}", recipe.name, recipe.tag);
        let tree = recipe
            .tree(init, packages)
            .with_context(|| format!("cannot make the image {}", recipe.name))?;
        layout.add(&recipe.references(), &tree, &recipe.config())?;
    }
    layout.finish()
}

/// What the images depend on: the recipes' sources and the crates they are
/// compiled with, the packages, our init. Not this very program: tests and the
/// other commands would all make the images anew.
fn stamp(workspace: &Workspace, init: &Path) -> Result<String> {
    let crate_folder = workspace.root.join("crates/xtask");
    let mut files = vec![
        workspace.root.join("Cargo.lock"),
        lock_file(workspace),
        init.to_owned(),
    ];
    for folder in ["images", "src/base_images"] {
        list(&crate_folder.join(folder), &mut files)?;
    }
    let mut hash = Sha256::new();
    for path in files {
        let bytes =
            std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        hash.update(Sha256::digest(&bytes));
    }
    Ok(hex::encode(hash.finalize()))
}

/// Adds every file below a folder, in the order of names.
fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let read = || -> std::io::Result<Vec<PathBuf>> {
        std::fs::read_dir(folder)?
            .map(|entry| Ok(entry?.path()))
            .collect()
    };
    let mut paths = read().with_context(|| format!("cannot list {}", folder.display()))?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            list(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// The stamp on a line, then the images.
fn write_stamp(images: &[Image], stamp: &str) -> String {
    let mut text = format!("{stamp}\n");
    for image in images {
        text += &format!("{} {} {}\n", image.digest, image.size, image.reference);
    }
    text
}

fn read_stamp(text: &str, stamp: &str) -> Option<Vec<Image>> {
    let mut lines = text.lines();
    if lines.next() != Some(stamp) {
        return None;
    }
    lines
        .map(|line| {
            let mut words = line.splitn(3, ' ');
            Some(Image {
                digest: words.next()?.to_owned(),
                size: words.next()?.parse().ok()?,
                reference: words.next()?.to_owned(),
            })
        })
        .collect()
}

/// Tells the examples where the images are.
fn write_sources(workspace: &Workspace, layout: &Path) -> Result<()> {
    let oci = toml::Value::String(format!("oci:{}", layout.display()));
    let text = format!(
        "# Written by `cargo xtask base-images`.\n[sources]\n\
         \"builtin\" = {oci}\n\"ghcr.io/nodeimage\" = {oci}\n"
    );
    let path = workspace.root.join("examples/local/nodeimage.toml");
    if std::fs::read_to_string(&path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_good_for_its_own_inputs_only() {
        let images = vec![Image {
            reference: "ghcr.io/nodeimage/a:1".to_owned(),
            digest: "sha256:00".to_owned(),
            size: 7,
        }];
        let text = write_stamp(&images, "abc");
        assert_eq!(read_stamp(&text, "abc"), Some(images));
        assert_eq!(read_stamp(&text, "abd"), None);
        assert_eq!(read_stamp("", "abc"), None);
        assert_eq!(read_stamp("abc\nbroken\n", "abc"), None);
    }
}
