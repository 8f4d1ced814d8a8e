//! `nodeimage`: the command line, or the Terraform provider when Terraform starts it.

mod args;
mod commands;
mod error;
mod input;
mod interrupt;
mod output;
mod progress;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    if let Some(code) = nodeimage_provider::serve_if_launched() {
        return code;
    }
    commands::run(&args::Cli::parse())
}
