//! One of two images that are compared.

use std::collections::BTreeSet;

use nodeimage_spec::LockedSpec;
use serde::Serialize;

/// One of two images: its locked spec, in which some references may have no digest yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// The locked spec. Digests of `unpinned` references are made up.
    pub locked: LockedSpec,
    /// References without a digest: the image has no id.
    pub unpinned: BTreeSet<String>,
}

/// What a side is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// The image id; none when references are not pinned.
    pub id: Option<String>,
    /// The machine it is for.
    pub architecture: &'static str,
    /// References that are not pinned.
    pub unpinned: BTreeSet<String>,
}

impl Side {
    /// What it is.
    pub fn identity(&self) -> Identity {
        Identity {
            id: self.unpinned.is_empty().then(|| self.locked.id()),
            architecture: self.locked.architecture.name(),
            unpinned: self.unpinned.clone(),
        }
    }
}

impl From<LockedSpec> for Side {
    fn from(locked: LockedSpec) -> Self {
        Self {
            locked,
            unpinned: BTreeSet::new(),
        }
    }
}
