//! One spec and its changes, built by the real program again and again.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::blocks::Blocks;
use super::child::{self, Cost};
use crate::process;
use crate::workspace;

/// Rounds from an empty store on. Warm builds are twice as many.
const ROUNDS: usize = 3;

/// What is built.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) yaml: String,
    /// A line of `files:` in it, and where a changed one has its number.
    pub(super) line: &'static str,
    /// The image of a service in it.
    pub(super) service: String,
    /// A newer version of that image.
    pub(super) newer: String,
    /// The image of another service.
    pub(super) other: String,
}

/// What it cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    pub(super) cold: Cost,
    pub(super) warm: Cost,
    pub(super) line: Cost,
    /// Blocks of the disk that are not zero.
    pub(super) used: u64,
    pub(super) line_blocks: u64,
    /// The service's image replaced by the newer one, and by the other one.
    pub(super) newer: Swap,
    pub(super) other: Swap,
    /// `cp --sparse=always` of the disk.
    pub(super) copy: Cost,
}

/// What replacing a service's image cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Swap {
    pub(super) cost: Cost,
    /// Blocks that differ.
    pub(super) blocks: u64,
    /// Blocks of the segments that the disk before it did not have.
    pub(super) own: u64,
}

/// The program, and where its inputs and outputs are.
#[derive(Debug)]
pub(super) struct Bench<'a> {
    pub(super) program: &'a Path,
    /// `nodeimage.toml`.
    pub(super) config: &'a Path,
    /// A folder for this case alone.
    pub(super) folder: PathBuf,
}

impl Bench<'_> {
    pub(super) fn measure(&self, case: &Case) -> Result<Measured> {
        std::fs::create_dir_all(&self.folder)
            .with_context(|| format!("cannot make {}", self.folder.display()))?;
        self.write("first", &case.yaml)?;
        for (name, image) in [("newer", &case.newer), ("other", &case.other)] {
            self.write(name, &replaced(&case.yaml, &case.service, image)?)?;
        }
        for round in 0..ROUNDS {
            let line = format!("{} changed {round}", case.line);
            let yaml = replaced(&case.yaml, case.line, &line)?;
            self.write(&format!("line{round}"), &yaml)?;
        }
        let (mut cold, mut warm, mut line) = (vec![], vec![], vec![]);
        let (mut newer, mut other) = (vec![], vec![]);
        for round in 0..ROUNDS {
            workspace::remove(&self.folder.join("store"))?;
            cold.push(self.build("first")?);
            warm.push(self.build("first")?);
            warm.push(self.build("first")?);
            line.push(self.build(&format!("line{round}"))?);
            newer.push(self.build("newer")?);
            other.push(self.build("other")?);
        }
        let disk = |name: &str| Blocks::read(&self.folder.join(format!("{name}.img")));
        let (first, lined) = (disk("first")?, disk("line0")?);
        let mut copies = vec![];
        for _ in 0..ROUNDS {
            let mut copy = Command::new("cp");
            copy.arg("--sparse=always").current_dir(&self.folder);
            copies.push(child::measure(copy.args(["first.img", "copy.img"]))?);
        }
        let best = |runs: &[Cost]| Cost::best(runs).context("nothing was measured");
        let swap = |name: &str, runs: &[Cost]| -> Result<Swap> {
            let swapped = disk(name)?;
            Ok(Swap {
                cost: best(runs)?,
                blocks: first.changed(&swapped),
                own: first.new_segments(&swapped),
            })
        };
        Ok(Measured {
            cold: best(&cold)?,
            warm: best(&warm)?,
            line: best(&line)?,
            used: first.used(),
            line_blocks: first.changed(&lined),
            newer: swap("newer", &newer)?,
            other: swap("other", &other)?,
            copy: best(&copies)?,
        })
    }

    /// The YAML and its lock. Digests are looked up in another store: the
    /// measured one must be empty.
    fn write(&self, name: &str, yaml: &str) -> Result<()> {
        let yml = self.folder.join(format!("{name}.yml"));
        std::fs::write(&yml, yaml).with_context(|| format!("cannot write {}", yml.display()))?;
        let _ = std::fs::remove_file(yml.with_extension("lock"));
        let mut lock = self.nodeimage("locking");
        process::output(lock.arg("lock").arg(yml)).map(|_| ())
    }

    fn build(&self, name: &str) -> Result<Cost> {
        let mut build = self.nodeimage("store");
        build.args(["--quiet", "--offline", "build", "--dir"]);
        build.arg(&self.folder);
        child::measure(build.arg(self.folder.join(format!("{name}.yml"))))
    }

    fn nodeimage(&self, store: &str) -> Command {
        let mut command = Command::new(self.program);
        command
            .env_remove("TF_PLUGIN_MAGIC_COOKIE")
            .arg("--config")
            .arg(self.config)
            .arg("--cache")
            .arg(self.folder.join(store));
        command
    }
}

fn replaced(text: &str, from: &str, to: &str) -> Result<String> {
    if !text.contains(from) {
        bail!("the YAML has no {from:?} to change");
    }
    Ok(text.replacen(from, to, 1))
}
