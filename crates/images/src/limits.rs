//! How much an image may cost. Every limit has an error that names it.

/// Longest document of an image index or manifest, in bytes.
pub const MANIFEST_BYTES: u64 = 4 << 20;

/// Longest image configuration, in bytes.
pub const CONFIG_BYTES: u64 = 8 << 20;

/// Longest path of an entry and longest target of a link, in bytes (Linux's PATH_MAX).
pub const PATH_BYTES: usize = 4096;

/// Longest name of one path component, in bytes (Linux's NAME_MAX).
pub const NAME_BYTES: usize = 255;

/// Most components of a path: deep enough for every real image, shallow enough that a million
/// hostile entries stay cheap.
pub const PATH_DEPTH: usize = 256;

/// Longest extended header (PAX records, GNU long names) of one tar entry, in bytes.
pub const EXTENDED_HEADER_BYTES: u64 = 1 << 20;

/// Limits a user may raise, in `[limits]` of `nodeimage.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of one uncompressed layer.
    pub layer_bytes: u64,
    /// How many times larger than its compressed form a layer may become once it is over
    /// [`Limits::RATIO_FROM`] bytes.
    pub layer_ratio: u64,
    /// Most entries of all layers of an image together, and most nodes of its tree.
    pub entries: u64,
    /// Most bytes of paths, link targets and xattrs in one layer's index, and in a tree.
    pub name_bytes: u64,
}

impl Limits {
    /// Layers up to this many bytes may be compressed as well as they like.
    pub const RATIO_FROM: u64 = 256 << 20;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            layer_bytes: 64 << 30,
            layer_ratio: 200,
            // Their tree stays below 256 MiB.
            entries: 500_000,
            name_bytes: 48 << 20,
        }
    }
}
