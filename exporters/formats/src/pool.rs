//! Compressors and decompressors, each used by one thread at a time and kept for the next.

use std::sync::{Mutex, PoisonError};

/// Idle ones.
pub(crate) struct Pool<T>(Mutex<Vec<T>>);

impl<T> Pool<T> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Lends one to `work`, a new one if all are out. One that failed is not used again.
    pub(crate) fn with<R, E>(
        &self,
        new: impl FnOnce() -> Result<T, E>,
        work: impl FnOnce(&mut T) -> Result<R, E>,
    ) -> Result<R, E> {
        let idle = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut one = match idle {
            Some(one) => one,
            None => new()?,
        };
        let done = work(&mut one)?;
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(one);
        Ok(done)
    }
}
