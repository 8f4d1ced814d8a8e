//! The canonical disk.

mod extents;

pub use extents::{BLOCK, Content, Extent, Extents, Sha256, StoredFile};
