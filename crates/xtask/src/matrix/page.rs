//! `docs/matrix.md`.

use super::Entry;
use super::results::{Results, State};

const HEAD: &str = "\
# Matrix

<!-- Written by `cargo xtask matrix --write`. -->

`cargo xtask matrix` shows what is too much for every run of the tests. `cargo xtask matrix codec/lz4`
runs the entries with that in their names, `--list` only names them. Results are kept in cargo's
target folder and count for the very program and base images they came from, so a run that was
broken off goes on; `--again` begins anew.

";

pub(super) fn render(entries: &[Entry], results: &Results) -> String {
    let mut text = format!("{HEAD}Program and images {}.\n\n", results.subject());
    text += "| entry | what it shows | result |\n|---|---|---|\n";
    for entry in entries {
        let state = match results.state(&entry.name) {
            State::Failed => "**failed**".to_owned(),
            other => other.to_string(),
        };
        text += &format!("| {} | {} | {state} |\n", entry.name, entry.what);
    }
    text
}
