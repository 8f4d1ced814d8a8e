//! Telling how far a disk has come.

use std::fmt;
use std::ops::ControlFlow;

/// A callback that is told of every block that was written; it may ask to stop.
///
/// Its arguments are the bytes of non-empty blocks that are done and those that there are. It runs
/// on the thread that called for the disk.
#[derive(Clone, Copy)]
pub struct Progress<'a>(&'a dyn Fn(u64, u64) -> ControlFlow<()>);

impl<'a> Progress<'a> {
    /// Wraps a callback.
    pub fn new(callback: &'a dyn Fn(u64, u64) -> ControlFlow<()>) -> Self {
        Self(callback)
    }

    /// Tells it.
    pub(crate) fn tell(&self, done: u64, total: u64) -> ControlFlow<()> {
        (self.0)(done, total)
    }
}

impl fmt::Debug for Progress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress").finish_non_exhaustive()
    }
}
