//! LinuxKit's own results, kept as text, and what ours are compared with them by.
//!
//! `fixtures/linuxkit` has the specs and what LinuxKit made of them; its README says how that was
//! taken. [`images`] makes the images they name, [`tar`] and [`initrd`] read what either program
//! wrote, and [`Listing`] compares.

mod differences;
pub mod images;
pub mod initrd;
mod layer;
mod listing;
pub mod tar;
mod unpack;

use std::path::PathBuf;

pub use differences::differences;
pub use listing::{Entry, Listing};

/// `fixtures/linuxkit`.
#[must_use]
pub fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/linuxkit")
}
