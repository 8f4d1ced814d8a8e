//! The buckets of the store: one per kind of entry, versioned by their names.

/// A kind of entry. Whoever changes what a bucket's entries look like raises the number in its
/// name; old buckets age out of the store like everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bucket {
    /// Indexes, manifests and image configurations. Key: their digest. Data: the document's bytes.
    /// Meta: its media type, or nothing for a configuration.
    Manifests,
    /// Layers. Key: diff_id. Data: the uncompressed tar. Meta: the index of its entries.
    Layers,
    /// Segments of an initrd. Key: digest of everything that went in. Data: the compressed cpio,
    /// with block hashes. Meta: the builder's.
    Segments,
    /// Parts of disks (UKI pieces, file systems). Key: digest of everything that went in. Data:
    /// the part, with block hashes. Meta: the builder's.
    Images,
    /// Journals of uploads. Key: digest of (image, target). Data: the uploader's; replaced as the
    /// upload advances.
    Journal,
    /// Locked specs. Key: the image id. Data: the canonical JSON, whose sha256 the key is.
    Specs,
    /// Blobs as registries have them. Key: their digest. Data: the blob.
    Blobs,
    /// Signatures that held. Key: digest of (image, public key). Data: the signature as it was found;
    /// it is verified each time it is used.
    Signatures,
}

impl Bucket {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Manifests,
        Self::Layers,
        Self::Segments,
        Self::Images,
        Self::Journal,
        Self::Specs,
        Self::Blobs,
        Self::Signatures,
    ];

    /// Name of its directory.
    pub const fn dir(self) -> &'static str {
        match self {
            Self::Manifests => "manifests-v1",
            Self::Layers => "layers-v1",
            Self::Segments => "segments-v1",
            Self::Images => "images-v1",
            Self::Journal => "journal-v1",
            Self::Specs => "specs-v1",
            Self::Blobs => "blobs-v1",
            Self::Signatures => "signatures-v1",
        }
    }
}
