//! Layers: a blob streams in, and in one pass it is checked, decompressed, stored as a plain tar
//! and indexed (OCI image specification, "Image Layer Filesystem Changeset").

mod blob;
mod codec;
mod error;
mod index;
mod tee;
mod unpack;

pub use error::{LayerError, LayerProblem};

pub(crate) use blob::BlobReader;
pub(crate) use index::{IndexReader, IndexWriter};
pub(crate) use unpack::{Unpack, unpack};
