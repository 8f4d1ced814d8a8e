//! What differs between two images.
//!
//! | question | answered from |
//! |---|---|
//! | which references moved, which settings changed | two locked specs alone: always, offline |
//! | which files, packages and sizes differ | the images' layers, if the store has all of them |
//! | how much an upload would send | the block maps, of disks at hand or laid out from the store |
//!
//! Nothing is fetched and nothing built. What can't be compared is told, with the reason. Lists are
//! sorted; the same two images give the same answer on every machine that has the same in its
//! store.

mod attributes;
mod blocks;
mod compare;
mod files;
mod known;
mod packages;
mod references;
mod root;
mod settings;
mod side;
mod sizes;
mod summary;

pub use attributes::FileFacts;
pub use blocks::Blocks;
pub use compare::{Compare, Diff, Effort, NotCompared};
pub use files::{FileChange, Files};
pub use known::{RecallError, recall, remember};
pub use packages::{PackageChange, Packages};
pub use references::{Moved, Pin};
pub use settings::Setting;
pub use side::{Identity, Side};
pub use sizes::{ComponentSize, Size, Sizes};
pub use summary::{Detail, text};

use serde::Serialize;

/// What happened to a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Only the second has it.
    Added,
    /// Only the first has it.
    Removed,
    /// Both have it, and not the same.
    Changed,
}

impl Change {
    /// `None` when neither has it.
    fn of<T>(from: Option<&T>, to: Option<&T>) -> Option<Self> {
        match (from, to) {
            (None, None) => None,
            (None, Some(_)) => Some(Self::Added),
            (Some(_), None) => Some(Self::Removed),
            (Some(_), Some(_)) => Some(Self::Changed),
        }
    }

    /// `+`, `-` or `~`.
    pub fn sign(self) -> char {
        match self {
            Self::Added => '+',
            Self::Removed => '-',
            Self::Changed => '~',
        }
    }
}
