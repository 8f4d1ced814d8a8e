//! `nodeimage`: the command line, or the Terraform provider when Terraform starts it.

mod args;
mod commands;
mod error;
mod input;
mod interrupt;
mod output;
mod progress;
mod seen;

use std::process::ExitCode;

use clap::Parser;

/// A tree of half a million entries that one thread has freed must serve the next: by default glibc
/// keeps memory apart for every thread.
#[expect(unsafe_code, reason = "glibc has no other way to say it")]
fn share_memory_between_threads() {
    // SAFETY: mallopt takes two integers, and no other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

fn main() -> ExitCode {
    share_memory_between_threads();
    if let Some(code) = nodeimage_provider::serve_if_launched() {
        return code;
    }
    commands::run(&args::Cli::parse())
}
