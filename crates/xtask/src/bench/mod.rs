//! `cargo xtask bench`: what building costs, with the real program as a child,
//! against the aims and against other programs in the same run.

mod blocks;
mod case;
mod cases;
mod child;
mod content;
mod grown;
mod growth;
mod growth_table;
mod images;
mod page;
mod peer;
mod plan;
mod table;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::base_images::{self, Options};
use crate::cargo;
use crate::dist;
use crate::process;
use crate::setup::{self, Need};
use crate::steps::Steps;
use crate::terraform;
use crate::workspace::Workspace;
use case::{Bench, Case, Measured};
use child::Cost;
use grown::Growth;
use growth::Builds;
use page::Tables;
use peer::Layers;
use plan::Plans;

/// A table of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Builds of whole nodes, their changes, and plans
    Builds,
    /// How the cost grows with a layer's size and its number of files
    Growth,
}

/// A case with what it is compared with.
#[derive(Debug)]
struct Row {
    case: Case,
    /// Bytes of all its layers, unpacked.
    bytes: u64,
    measured: Measured,
    /// `gzip -dc | zstd -3` of the same layers.
    peer: Cost,
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("bench")
}

/// Makes what is measured. In a process of its own: a child's peak memory
/// begins with that of who started it, so the measuring one stays small.
///
/// # Errors
/// When the images cannot be made.
pub fn prepare(workspace: &Workspace) -> Result<()> {
    setup::ensure(&[Need::Zstd, Need::Linker])?;
    let base = base_images::ensure(workspace, &Options::default())?;
    let folder = folder(workspace);
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let made = images::ensure(&folder, &base.layout)?;
    let grown = grown::ensure(&folder)?;
    let sources = |name: &str, layout: &Path| {
        let oci = format!("oci:{}", layout.display());
        (name.to_owned(), toml::Value::from(oci))
    };
    let sources = toml::Table::from_iter([
        sources("builtin", &base.layout),
        sources("ghcr.io/nodeimage", &base.layout),
        sources("bench.example", &made),
        sources("grown.example", &grown),
    ]);
    let config = toml::Table::from_iter([("sources".to_owned(), sources.into())]);
    std::fs::write(folder.join("nodeimage.toml"), config.to_string())
        .context("cannot write nodeimage.toml")
}

/// Measures everything or one part and prints; writes `docs/performance.md` when `write` is set.
///
/// # Errors
/// When something cannot be built. A missed aim is a line of the result, not
/// an error.
pub fn run(workspace: &Workspace, only: Option<Part>, write: bool) -> Result<()> {
    let steps = Steps::new("bench");
    let program = steps.run("the program nodeimage", || cargo::nodeimage(workspace))?;
    steps.run("images", || {
        // This program, even if cargo has put another one in its place since.
        process::run(Command::new("/proc/self/exe").args(["bench", "--prepare"]))
    })?;
    let mut tables = Tables::default();
    if only != Some(Part::Growth) {
        tables.result = Some(builds(workspace, &steps, &program)?);
    }
    if only != Some(Part::Builds) {
        tables.growth = Some(growth(workspace, &steps, &program)?);
    }
    if write {
        tables.write(&workspace.root.join("docs/performance.md"))?;
    }
    steps.say(&format!("all in {:.0} s", steps.seconds()));
    Ok(())
}

/// The table, and the fingerprint of the made-up layout.
fn builds(workspace: &Workspace, steps: &Steps, program: &Path) -> Result<(String, String)> {
    let floor = child::measure(&mut Command::new("true"))?.peak;
    let folder = folder(workspace);
    let (base, made) = (workspace.base_images(), folder.join("layout"));
    let mut rows = Vec::new();
    for (name, case) in [
        ("local", cases::local(workspace)?),
        ("made-up", cases::made_up()),
    ] {
        let bench = Bench {
            program,
            config: &folder.join("nodeimage.toml"),
            folder: folder.join(name),
        };
        let measured = steps.run(case.name, || bench.measure(&case))?;
        let layers = Layers::of(&case.yaml, &base, &made)?;
        let peer = steps.run("the same layers through gzip and zstd", || {
            layers.gzip_and_zstd()
        })?;
        rows.push(Row {
            bytes: layers.bytes,
            case,
            measured,
            peer,
        });
    }
    let plans = match terraform::find()? {
        None => None,
        Some(terraform) => Some(steps.run("terraform plan", || plans(workspace, terraform))?),
    };
    let table = table::render(&rows, plans.as_ref(), floor);
    print!("{table}");
    Ok((table, images::fingerprint(&made)?))
}

fn growth(workspace: &Workspace, steps: &Steps, program: &Path) -> Result<String> {
    let folder = folder(workspace);
    let builds = Builds {
        program,
        config: &folder.join("nodeimage.toml"),
        base: &workspace.base_images(),
        layout: &folder.join("grown"),
        folder: folder.join("growth"),
    };
    let mut rows = Vec::new();
    for growth in Growth::ALL {
        for step in growth.steps() {
            let name = growth.shown(step);
            rows.push(steps.run(&name, || builds.measure(growth, step))?);
        }
    }
    let table = growth_table::render(&rows);
    print!("{table}");
    Ok(table)
}

fn plans(workspace: &Workspace, terraform: PathBuf) -> Result<Plans> {
    let dist = dist::make(workspace, dist::Machines::Amd64)?;
    let folder = folder(workspace).join("plan");
    plan::measure(
        workspace,
        terraform,
        &workspace.base_images(),
        &dist,
        &folder,
    )
}
