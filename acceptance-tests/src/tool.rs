//! Real tools that judge what we made.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Runs a tool that must succeed, in `dir`; what it printed.
///
/// # Errors
/// When the tool is missing or fails; its own words are in the error.
pub fn run<S: AsRef<OsStr>>(dir: &Path, program: &str, arguments: &[S]) -> Result<Vec<u8>> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(dir)
        .stdin(Stdio::null())
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC")
        .output()
        .with_context(|| format!("cannot run {program}: run cargo xtask setup"))?;
    if !output.status.success() {
        bail!(
            "{program} failed ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(output.stdout)
}
