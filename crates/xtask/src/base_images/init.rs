//! Our own init as a static program, and busybox's links to itself.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow};

use super::architecture::Architecture;
use super::cross::Cross;
use super::host_tool::HostTools;
use super::recipe::Making;
use super::tree::Node;
use crate::process;
use crate::workspace::Workspace;

/// Our init for each architecture, as a static program.
#[derive(Clone, Debug, Default)]
pub(super) struct Inits(BTreeMap<Architecture, PathBuf>);

impl Inits {
    /// The same file for all: tests have use for that.
    pub(super) fn all(program: &Path) -> Self {
        let all = Architecture::ALL.map(|one| (one, program.to_owned()));
        Self(all.into())
    }

    /// With the program that cargo builds now, by the given compiler or by
    /// the one that is installed.
    pub(super) fn build(
        &mut self,
        workspace: &Workspace,
        architecture: Architecture,
        cross: Option<&Cross>,
    ) -> Result<()> {
        let program = build(workspace, architecture, cross)
            .with_context(|| format!("cannot build our init for {}", architecture.name()))?;
        self.0.insert(architecture, program);
        Ok(())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Architecture, &Path)> {
        self.0.iter().map(|(one, path)| (*one, path.as_path()))
    }
}

/// A folder of its own: other flags would make cargo build everything anew
/// each time it is asked for the one or the other.
fn folder(workspace: &Workspace, architecture: Architecture) -> PathBuf {
    let guest = workspace.target.join("guest");
    match architecture {
        Architecture::Amd64 => guest,
        other => guest.with_extension(other.name()),
    }
}

/// Between flags in `CARGO_ENCODED_RUSTFLAGS`.
const SEPARATOR: &str = "\x1f";

/// Has cargo build our init, small, static, and free of this machine's paths.
fn build(
    workspace: &Workspace,
    architecture: Architecture,
    cross: Option<&Cross>,
) -> Result<PathBuf> {
    let folder = folder(workspace, architecture);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    let mut flags = match cross {
        Some(cross) => {
            command
                .env("RUSTC", cross.rustc())
                .env_remove("RUSTC_WRAPPER");
            OsString::from(cross.flags().join(SEPARATOR))
        }
        None => OsString::from("-Ctarget-feature=+crt-static"),
    };
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    for (path, name) in [
        (Some(workspace.root.clone()), "/nodeimage"),
        (home, "/cargo"),
    ] {
        if let Some(path) = path {
            flags.push(SEPARATOR);
            flags.push("--remap-path-prefix=");
            flags.push(path);
            flags.push("=");
            flags.push(name);
        }
    }
    let target = architecture.target();
    process::run(
        command
            .args(["build", "--quiet", "--locked", "--release"])
            .args(["-p", "nodeimage-guest", "--target", target, "--target-dir"])
            .arg(&folder)
            .current_dir(&workspace.root)
            .env_remove("RUSTFLAGS")
            .env("CARGO_ENCODED_RUSTFLAGS", flags)
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "s")
            .env("CARGO_PROFILE_RELEASE_LTO", "thin")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
            .env("CARGO_PROFILE_RELEASE_STRIP", "symbols"),
    )?;
    Ok(folder.join(target).join("release/nodeimage-init"))
}

pub(super) fn make(making: &mut Making<'_>) -> Result<()> {
    let architecture = making.architecture;
    let path = making
        .inits
        .0
        .get(&architecture)
        .ok_or_else(|| anyhow!("our init is not built for {}", architecture.name()))?;
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    making.tree.add("init", Node::file(0o755, bytes))
}

/// A link for every applet, where busybox itself says it belongs. The recipe's
/// tool says so: an image's own busybox may be for another machine, and both
/// are built with the same applets.
pub(super) fn busybox_links(making: &mut Making<'_>) -> Result<()> {
    let tools = HostTools::unpack(making.recipe.tools, making.packages)?;
    let list = process::output(Command::new(tools.path("bin/busybox")).arg("--list-full"))?;
    for path in String::from_utf8(list)
        .context("odd names of applets")?
        .lines()
    {
        // A link at the root would be one more init.
        if path.contains('/') && making.tree.get(path).is_none() {
            making.tree.add(path, Node::link("/bin/busybox"))?;
        }
    }
    Ok(())
}
