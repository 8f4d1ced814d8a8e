//! Segments: the files of one component as one cpio archive in one compressed frame.
//!
//! A segment is made once and kept in the store under the digest of what decides its bytes. Beside
//! it stand the hashes of its 512 KiB blocks, so that a disk's block map needs no content, and the
//! extended attributes that a cpio cannot carry.

mod codec;
mod cpio;
mod lz4;
mod pieces;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::PathBuf;

use nodeimage_images::{Kind, Tree};
use serde::{Deserialize, Serialize};

pub use codec::{Codec, Encoder};
pub use cpio::{archive_len, write as write_cpio};
pub use lz4::Legacy;
pub use pieces::Pieces;

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
    #[error(
        "file `{path}` has {len} bytes, and an initrd cannot hold files of 4 GiB and more (cpio has \
         32 bits for a length); leave it out of the image, or fetch it at run time"
    )]
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
    /// The kernel takes this name for the archive's end, and drops the file.
    #[error("the file `TRAILER!!!` cannot be in an initrd; rename it in its image")]
    Trailer,
    /// The kernel drops such links without a word.
    #[error("the target of the symbolic link `{path}` has {len} bytes; the kernel takes 1 to 4095")]
    Target {
        /// The link.
        path: String,
        /// Length of its target in bytes.
        len: usize,
    },
    /// They would have to be kept in memory.
    #[error(
        "its files have more than {} MiB of extended attributes; leave them out of the image",
        MAX_XATTRS >> 20
    )]
    Xattrs,
    /// They would have to be kept in memory.
    #[error(
        "the names of its files with several names have more than {} MiB; use fewer hard links",
        MAX_LINKED >> 20
    )]
    Links,
    /// A layer in the store cannot be read.
    #[error("cannot read `{}` of the store", path.display())]
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

/// Most bytes of attributes with their names and paths, in one segment and in all.
pub const MAX_XATTRS: usize = 16 << 20;

/// Most bytes of names of files with several names, in one segment.
pub const MAX_LINKED: usize = 16 << 20;

/// What tmpfs takes for an entry besides its content, in bytes; content takes whole pages.
const ENTRY: u64 = 1024;
const PAGE: u64 = 4096;

/// Extended attributes by path: what init restores after the kernel has unpacked the cpio.
pub type Xattrs = BTreeMap<String, BTreeMap<String, String>>;

/// What is kept beside a segment in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentFacts {
    /// Memory the unpacked files take, in bytes.
    pub memory: u64,
    /// Length of the longest file in bytes.
    pub largest: u64,
    /// The paths of files with several names, in hex (they are bytes, not text).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub linked: Vec<String>,
    /// Attributes to restore: path → name → value, each in hex (they are bytes, not text).
    #[serde(default, skip_serializing_if = "Xattrs::is_empty")]
    pub xattrs: Xattrs,
}

/// Writes `tree` as a segment to `out`.
pub fn make(tree: &Tree, codec: Codec, out: impl Write) -> Result<SegmentFacts, SegmentError> {
    let len = archive_len(tree)?;
    let mut facts = SegmentFacts {
        linked: linked(tree)?,
        xattrs: xattrs_of(tree)?,
        ..SegmentFacts::default()
    };
    for node in tree.values() {
        facts.memory = facts.memory.saturating_add(ENTRY);
        if let Kind::File(data) = &node.kind {
            let pages = data.len().checked_next_multiple_of(PAGE);
            facts.memory = facts.memory.saturating_add(pages.unwrap_or(u64::MAX));
            facts.largest = facts.largest.max(data.len());
        }
    }
    let mut encoder = codec.encoder(out, len).map_err(SegmentError::Write)?;
    write_cpio(tree, &mut encoder)?;
    encoder.finish().map_err(SegmentError::Write)?;
    Ok(facts)
}

fn linked(tree: &Tree) -> Result<Vec<String>, SegmentError> {
    let mut linked = BTreeSet::new();
    for (path, node) in tree {
        if let Kind::HardLink(target) = &node.kind {
            linked.extend([path.as_slice(), target.as_slice()]);
        }
    }
    if linked.iter().map(|path| path.len()).sum::<usize>() > MAX_LINKED {
        return Err(SegmentError::Links);
    }
    Ok(linked.into_iter().map(hex::encode).collect())
}

fn xattrs_of(tree: &Tree) -> Result<Xattrs, SegmentError> {
    let mut all = Xattrs::new();
    let mut len = 0usize;
    for (path, node) in tree {
        // Those of a hard link are its file's.
        if node.xattrs.is_empty() || matches!(node.kind, Kind::HardLink(_)) {
            continue;
        }
        let attributes = node.xattrs.iter();
        len += path.len()
            + attributes
                .clone()
                .map(|(n, v)| n.len() + v.len())
                .sum::<usize>();
        if len > MAX_XATTRS {
            return Err(SegmentError::Xattrs);
        }
        let attributes = attributes.map(|(name, value)| (hex::encode(name), hex::encode(value)));
        all.insert(hex::encode(path), attributes.collect());
    }
    Ok(all)
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

    fn file(len: usize) -> Node {
        Node {
            kind: Kind::File(Data::Bytes(vec![b'x'; len].into())),
            mode: 0o755,
            uid: 0,
            gid: 0,
            mtime: 0,
            xattrs: BTreeMap::new(),
        }
    }

    #[test]
    fn what_is_known_of_the_unpacked_files() {
        let mut link = file(0);
        link.kind = Kind::HardLink(b"b".to_vec());
        link.xattrs.insert(b"user.x".to_vec(), vec![1]);
        let tree = Tree::from([
            (b"a".to_vec(), link),
            (b"b".to_vec(), file(4097)),
            (b"c".to_vec(), file(1)),
            (b"d".to_vec(), file(0)),
        ]);
        let facts = make(&tree, Codec::None, io::sink()).unwrap();
        assert_eq!(facts.memory, 4 * 1024 + 8192 + 4096);
        assert_eq!(facts.largest, 4097);
        assert_eq!(facts.linked, ["61", "62"]);
        assert!(facts.xattrs.is_empty());
        let json = serde_json::to_vec(&facts).unwrap();
        assert_eq!(
            serde_json::from_slice::<SegmentFacts>(&json).unwrap(),
            facts
        );
    }

    #[test]
    fn attributes_are_bounded() {
        let mut node = file(0);
        node.xattrs
            .insert(b"user.x".to_vec(), vec![0; MAX_XATTRS / 256]);
        let tree: Tree = (0..256)
            .map(|at| (format!("{at}").into(), node.clone()))
            .collect();
        let error = make(&tree, Codec::None, io::sink()).unwrap_err();
        assert!(error.to_string().contains("16 MiB"), "{error}");
    }

    #[test]
    fn attributes_travel_beside_the_archive() {
        let mut node = file(1);
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
