//! Segments: the files of one component as one cpio archive in one compressed frame.
//!
//! A segment is made once and kept in the store under the digest of what decides its bytes. Beside
//! it stand the hashes of its 512 KiB blocks, so that a disk's block map needs no content, and the
//! extended attributes that a cpio cannot carry.

mod codec;
mod cpio;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use nodeimage_images::{Kind, Tree};
use serde::{Deserialize, Serialize};

pub use codec::{Codec, Encoder};
pub use cpio::{archive_len, write as write_cpio};

/// Why a segment could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SegmentError {
    /// The path exceeds what the kernel unpacks.
    #[error("path `{path:.80}…` is longer than the kernel's 4095 bytes")]
    PathTooLong {
        /// The path.
        path: String,
    },
    /// A cpio header has 32 bits for the length.
    #[error("file `{path}` has {len} bytes; an initrd cannot hold files of 4 GiB and more")]
    FileTooLarge {
        /// The path.
        path: String,
        /// Its length in bytes.
        len: u64,
    },
    /// A hard link without its file.
    #[error(
        "hard link `{path}` leads to `{target}`, which is no regular file of the same component"
    )]
    DanglingLink {
        /// The link.
        path: String,
        /// Where it leads.
        target: String,
    },
    /// A layer in the store cannot be read.
    #[error("cannot read `{path}` of the store")]
    Read {
        /// The stored file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The segment cannot be written.
    #[error("cannot write the segment")]
    Write(#[source] io::Error),
}

/// Extended attributes by path: what init restores after the kernel has unpacked the cpio.
pub type Xattrs = BTreeMap<String, BTreeMap<String, String>>;

/// What is kept beside a segment in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentFacts {
    /// Length of the cpio archive in bytes.
    pub unpacked: u64,
    /// Attributes to restore: path → name → value, each in hex (they are bytes, not text).
    #[serde(default, skip_serializing_if = "Xattrs::is_empty")]
    pub xattrs: Xattrs,
}

/// Writes `tree` as a segment to `out`.
pub fn make(tree: &Tree, codec: Codec, out: impl Write) -> Result<SegmentFacts, SegmentError> {
    let unpacked = archive_len(tree)?;
    let mut encoder = codec.encoder(out, unpacked).map_err(SegmentError::Write)?;
    write_cpio(tree, &mut encoder)?;
    encoder.finish().map_err(SegmentError::Write)?;
    Ok(SegmentFacts {
        unpacked,
        xattrs: xattrs_of(tree),
    })
}

fn xattrs_of(tree: &Tree) -> Xattrs {
    tree.iter()
        .filter(|(_, node)| !node.xattrs.is_empty() && !matches!(node.kind, Kind::HardLink(_)))
        .map(|(path, node)| {
            let attributes = node
                .xattrs
                .iter()
                .map(|(name, value)| (hex::encode(name), hex::encode(value)));
            (hex::encode(path), attributes.collect())
        })
        .collect()
}

/// Encodes attributes as `/etc/nodeimage/xattrs`: magic `NIXATTR1`, then per path its length (u32,
/// little-endian), the path, the number of attributes, and per attribute name and value, each
/// behind its length.
pub fn encode_xattrs<'a>(
    all: impl IntoIterator<Item = (&'a str, &'a BTreeMap<String, String>)>,
) -> Vec<u8> {
    fn put(out: &mut Vec<u8>, hexed: &str) {
        let bytes = hex::decode(hexed).unwrap_or_default();
        out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        out.extend_from_slice(&bytes);
    }
    let mut out = b"NIXATTR1".to_vec();
    for (path, attributes) in all {
        put(&mut out, path);
        out.extend_from_slice(&(attributes.len() as u32).to_le_bytes());
        for (name, value) in attributes {
            put(&mut out, name);
            put(&mut out, value);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use nodeimage_images::{Data, Node};

    use super::*;

    #[test]
    fn attributes_travel_beside_the_archive() {
        let mut node = Node {
            kind: Kind::File(Data::Bytes(b"x".as_slice().into())),
            mode: 0o755,
            uid: 0,
            gid: 0,
            mtime: 0,
            xattrs: BTreeMap::new(),
        };
        node.xattrs
            .insert(b"security.capability".to_vec(), vec![1, 0, 0, 2]);
        let tree = Tree::from([(b"bin/ping".to_vec(), node)]);
        let facts = make(&tree, Codec::Zstd, io::sink()).unwrap();
        let encoded = encode_xattrs(facts.xattrs.iter().map(|(p, a)| (p.as_str(), a)));
        let expected = [
            b"NIXATTR1".as_slice(),
            &8u32.to_le_bytes(),
            b"bin/ping",
            &1u32.to_le_bytes(),
            &19u32.to_le_bytes(),
            b"security.capability",
            &4u32.to_le_bytes(),
            &[1, 0, 0, 2],
        ]
        .concat();
        assert_eq!(encoded, expected);
    }
}
