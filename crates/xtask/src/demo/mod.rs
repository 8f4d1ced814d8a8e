//! `cargo xtask demo`: the main job on this machine, from nothing to a machine
//! that serves a page.

mod machine;
mod make;

use std::fs::File;

use acceptance_tests::machine::Firmware;
use anyhow::{Context, Result};

use crate::base_images::{self, Options as ImageOptions};
use crate::dist;
use crate::setup::{self, Need};
use crate::steps::Steps;
use crate::terraform;
use crate::workspace::{self, Workspace};

pub(crate) use make::Demo;

/// How to run it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Begin with an empty store.
    pub fresh: bool,
    /// Use the command line even if terraform is there.
    pub cli: bool,
}

/// Sets everything up, makes the disk of `examples/local` and boots it; the
/// last line is `demo: ok`.
///
/// # Errors
/// When anything is not as it should be; a machine's error ends with its
/// console's last lines.
pub fn run(clone: &Workspace, options: Options) -> Result<()> {
    let steps = Steps::new("demo");
    let terraform = if options.cli {
        None
    } else {
        terraform::find()?
    };
    steps.run("programs of this machine", || {
        setup::ensure(&[Need::Qemu, Need::Ovmf, Need::Linker])
    })?;
    let images = steps.run("base images", || {
        base_images::ensure(clone, &ImageOptions::default())
    })?;
    let dist = steps.run("a release", || dist::make(clone, dist::Machines::Amd64))?;

    let folder = clone.target.join("demo");
    std::fs::create_dir_all(&folder).context("cannot make the demo's folder")?;
    let guard = File::create(folder.join("lock")).context("cannot make the demo's lock")?;
    guard.lock().context("cannot lock the demo's folder")?;
    if options.fresh {
        workspace::remove(&folder.join("cache"))?;
    }
    for name in ["release", "work", "work.mirror"] {
        workspace::remove(&folder.join(name))?;
    }
    let program = dist::unpack(&dist, &folder.join("release"))?;
    let demo = Demo::prepare(clone, &images.layout, &folder, program)?;
    steps.run("lock: which digest each image has", || demo.lock())?;
    let made = match terraform {
        Some(terraform) => {
            let terraform = demo.terraform(terraform, &dist)?;
            steps.run("terraform init, from the release's zip", || {
                terraform.init()
            })?;
            steps.run("terraform apply, and a plan that is empty", || {
                terraform.apply()
            })?;
            demo.made_by(&terraform)?
        }
        None => {
            let why = if options.cli {
                "not asked for"
            } else {
                "not on PATH"
            };
            steps.say(&format!(
                "terraform is {why}: the command line makes the disk"
            ));
            steps.run("nodeimage build", || demo.build())?
        }
    };
    steps.run("every block is as the disk's own map says", || {
        demo.verify(&made)
    })?;
    for (name, firmware) in [("SeaBIOS", Firmware::SeaBios), ("OVMF", Firmware::Ovmf)] {
        let log = folder.join(format!("console-{name}.log"));
        steps.run(
            &format!("a machine with {name} boots and serves a page"),
            || machine::check(&made.disk, firmware, &log),
        )?;
    }
    println!("disk {}", made.disk.display());
    println!("disk_digest {}", made.disk_digest);
    steps.say(&format!("all in {:.0} s", steps.seconds()));
    println!("demo: ok");
    Ok(())
}
