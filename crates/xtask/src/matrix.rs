//! `cargo xtask matrix`: what is too much for every run of the tests, entry by entry.
//!
//! Each entry runs in a process of its own, and its result is kept in cargo's target folder: a run
//! that was broken off goes on where it was. A result counts for the very program and base images
//! it came from.

mod codecs;
mod page;
mod results;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use sha2::{Digest, Sha256};

use crate::base_images::{self, BaseImages, Options};
use crate::cargo;
use crate::process;
use crate::setup::{self, Need};
use crate::steps::Steps;
use crate::testing::{BASE_IMAGES, PROGRAM};
use crate::workspace::Workspace;
use results::{Outcome, Results, State};

/// One thing to be shown.
struct Entry {
    /// `codec/lz4/bios`.
    name: String,
    /// What it shows, as a sentence.
    what: String,
    run: Box<dyn Fn() -> Result<()>>,
}

/// All entries. A new group is a line here.
fn entries() -> Vec<Entry> {
    let mut all = Vec::new();
    all.extend(codecs::entries());
    all
}

/// What to run, and what to do with the results.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Only entries whose names have this in them.
    pub filter: String,
    /// Also those that ran without a failure.
    pub again: bool,
    /// Runs nothing.
    pub list: bool,
    /// Write `docs/matrix.md`.
    pub write: bool,
}

/// Runs what has not run yet or has failed, and tells how many entries ran, failed and have not run.
///
/// # Errors
/// When an entry fails, after all others; when the program or the base images cannot be made.
pub fn run(workspace: &Workspace, request: &Request) -> Result<()> {
    let steps = Steps::new("matrix");
    setup::ensure(Need::ALL)?;
    let images = base_images::ensure(workspace, &Options::default())?;
    let program = steps.run("the program nodeimage", || cargo::nodeimage(workspace))?;
    let subject = subject(&program, &images)?;
    let mut results = Results::load(&workspace.target.join("matrix"), &subject)?;
    let entries = entries();
    for entry in &entries {
        let state = results.state(&entry.name);
        let wanted = entry.name.contains(&request.filter) && !request.list;
        if !wanted || (state == State::Ran && !request.again) {
            continue;
        }
        steps.say(&format!("{} …", entry.name));
        let mut child = Command::new("/proc/self/exe");
        child
            .args(["matrix", "--entry", &entry.name])
            .env(PROGRAM, &program)
            .env(BASE_IMAGES, &images.layout);
        let outcome = measured(&mut child)?;
        steps.say(&format!("{}: {outcome}", entry.name));
        results.put(&entry.name, outcome)?;
    }
    let mut failed = String::new();
    for entry in &entries {
        if let Some(error) = results.error(&entry.name) {
            // Writing to a string never fails.
            let _ = writeln!(failed, "{}: {error}", entry.name);
        }
        if request.list {
            println!("{} {}", results.state(&entry.name), entry.name);
        }
    }
    if request.write {
        let path = workspace.root.join("docs/matrix.md");
        std::fs::write(&path, page::render(&entries, &results))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    eprint!("{failed}");
    let count = |state| {
        let all = entries.iter();
        all.filter(|entry| results.state(&entry.name) == state)
            .count()
    };
    println!(
        "matrix: ran {}, failed {}, not run {}",
        count(State::Ran),
        count(State::Failed),
        count(State::NotRun)
    );
    match count(State::Failed) {
        0 => Ok(()),
        number => bail!("{number} of {} entries failed", entries.len()),
    }
}

/// Runs one entry in this process, whose environment names program and base images.
///
/// # Errors
/// When there is no such entry, or it fails.
pub fn run_entry(name: &str) -> Result<()> {
    let entries = entries();
    let entry = entries
        .iter()
        .find(|entry| entry.name == name)
        .ok_or_else(|| anyhow!("there is no entry {name}"))?;
    (entry.run)()
}

/// What the results are about: the program, and each base image.
fn subject(program: &PathBuf, images: &BaseImages) -> Result<String> {
    let bytes =
        std::fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
    let mut hash = Sha256::new();
    hash.update(Sha256::digest(&bytes));
    for image in &images.images {
        hash.update(format!("\n{} {}", image.reference, image.digest));
    }
    Ok(hex::encode(hash.finalize()))
}

fn measured(child: &mut Command) -> Result<Outcome> {
    let start = Instant::now();
    let output = child
        .stdin(Stdio::null())
        .output()
        .context("cannot run an entry")?;
    let seconds = start.elapsed().as_secs();
    let error = (!output.status.success()).then(|| {
        format!(
            "{}\n{}",
            output.status,
            process::tail(&output.stderr).trim_end()
        )
    });
    Ok(Outcome { seconds, error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_entry_says_what_it_shows() {
        let entries = entries();
        let mut names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), entries.len());
        assert!(entries.iter().all(|entry| entry.what.ends_with('.')));
        assert!(run_entry("no/such").is_err());
    }

    #[test]
    fn what_an_entry_says_is_kept_if_it_fails() {
        let failed = measured(Command::new("sh").args(["-c", "echo why >&2; exit 3"])).unwrap();
        let error = failed.error.unwrap();
        assert!(error.contains('3') && error.ends_with("why"), "{error}");
        assert_eq!(measured(&mut Command::new("true")).unwrap().error, None);
    }
}
