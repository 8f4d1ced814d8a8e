//! OCI images without a daemon, root or unpacking: sources, the store, layers and trees.
//!
//! ```text
//! nodeimage.toml ─► sources ─┐                                  ┌─► ImageConfig
//! registries (Remote) ───────┴─► documents, blobs ─► store ─► Image ─► Tree
//! ```
//!
//! A reference is resolved to a digest; everything behind a digest is checked while it streams
//! in, and lies in the [`store`] from then on. A layer becomes a plain tar there, with an index
//! beside it; a [`Tree`] points into these tars.

pub mod config;
mod data;
mod flatten;
mod image;
mod layer;
pub mod limits;
mod progress;
pub mod source;
pub mod store;
mod tarfile;
mod tree;
mod trust;

pub use config::Config;
pub use image::{Error, ErrorKind, Image, ImageConfig, Images, Layer, Resolved, Whole};
pub use layer::{LayerError, LayerProblem};
pub use limits::Limits;
pub use progress::{Event, Progress, Silent};
pub use source::Remote;
pub use store::{Store, StoreLimits};
pub use tarfile::TarError;
pub use tree::{Data, Kind, Node, Tree};

pub use nodeimage_spec::Digest;
