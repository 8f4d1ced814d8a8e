//! `cargo xtask dist`: a release as the Terraform registry takes it.
//!
//! The zip has the provider, which is the command line too: run it under its
//! own name (`./terraform-provider-nodeimage_v0.1.0 build node.yml`). A second
//! name in the zip would double its size. Beside it lie the images that every
//! build needs, which the program finds by its own place.

mod archive;
mod checks;
mod subset;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::base_images::{self, Group, Options, Selection};
use crate::cargo;
use crate::process;
use crate::setup::{self, Need};
use crate::workspace::Workspace;
use archive::Entry;

pub use checks::Facts;

/// What the registry needs to know that the files do not say.
const MANIFEST: &str = "{\"version\":1,\"metadata\":{\"protocol_versions\":[\"6.0\"]}}\n";

/// The images in the zip.
const IMAGES: [&str; 2] = ["builtin:boot", "builtin:init"];

/// Which machines the zip has all that an image for them needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machines {
    /// amd64, for a try on this machine: our init for arm64 takes a compiler
    /// that has to be fetched first.
    Amd64,
    /// Every one: a release.
    All,
}

impl Machines {
    fn images(self, workspace: &Workspace) -> Options {
        match self {
            Self::Amd64 => Options::default(),
            Self::All => Options {
                selection: Selection {
                    group: Group::Release,
                    arm64: true,
                },
                out: Some(workspace.target.join("release-images")),
                ..Options::default()
            },
        }
    }
}

/// A release on the disk.
#[derive(Clone, Debug)]
pub struct Dist {
    /// Without the `v`.
    pub version: String,
    /// The zip, absolute.
    pub zip: PathBuf,
    /// What the program in it needs of a machine.
    pub facts: Facts,
}

/// The zip's name, as registry and mirrors want it.
#[must_use]
pub fn zip_name(version: &str) -> String {
    format!("terraform-provider-nodeimage_{version}_linux_amd64.zip")
}

/// The program's name in the zip.
#[must_use]
pub fn program_name(version: &str) -> String {
    format!("terraform-provider-nodeimage_v{version}")
}

/// Makes zip, manifest and checksums in `dist` in cargo's target folder (for
/// amd64 alone, `dist-amd64`).
///
/// # Errors
/// When something cannot be built, or the program needs libraries that a
/// machine may not have.
pub fn make(workspace: &Workspace, machines: Machines) -> Result<Dist> {
    setup::ensure(&[Need::Linker])?;
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let folder = workspace.target.join(match machines {
        Machines::Amd64 => "dist-amd64",
        Machines::All => "dist",
    });
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let program = stripped(&cargo::nodeimage(workspace)?)?;
    let facts = checks::facts(&program)?;
    let images = base_images::ensure(workspace, &machines.images(workspace))?;

    let mut entries = vec![Entry::program(&program_name(&version), program)];
    for name in ["LICENSE", "NOTICE"] {
        let path = workspace.root.join(name);
        let text =
            std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        entries.push(Entry::file(name, text));
    }
    for (path, bytes) in subset::read(&images.layout, &IMAGES)? {
        entries.push(Entry::file(&format!("images/{path}"), bytes));
    }
    let zip = zip_name(&version);
    let manifest = format!("terraform-provider-nodeimage_{version}_manifest.json");
    let packed = archive::pack(entries)?;
    let sums = sums(&[(&zip, packed.as_slice()), (&manifest, MANIFEST.as_bytes())]);
    write(&folder.join(&zip), &packed)?;
    write(&folder.join(&manifest), MANIFEST.as_bytes())?;
    let sums_name = format!("terraform-provider-nodeimage_{version}_SHA256SUMS");
    write(&folder.join(sums_name), sums.as_bytes())?;
    Ok(Dist {
        version,
        zip: folder.join(zip),
        facts,
    })
}

/// Unpacks a release into `folder`, which must not have anything in it;
/// returns the program.
///
/// # Errors
/// When the zip or the folder is not as it should be.
pub fn unpack(dist: &Dist, folder: &Path) -> Result<PathBuf> {
    archive::unpack(&dist.zip, folder)?;
    Ok(folder.join(program_name(&dist.version)))
}

/// The program without symbols: they are two thirds of it.
fn stripped(program: &Path) -> Result<Vec<u8>> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let out = folder.path().join("stripped");
    let mut strip = Command::new("strip");
    process::run(strip.arg("--strip-all").arg("-o").arg(&out).arg(program))?;
    std::fs::read(&out).context("cannot read the stripped program")
}

/// Lines as `sha256sum` writes and checks them.
fn sums(files: &[(&str, &[u8])]) -> String {
    let mut lines: Vec<String> = files
        .iter()
        .map(|(name, bytes)| format!("{}  {name}\n", hex::encode(Sha256::digest(bytes))))
        .collect();
    lines.sort_by(|a, b| a[64..].cmp(&b[64..]));
    lines.concat()
}

/// Written aside and renamed: never half there.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        let everyone = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        file.as_file().set_permissions(everyone)?;
        file.persist(path)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_by_name() {
        let text = sums(&[("b", b""), ("a", b"x")]);
        let names: Vec<&str> = text.lines().map(|line| &line[66..]).collect();
        assert_eq!(names, ["a", "b"]);
        assert!(
            text.contains("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  b\n")
        );
    }

    #[test]
    fn the_manifest_is_the_registrys() {
        let manifest: serde_json::Value = serde_json::from_str(MANIFEST).unwrap();
        assert_eq!(manifest["version"], 1);
        assert_eq!(manifest["metadata"]["protocol_versions"][0], "6.0");
    }
}
