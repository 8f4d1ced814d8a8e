//! Where images come from: registries behind [`Remote`], and files on this machine that look the
//! same.

mod archive;
mod attached;
mod docker;
mod error;
mod layout;
mod lookup;
mod name;
mod registry;

pub use error::{SourceError, SourceErrorKind};

pub(crate) use lookup::Sources;
pub(crate) use name::Name;

use std::io::Read;

use nodeimage_spec::Digest;

/// Where the blobs and manifests of a reference come from. References are expanded
/// (`docker.io/library/nginx:1.22`). What is returned is not trusted: the caller checks digests
/// and sizes.
pub trait Remote: Send + Sync {
    /// The digest behind a reference's tag.
    fn resolve(&self, reference: &str) -> Result<Digest, SourceError>;

    /// An index or manifest, at most [`MANIFEST_BYTES`](crate::limits::MANIFEST_BYTES) long: its
    /// media type, empty when the source does not know it, and its bytes.
    fn manifest(&self, reference: &str, digest: &Digest) -> Result<(String, Vec<u8>), SourceError>;

    /// A blob of `size` bytes, from its start.
    fn blob(
        &self,
        reference: &str,
        digest: &Digest,
        size: u64,
    ) -> Result<Box<dyn Read + Send>, SourceError>;

    /// The manifests that may hold signatures of the index or manifest `digest`: those behind
    /// cosign's tag `sha256-<hex>.sig` and those that refer to it. None when there are none; their
    /// blobs are read by [`Remote::blob`]. A source that keeps no signatures says so by an error.
    fn attached(&self, reference: &str, digest: &Digest) -> Result<Vec<Vec<u8>>, SourceError> {
        let why = format!("it keeps no signatures of {digest}");
        Err(SourceError::new(reference, SourceErrorKind::Malformed(why)))
    }
}
