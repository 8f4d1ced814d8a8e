//! Says what is being done, and how long it took.

use std::time::Instant;

use anyhow::{Context, Result};

/// The steps of one command, told on standard error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps {
    command: &'static str,
    started: Instant,
}

impl Steps {
    pub(crate) fn new(command: &'static str) -> Self {
        Self {
            command,
            started: Instant::now(),
        }
    }

    /// Does `work`, with a line before and one after it.
    pub(crate) fn run<T>(&self, what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.say(&format!("{what} …"));
        let start = Instant::now();
        let done = work().with_context(|| format!("{}: {what}", self.command))?;
        self.say(&format!("{what}: {:.1} s", start.elapsed().as_secs_f64()));
        Ok(done)
    }

    /// One line.
    pub(crate) fn say(&self, line: &str) {
        eprintln!("{}: {line}", self.command);
    }

    /// Seconds since the command began.
    pub(crate) fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }
}
