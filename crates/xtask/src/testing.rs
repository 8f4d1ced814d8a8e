//! `cargo xtask test`: everything tests need, then all of them.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::base_images::{self, Options, Selection};
use crate::cargo;
use crate::process;
use crate::setup::{self, Need};
use crate::steps::Steps;
use crate::terraform;
use crate::workspace::Workspace;

/// Names the `nodeimage` program, absolute, to the acceptance tests: what a
/// user would run, not a library called in a test's own process.
pub const PROGRAM: &str = "NODEIMAGE_BIN";

/// Names the OCI image layout of the base images, absolute, to the acceptance
/// tests.
pub const BASE_IMAGES: &str = "NODEIMAGE_BASE_IMAGES";

/// Installs, builds and makes what the tests need, and runs them all. The
/// last line is the test runner's own summary.
///
/// # Errors
/// When something cannot be set up (terraform is the one thing that must be
/// there already), or a test fails.
pub fn run(workspace: &Workspace) -> Result<()> {
    let steps = Steps::new("test");
    terraform::demand()?;
    steps.run("programs that the tests run", || setup::ensure(Need::ALL))?;
    let images = steps.run("base images", || {
        let options = Options {
            selection: Selection::ALL,
            ..Options::default()
        };
        base_images::ensure(workspace, &options)
    })?;
    let program = steps.run("the program nodeimage", || cargo::nodeimage(workspace))?;
    // These go first because the other runner's last line tells the result.
    let said = steps.run("examples in the documentation", || {
        let mut doc = cargo::command(workspace);
        doc.args(["test", "--locked", "--workspace", "--doc", "--quiet"]);
        process::quietly(with_names(&mut doc, &program, &images.layout))
    })?;
    // Cargo has a result for each package, most of which have no example.
    for result in said.lines().filter(|line| line.starts_with("test result")) {
        if !result.contains(" 0 passed") {
            steps.say(result);
        }
    }
    steps.say(&format!(
        "ready after {:.0} s; now all tests",
        steps.seconds()
    ));
    let mut tests = cargo::command(workspace);
    tests.args(runner()).args(["--locked", "--workspace"]);
    process::run(with_names(&mut tests, &program, &images.layout))
}

/// `.config/nextest.toml` keeps machines from being emulated side by side. The
/// other runner has no such groups, and takes longer.
fn runner() -> &'static [&'static str] {
    if setup::has_nextest() {
        &["nextest", "run", "--no-fail-fast"]
    } else {
        &["test", "--no-fail-fast", "--lib", "--bins", "--tests"]
    }
}

fn with_names<'a>(command: &'a mut Command, program: &Path, images: &Path) -> &'a mut Command {
    command.env(PROGRAM, program).env(BASE_IMAGES, images)
}
