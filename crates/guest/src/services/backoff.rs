//! How long to wait before the next try.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// A life this long makes the next failure a first one.
const FORGIVEN: Duration = Duration::from_secs(60);

/// Pauses that double from one second to a minute.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl Backoff {
    /// The pause after a life of `lived`.
    pub(crate) fn next(&mut self, lived: Duration) -> Duration {
        if lived >= FORGIVEN {
            self.next = FIRST;
        }
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_a_minute_and_forgives() {
        let mut backoff = Backoff::default();
        let short = Duration::from_secs(59);
        let pauses: Vec<u64> = (0..8).map(|_| backoff.next(short).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff.next(Duration::from_secs(60)).as_secs(), 1);
        assert_eq!(backoff.next(short).as_secs(), 2);
    }
}
