//! Cargo, run by us.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, anyhow};
use serde_json::Value;

use crate::process;
use crate::setup;
use crate::workspace::Workspace;

/// Cargo in the clone, with the programs of Debian's `sbin` folders found.
pub(crate) fn command(workspace: &Workspace) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(&workspace.root)
        .env("PATH", setup::search_path());
    command
}

/// Builds the `nodeimage` program; returns its path.
pub(crate) fn nodeimage(workspace: &Workspace) -> Result<PathBuf> {
    let mut command = command(workspace);
    command.args(["build", "--locked", "-p", "nodeimage", "--bin", "nodeimage"]);
    // Warnings and errors for people on standard error, facts on standard output.
    command.arg("--message-format=json-render-diagnostics");
    let facts = process::output(&mut command)?;
    executable(&facts).ok_or_else(|| anyhow!("cargo built nodeimage but does not say where"))
}

/// The program in cargo's JSON lines.
fn executable(facts: &[u8]) -> Option<PathBuf> {
    facts
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
        .filter(|fact| fact["reason"] == "compiler-artifact")
        .filter(|fact| fact["target"]["name"] == "nodeimage")
        .find_map(|fact| fact["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_among_cargos_facts() {
        let facts =
            br#"{"reason":"compiler-artifact","target":{"name":"nodeimage"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"other"},"executable":"/t/other"}
{"reason":"compiler-artifact","target":{"name":"nodeimage"},"executable":"/t/nodeimage"}
{"reason":"build-finished","success":true}
"#;
        assert_eq!(executable(facts), Some(PathBuf::from("/t/nodeimage")));
        assert_eq!(executable(b"no json\n"), None);
    }
}
