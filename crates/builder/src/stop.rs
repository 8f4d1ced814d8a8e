//! Stopping on request: asked for between two pieces of work.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::BuildError;

/// Whether to stop.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(crate) fn new(flag: Arc<AtomicBool>) -> Self {
        Self(flag)
    }

    /// An error once it was asked for.
    pub(crate) fn check(&self) -> Result<(), BuildError> {
        match self.0.load(Ordering::Relaxed) {
            true => Err(BuildError::Cancelled),
            false => Ok(()),
        }
    }

    /// Passes on to `out` until it was asked for, then fails.
    pub(crate) fn writer<W: Write>(&self, out: W) -> impl Write {
        Stoppable {
            out,
            stop: self.clone(),
        }
    }
}

struct Stoppable<W> {
    out: W,
    stop: Stop,
}

impl<W: Write> Write for Stoppable<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Not `Interrupted`, which means: try again.
        self.stop.check().map_err(io::Error::other)?;
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_end_when_asked() {
        let flag = Arc::new(AtomicBool::new(false));
        let stop = Stop::new(Arc::clone(&flag));
        let mut out = Vec::new();
        let mut writer = stop.writer(&mut out);
        writer.write_all(b"x").unwrap();
        flag.store(true, Ordering::Relaxed);
        writer.write_all(b"y").unwrap_err();
        drop(writer);
        assert_eq!(out, b"x");
        assert!(stop.check().unwrap_err().is_cancelled());
    }
}
