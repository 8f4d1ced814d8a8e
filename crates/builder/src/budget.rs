//! How many tree entries may be in memory at once, whatever the number of threads.
//!
//! An entry costs about 300 bytes; the largest image that the default limits allow, 500,000
//! entries, takes 140 MiB. Small images go side by side, large ones one after the other.

use std::sync::{Condvar, Mutex, PoisonError};

/// Entries of all trees in flight.
const LIMIT: u64 = 500_000;

/// A bound on what is in flight.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    used: Mutex<u64>,
    freed: Condvar,
}

/// A share of a [`Budget`], given back when dropped.
#[derive(Debug)]
pub(crate) struct Share<'a> {
    budget: &'a Budget,
    entries: u64,
}

impl Budget {
    /// Waits until `entries` are free; more than there are count as all.
    pub(crate) fn take(&self, entries: u64) -> Share<'_> {
        let entries = entries.min(LIMIT);
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let free = |used: &mut u64| *used + entries > LIMIT;
        let mut used = self
            .freed
            .wait_while(used, free)
            .unwrap_or_else(PoisonError::into_inner);
        *used += entries;
        Share {
            budget: self,
            entries,
        }
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        *self
            .budget
            .used
            .lock()
            .unwrap_or_else(PoisonError::into_inner) -= self.entries;
        self.budget.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn never_more_than_the_limit() {
        let budget = Budget::default();
        let (now, most) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for thread in 0..8u64 {
                let (budget, now, most) = (&budget, &now, &most);
                scope.spawn(move || {
                    for round in 0..50 {
                        let entries = (thread * 97_003 + round * 31_337) % 700_000;
                        let share = budget.take(entries);
                        let sum = now.fetch_add(share.entries, Ordering::SeqCst) + share.entries;
                        most.fetch_max(sum, Ordering::SeqCst);
                        now.fetch_sub(share.entries, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(most.load(Ordering::SeqCst) <= LIMIT);
        assert_eq!(*budget.used.lock().unwrap(), 0);
    }
}
