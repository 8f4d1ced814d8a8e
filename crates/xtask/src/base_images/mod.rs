//! `cargo xtask base-images`: the images that examples, demo and tests are
//! built from, as one OCI image layout made of Debian packages and our init,
//! without root, Docker or a registry. The same packages give the same
//! digests.

mod architecture;
mod boot;
mod certificates;
mod cross;
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
mod selection;
pub(crate) mod tree;
mod union;

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::setup::{self, Need};
use crate::workspace::Workspace;
use architecture::Architecture;
use cross::Cross;
use init::Inits;
use layout::Layout;
use lock::{Lock, Wanted};
use packages::Packages;
use tree::Tree;

pub use layout::Image;
pub use selection::{Group, Selection};

/// How to make the images.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Which ones. More may be there afterwards, made before of the same.
    pub selection: Selection,
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

    let selection = options.selection;
    let (packages, lock) = locked_packages(workspace, options)?;
    let inits = match &options.init {
        Some(init) => Inits::all(init),
        None => build_inits(workspace, selection, &packages, &lock)?,
    };
    let stamp_file = out.with_extension("stamp");
    let stamp = stamp(workspace)?;
    let made = std::fs::read_to_string(&stamp_file).unwrap_or_default();
    let images = match read_stamp(&made, &stamp, selection, &inits)? {
        Some(images) if out.join("index.json").exists() => images,
        _ => {
            // A killed run must not leave the old stamp beside new blobs.
            std::fs::write(&stamp_file, "").context("cannot write the stamp")?;
            let images = make(selection, &inits, &packages, &out)?;
            let made = write_stamp(&images, &stamp, selection, &inits)?;
            std::fs::write(&stamp_file, made).context("cannot write the stamp")?;
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
fn locked_packages(workspace: &Workspace, options: &Options) -> Result<(Packages, Lock)> {
    let all = wanted(Selection::ALL, true);
    let now = wanted(options.selection, options.init.is_none());
    let path = lock_file(workspace);
    let old = Lock::read(&path)?;
    let mut lock = old.clone();
    lock.keep(&all);
    let stale = if options.refresh { all } else { Vec::new() };
    let packages = packages::fetch(&now, stale, &mut lock, &workspace.cache)?;
    if lock != old {
        std::fs::write(&path, lock.to_text())
            .with_context(|| format!("cannot write {}", path.display()))?;
        eprintln!(
            "xtask: WARNING: the package versions in {} changed: \
             the base images get new digests. Commit the file.",
            path.display()
        );
    }
    Ok((packages, lock))
}

/// The package files that making a selection reads, sorted; with those of the
/// compiler if our init is to be built for arm64.
fn wanted(selection: Selection, builds_init: bool) -> Vec<Wanted> {
    let mut wanted = BTreeSet::new();
    for recipe in selection.recipes() {
        for architecture in selection.architectures(recipe) {
            wanted.extend(recipe.wanted(*architecture));
        }
    }
    if selection.arm64 && builds_init {
        wanted.extend(cross::wanted());
    }
    wanted.into_iter().collect()
}

fn build_inits(
    workspace: &Workspace,
    selection: Selection,
    packages: &Packages,
    lock: &Lock,
) -> Result<Inits> {
    setup::ensure(&[Need::Linker])?;
    let mut inits = Inits::default();
    inits.build(workspace, Architecture::Amd64, None)?;
    if selection.arm64 {
        let folder = workspace.target.join("rust-for-arm64");
        let cross = Cross::unpack(&folder, packages, lock)?;
        inits.build(workspace, Architecture::Arm64, Some(&cross))?;
    }
    Ok(inits)
}

fn make(
    selection: Selection,
    inits: &Inits,
    packages: &Packages,
    out: &Path,
) -> Result<Vec<Image>> {
    let mut layout = Layout::create(out)?;
    for recipe in selection.recipes() {
        let (name, tag) = (recipe.name, recipe.tag);
        let mut trees: Vec<(Architecture, Rc<Tree>)> = Vec::new();
        for architecture in selection.architectures(recipe) {
            let tree = match trees.first() {
                Some((_, tree)) if recipe.neutral => Rc::clone(tree),
                _ => {
                    let machine = architecture.name();
                    eprintln!("xtask: making the image {name}:{tag} for {machine}");
                    let tree = recipe
                        .tree(*architecture, inits, packages)
                        .with_context(|| format!("cannot make the image {name}"))?;
                    Rc::new(tree)
                }
            };
            trees.push((*architecture, tree));
        }
        layout.add_for(&recipe.references(), &trees, &recipe.config())?;
    }
    layout.finish()
}

/// What all images depend on: the recipes' sources and the crates they are
/// compiled with, the packages. Not this very program: tests and the other
/// commands would all make the images anew.
fn stamp(workspace: &Workspace) -> Result<String> {
    let crate_folder = workspace.root.join("crates/xtask");
    let mut files = vec![workspace.root.join("Cargo.lock"), lock_file(workspace)];
    for folder in ["images", "src/base_images"] {
        list(&crate_folder.join(folder), &mut files)?;
    }
    let mut hash = Sha256::new();
    for path in files {
        hash.update(digest(&path)?);
    }
    Ok(hex::encode(hash.finalize()))
}

fn digest(path: &Path) -> Result<[u8; 32]> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Sha256::digest(&bytes).into())
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

/// The stamp on a line, which images and with which init on another, then the
/// images.
fn write_stamp(
    images: &[Image],
    stamp: &str,
    selection: Selection,
    inits: &Inits,
) -> Result<String> {
    let mut text = format!("{stamp}\n{selection}");
    for (architecture, path) in inits.iter() {
        text += &format!(" {}={}", architecture.name(), hex::encode(digest(path)?));
    }
    text += "\n";
    for image in images {
        text += &format!("{} {} {}\n", image.digest, image.size, image.reference);
    }
    Ok(text)
}

/// The images, if they are of this stamp, have what is selected, and have
/// these inits in them.
fn read_stamp(
    text: &str,
    stamp: &str,
    selection: Selection,
    inits: &Inits,
) -> Result<Option<Vec<Image>>> {
    let mut lines = text.lines();
    if lines.next() != Some(stamp) {
        return Ok(None);
    }
    let mut words = lines.next().unwrap_or_default().split(' ');
    let made = words.next().and_then(|word| word.parse().ok());
    if !made.is_some_and(|made: Selection| made.covers(selection)) {
        return Ok(None);
    }
    let digests: Vec<&str> = words.collect();
    for (architecture, path) in inits.iter() {
        let word = format!("{}={}", architecture.name(), hex::encode(digest(path)?));
        if selection.has(architecture) && !digests.contains(&word.as_str()) {
            return Ok(None);
        }
    }
    let image = |line: &str| {
        let mut words = line.splitn(3, ' ');
        Some(Image {
            digest: words.next()?.to_owned(),
            size: words.next()?.parse().ok()?,
            reference: words.next()?.to_owned(),
        })
    };
    Ok(lines.map(image).collect())
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
        let init = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(init.path(), "one").unwrap();
        let inits = Inits::all(init.path());
        let images = vec![Image {
            reference: "ghcr.io/nodeimage/a:1".to_owned(),
            digest: "sha256:00".to_owned(),
            size: 7,
        }];
        let few = Selection::default();
        let text = write_stamp(&images, "abc", few, &inits).unwrap();
        let read = |text: &str, stamp, selection| read_stamp(text, stamp, selection, &inits);
        assert_eq!(read(&text, "abc", few).unwrap(), Some(images.clone()));
        assert_eq!(read(&text, "abd", few).unwrap(), None);
        assert_eq!(read(&text, "abc", Selection::ALL).unwrap(), None);
        assert_eq!(read("", "abc", few).unwrap(), None);
        assert_eq!(read("abc\nbroken\n", "abc", few).unwrap(), None);
        // More than is asked for does as well.
        let more = write_stamp(&images, "abc", Selection::ALL, &inits).unwrap();
        assert_eq!(read(&more, "abc", few).unwrap(), Some(images));
        std::fs::write(init.path(), "two").unwrap();
        assert_eq!(read(&more, "abc", few).unwrap(), None);
    }

    #[test]
    fn what_is_for_arm64_alone_is_not_downloaded_for_amd64() {
        let few = wanted(Selection::default(), true);
        let all = wanted(Selection::ALL, true);
        assert!(few.iter().all(|one| all.contains(one)) && few.len() < all.len());
        let arm64 = few
            .iter()
            .filter(|one| one.architecture == Architecture::Arm64);
        assert!(wanted(Selection::ALL, false).len() < all.len());
        // The EFI stub in the boot image, which is the same for both.
        assert_eq!(arm64.count(), 1);
    }
}
