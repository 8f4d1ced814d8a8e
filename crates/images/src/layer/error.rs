//! What can be wrong with a layer.

use std::io;

use crate::store::StoreError;
use crate::tarfile::TarError;
use nodeimage_spec::Digest;

/// A layer that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("layer {number} ({digest}): {problem}")]
pub struct LayerError {
    /// Its place in the image, from 1.
    pub number: usize,
    /// Its blob.
    pub digest: Digest,
    /// What is wrong.
    pub problem: LayerProblem,
}

/// What is wrong with a layer.
#[derive(Debug, thiserror::Error)]
pub enum LayerProblem {
    /// The source broke off while the blob was read.
    #[error("reading its blob failed: {0}; run it again")]
    Read(io::Error),
    /// The blob is shorter than the manifest says.
    #[error("its blob ends after {got} of {expected} bytes; run it again")]
    Short {
        /// Bytes that came.
        got: u64,
        /// Bytes the manifest promises.
        expected: u64,
    },
    /// The blob is longer than the manifest says.
    #[error("its blob is longer than the {0} bytes its manifest promises")]
    Long(u64),
    /// The blob is not what its digest says.
    #[error("its blob is corrupt: it has the digest {0}; get it anew")]
    Digest(Digest),
    /// The uncompressed tar is not what the configuration says.
    #[error("its content is not what the image's configuration promises ({expected}): {got}")]
    DiffId {
        /// Promised.
        expected: Digest,
        /// Found.
        got: Digest,
    },
    /// It does not decompress.
    #[error("its {codec} data is broken: {error}")]
    Codec {
        /// gzip or zstd.
        codec: &'static str,
        /// Why.
        error: io::Error,
    },
    /// Its media type is none of a layer.
    #[error("its media type {0:?} is not one of a tar layer (plain, gzip or zstd)")]
    MediaType(String),
    /// It is over a limit.
    #[error(
        "{what} exceeds {limit}; if that is right, raise `{key}` in [limits] of nodeimage.toml"
    )]
    Limit {
        /// What.
        what: &'static str,
        /// The limit.
        limit: u64,
        /// The setting that raises it.
        key: &'static str,
    },
    /// Its archive breaks a rule.
    #[error(transparent)]
    Tar(#[from] TarError),
    /// An entry cannot be put into the tree.
    #[error("entry {}: {why}", crate::tarfile::show(path))]
    Entry {
        /// Its path.
        path: Vec<u8>,
        /// Why.
        why: &'static str,
    },
    /// Its index in the store does not parse.
    #[error("its index in the store is damaged; run `nodeimage cache verify`")]
    Index,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Somebody asked to stop.
    #[error("stopped")]
    Cancelled,
}
