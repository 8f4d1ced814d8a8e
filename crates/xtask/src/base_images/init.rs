//! Our own init as a static program, and busybox's links to itself.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::host_tool::HostTools;
use super::lock::Wanted;
use super::recipe::Making;
use super::tree::Node;
use crate::process;
use crate::workspace::Workspace;

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The program that [`build`] has cargo make.
fn program(workspace: &Workspace) -> PathBuf {
    folder(workspace)
        .join(TARGET)
        .join("release/nodeimage-init")
}

/// A folder of its own: other flags would make cargo build everything anew
/// each time it is asked for the one or the other.
fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("guest")
}

/// Has cargo build our init, small, static, and free of this machine's paths.
pub(super) fn build(workspace: &Workspace) -> Result<PathBuf> {
    let mut flags = OsString::from("-Ctarget-feature=+crt-static");
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    for (path, name) in [
        (Some(workspace.root.clone()), "/nodeimage"),
        (home, "/cargo"),
    ] {
        if let Some(path) = path {
            flags.push("\x1f--remap-path-prefix=");
            flags.push(path);
            flags.push("=");
            flags.push(name);
        }
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    process::run(
        Command::new(cargo)
            .args(["build", "--quiet", "--locked", "--release"])
            .args(["-p", "nodeimage-guest", "--target", TARGET, "--target-dir"])
            .arg(folder(workspace))
            .current_dir(&workspace.root)
            .env_remove("RUSTFLAGS")
            .env("CARGO_ENCODED_RUSTFLAGS", flags)
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "s")
            .env("CARGO_PROFILE_RELEASE_LTO", "thin")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
            .env("CARGO_PROFILE_RELEASE_STRIP", "symbols"),
    )
    .context("cannot build our init")?;
    Ok(program(workspace))
}

pub(super) fn make(making: &mut Making<'_>) -> Result<()> {
    let path = making.init;
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    making.tree.add("init", Node::file(0o755, bytes))
}

/// A link for every applet, where busybox itself says it belongs.
pub(super) fn busybox_links(making: &mut Making<'_>) -> Result<()> {
    let busybox = Wanted {
        architecture: "amd64",
        name: "busybox-static",
    };
    let tools = HostTools::unpack(&[busybox], making.packages)?;
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
