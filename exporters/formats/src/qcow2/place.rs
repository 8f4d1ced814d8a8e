//! Where clusters go in the file, and how often each is referred to.
//!
//! Compressed clusters lie back to back, and may go on from one cluster of the file into the next.
//! Plain ones need a whole cluster, so what is left of the last one then waits for a compressed one
//! that fits.

use super::writer::CLUSTER;
use crate::writer::WINDOW;

/// Ends of clusters that wait at most.
const MAX_TAILS: usize = 16;

/// How far back one may lie: not so far that a stream has sent it.
const REACH: u64 = WINDOW - 8 * CLUSTER;

/// The file's clusters so far.
#[derive(Debug)]
pub(super) struct Place {
    refcounts: Vec<u16>,
    /// Where free ends of clusters begin, ascending.
    tails: Vec<u64>,
}

impl Place {
    /// The first `clusters` are taken.
    pub(super) fn new(clusters: u64) -> Self {
        Self {
            refcounts: vec![1; clusters as usize],
            tails: Vec::new(),
        }
    }

    /// Where the file ends so far.
    pub(super) fn end(&self) -> u64 {
        self.refcounts.len() as u64 * CLUSTER
    }

    /// A cluster of its own.
    pub(super) fn cluster(&mut self) -> u64 {
        let offset = self.end();
        self.refcounts.push(1);
        offset
    }

    /// Room for `len` bytes, more than none and no more than a cluster.
    pub(super) fn bytes(&mut self, len: u64) -> u64 {
        let end = self.end();
        self.tails.retain(|tail| end - tail < REACH);
        let room = |tail: u64| CLUSTER - tail % CLUSTER;
        let fits = |at: &usize| room(self.tails[*at]) >= len;
        let best = (0..self.tails.len())
            .filter(fits)
            .min_by_key(|at| room(self.tails[*at]));
        // The file's last cluster may be gone beyond.
        let last = self.tails.len().checked_sub(1);
        let last = last.filter(|at| self.tails[*at] + room(self.tails[*at]) == end);
        let offset = match best.or(last) {
            Some(at) => self.tails.remove(at),
            None => end,
        };
        let stop = offset + len;
        while self.end() < stop {
            self.refcounts.push(0);
        }
        for cluster in offset / CLUSTER..stop.div_ceil(CLUSTER) {
            self.refcounts[cluster as usize] += 1;
        }
        if !stop.is_multiple_of(CLUSTER) {
            let at = self.tails.partition_point(|tail| *tail < stop);
            self.tails.insert(at, stop);
            self.forget_smallest();
        }
        offset
    }

    fn forget_smallest(&mut self) {
        if self.tails.len() > MAX_TAILS {
            let room = |at: &usize| CLUSTER - self.tails[*at] % CLUSTER;
            if let Some(at) = (0..self.tails.len()).min_by_key(room) {
                self.tails.remove(at);
            }
        }
    }

    /// All refcounts.
    pub(super) fn refcounts(&self) -> &[u16] {
        &self.refcounts
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_overlaps_and_every_reference_counts(
            lens in proptest::collection::vec(prop_oneof![Just(0), 1..=CLUSTER], 1..200),
        ) {
            let mut place = Place::new(2);
            let mut taken = vec![(0, 2 * CLUSTER)];
            for len in lens {
                // None: a plain cluster.
                let offset = match len {
                    0 => place.cluster(),
                    len => place.bytes(len),
                };
                let len = if len == 0 { CLUSTER } else { len };
                taken.push((offset, offset + len));
            }
            let mut counts = vec![0; place.refcounts().len()];
            counts[0] = 1;
            counts[1] = 1;
            for (start, end) in &taken[1..] {
                for cluster in start / CLUSTER..end.div_ceil(CLUSTER) {
                    counts[cluster as usize] += 1;
                }
            }
            prop_assert_eq!(&counts, place.refcounts());
            taken.sort_unstable();
            prop_assert!(taken.windows(2).all(|pair| pair[0].1 <= pair[1].0));
        }
    }
}
