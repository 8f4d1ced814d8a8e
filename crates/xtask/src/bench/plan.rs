//! What an unchanged `terraform plan` costs with the example's image, over
//! one where the same provider has nothing to do.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::child::{self, Cost};
use crate::demo::Demo;
use crate::dist::{self, Dist};
use crate::terraform::Terraform;
use crate::workspace::{self, Workspace};

const ROUNDS: usize = 5;

/// Starts the provider and asks it for nothing.
const IDLE: &str = "terraform {\n  required_providers {\n    nodeimage = {\n      \
    source = \"nodeimage/nodeimage\"\n    }\n  }\n}\n\nprovider \"nodeimage\" {}\n";

/// Both plans.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plans {
    pub(super) idle: Cost,
    pub(super) unchanged: Cost,
}

impl Plans {
    /// What the provider's work costs.
    pub(super) fn over_idle(&self) -> Duration {
        self.unchanged.cpu.saturating_sub(self.idle.cpu)
    }
}

/// Applies the example, then plans again and again.
pub(super) fn measure(
    clone: &Workspace,
    program: PathBuf,
    layout: &Path,
    dist: &Dist,
    folder: &Path,
) -> Result<Plans> {
    workspace::remove(folder)?;
    let idle = folder.join("idle");
    std::fs::create_dir_all(&idle).context("cannot make a folder")?;
    std::fs::write(idle.join("main.tf"), IDLE).context("cannot write main.tf")?;
    let idle = Terraform::new(program.clone(), dist, &idle, &folder.join("cache"))?;
    idle.init()?;

    let release = dist::unpack(dist, &folder.join("release"))?;
    let demo = Demo::prepare(clone, layout, folder, release)?;
    demo.lock()?;
    let example = demo.terraform(program, dist)?;
    example.init()?;
    example.apply()?;
    Ok(Plans {
        idle: plan(&idle)?,
        unchanged: plan(&example)?,
    })
}

fn plan(terraform: &Terraform) -> Result<Cost> {
    let mut runs = Vec::new();
    for _ in 0..ROUNDS {
        // 0: nothing to do; 2, which is a failure here: a difference.
        let mut plan = terraform.command(&["plan", "-detailed-exitcode", "-no-color"]);
        runs.push(child::measure(&mut plan)?);
    }
    Cost::best(&runs).context("nothing was measured")
}
