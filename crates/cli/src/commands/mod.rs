//! A file per command.

mod build;
mod cache;
mod convert;
mod diff;
mod disk_files;
mod inspect;
mod lint;
mod lock;
mod pin;

use std::process::ExitCode;

use crate::args::{Cli, Command};
use crate::error::Failure;
use crate::interrupt::stoppable;
use crate::output::Output;

/// As if a signal had ended the process, which is what a closed pipe does to others.
const PIPE_CLOSED: u8 = 141;

/// Runs the command and tells how it ended: 0 done, 1 failed, 130 interrupted, 141 nobody reads.
pub(crate) fn run(cli: &Cli) -> ExitCode {
    let output = Output {
        json: cli.global.json,
        quiet: cli.global.quiet,
    };
    let result = match &cli.command {
        Command::Build(args) => stoppable(|stop| build::run(&cli.global, args, output, stop)),
        Command::Lock(args) => stoppable(|stop| lock::run(&cli.global, args, output, stop)),
        Command::Diff(args) => stoppable(|stop| diff::run(&cli.global, args, output, stop)),
        Command::Lint(args) => stoppable(|stop| lint::run(&cli.global, args, output, stop)),
        Command::Inspect(args) => inspect::run(args, output),
        Command::Convert(args) => stoppable(|stop| convert::run(&cli.global, args, output, stop)),
        Command::Cache(args) => cache::run(&cli.global, args, output),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Closed) => ExitCode::from(PIPE_CLOSED),
        Err(Failure::Told(code)) => ExitCode::from(code),
        Err(failure) => {
            // Nobody reads any more: the exit code says it.
            let _ = output.failure(&failure);
            match failure {
                Failure::Interrupted => ExitCode::from(130),
                _ => ExitCode::FAILURE,
            }
        }
    }
}
