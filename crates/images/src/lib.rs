//! OCI images.

mod tree;

pub use tree::{Data, Kind, Node, Tree};
