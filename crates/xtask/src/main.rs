//! `cargo xtask COMMAND`: the project's own commands.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};
use xtask::base_images::{self, Group, Options, Selection};
use xtask::bench;
use xtask::demo;
use xtask::dist;
use xtask::docs;
use xtask::matrix;
use xtask::setup::{self, Need};
use xtask::testing;
use xtask::workspace::Workspace;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The project's commands")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install the programs that demo and tests need (Debian, through apt-get)
    Setup {
        /// What to install; everything when none is named
        #[arg(value_enum)]
        needs: Vec<Need>,
    },
    /// Make the base images from Debian packages and our own init
    BaseImages {
        /// What machines they are for, besides amd64
        #[arg(long, value_enum, default_value = "amd64")]
        arch: Arch,
        /// The images that only tests use, too
        #[arg(long)]
        tests: bool,
        /// Take the newest package versions and write them to the lock file
        #[arg(long)]
        refresh: bool,
        /// Folder of the OCI image layout [default: base-images in cargo's target folder]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Take this static program as our init instead of building it
        #[arg(long, value_name = "FILE")]
        init: Option<PathBuf>,
    },
    /// Set everything up, make the disk of examples/local and boot it
    Demo {
        /// Begin with an empty store
        #[arg(long)]
        fresh: bool,
        /// Use the command line even if terraform is there
        #[arg(long)]
        cli: bool,
    },
    /// Set up, and run all tests
    Test,
    /// Make a release: zip, checksums, manifest
    Dist,
    /// Write the generated pages of docs/
    Docs {
        /// Only compare
        #[arg(long)]
        check: bool,
    },
    /// Show what is too much for every run of the tests
    Matrix {
        /// Only entries whose names have this in them
        #[arg(default_value = "", hide_default_value = true)]
        filter: String,
        /// Run those that ran without a failure once more
        #[arg(long)]
        again: bool,
        /// Run nothing
        #[arg(long)]
        list: bool,
        /// Write the results to docs/matrix.md
        #[arg(long)]
        write: bool,
        /// Run this one, in this process
        #[arg(long, hide = true)]
        entry: Option<String>,
    },
    /// Measure builds
    Bench {
        /// Only this table
        #[arg(long, value_enum)]
        only: Option<bench::Part>,
        /// Write the result to docs/performance.md
        #[arg(long)]
        write: bool,
        /// Only make what is measured
        #[arg(long, hide = true, conflicts_with = "write")]
        prepare: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Arch {
    Amd64,
    Arm64,
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Setup { needs } if needs.is_empty() => setup::ensure(Need::ALL),
        Command::Setup { needs } => setup::ensure(&needs),
        Command::BaseImages {
            arch,
            tests,
            refresh,
            out,
            init,
        } => {
            let workspace = Workspace::find()?;
            let group = if tests { Group::Tests } else { Group::Examples };
            let arm64 = arch == Arch::Arm64;
            let options = Options {
                selection: Selection { group, arm64 },
                refresh,
                out,
                init,
            };
            let made = base_images::ensure(&workspace, &options)?;
            for image in &made.images {
                println!("{} {} {}", image.digest, image.size, image.reference);
            }
            println!("{}", made.layout.display());
            Ok(())
        }
        Command::Demo { fresh, cli } => {
            demo::run(&Workspace::find()?, demo::Options { fresh, cli })
        }
        Command::Test => testing::run(&Workspace::find()?),
        Command::Dist => release(&Workspace::find()?),
        Command::Docs { check } => docs::run(&Workspace::find()?, check),
        Command::Bench { prepare: true, .. } => bench::prepare(&Workspace::find()?),
        Command::Bench { only, write, .. } => bench::run(&Workspace::find()?, only, write),
        Command::Matrix {
            entry: Some(entry), ..
        } => matrix::run_entry(&entry),
        Command::Matrix {
            filter,
            again,
            list,
            write,
            ..
        } => {
            let request = matrix::Request {
                filter,
                again,
                list,
                write,
            };
            matrix::run(&Workspace::find()?, &request)
        }
    }
}

fn release(workspace: &Workspace) -> Result<()> {
    let made = dist::make(workspace, dist::Machines::All)?;
    let (major, minor) = made.facts.glibc;
    println!("{}", made.zip.display());
    println!(
        "needs glibc {major}.{minor} and {}",
        made.facts.libraries.join(", ")
    );
    Ok(())
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
