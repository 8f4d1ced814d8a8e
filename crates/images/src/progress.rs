//! What is going on, for whoever wants to show it; nothing is printed here.

use std::fmt;

/// One thing that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Work on an item began.
    Started {
        /// What is worked on: `docker.io/library/nginx:1.22 layer 2/5`.
        item: &'a str,
        /// Bytes to fetch, when known.
        bytes: Option<u64>,
    },
    /// More of an item was read.
    Bytes {
        /// The item.
        item: &'a str,
        /// Compressed bytes since the last such event.
        fetched: u64,
        /// Uncompressed bytes since the last such event.
        unpacked: u64,
    },
    /// Another thread or process is making this item; this one waits for it.
    Waiting {
        /// The item.
        item: &'a str,
    },
    /// The item is done.
    Finished {
        /// The item.
        item: &'a str,
    },
}

/// A listener. Called from several threads at once, often; it should return at once.
pub trait Progress: Send + Sync + fmt::Debug {
    /// Something happened.
    fn event(&self, event: Event<'_>);

    /// Whether the work should stop: asked between two pieces of work.
    fn cancelled(&self) -> bool {
        false
    }
}

/// Listens to nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn event(&self, _: Event<'_>) {}
}
