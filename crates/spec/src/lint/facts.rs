//! What somebody who has the images and files at hand knows about them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::fault::Fault;
use crate::model::Options;

/// What is known beyond the text. All of it may be missing.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Images by their expanded references.
    pub images: BTreeMap<String, ImageFacts>,
    /// Contents of `source` files, by the entry's place in `files`.
    pub sources: BTreeMap<usize, String>,
    /// Lints that the files of the images have answered, so that what the text suggests counts no
    /// more.
    pub settled: BTreeSet<&'static str>,
    /// Findings in the files of images, each with its lint's id.
    pub found: Vec<Fault>,
    /// What could not be looked at.
    pub skipped: Vec<Skipped>,
}

/// What an image says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageFacts {
    /// The defaults for containers, from its label.
    pub label: Options,
    /// `USER` of its configuration; empty when not given.
    pub user: String,
    /// The environment of its configuration.
    pub env: Vec<String>,
    /// Entrypoint and command of its configuration.
    pub command: Vec<String>,
}

/// A part that lints could not look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The image's expanded reference, or the path of a file.
    pub subject: String,
    /// The lints that did not see it; they judged by the rest.
    pub lints: Vec<&'static str>,
    /// Why not: one sentence.
    pub reason: String,
}
