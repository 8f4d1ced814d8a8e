//! Generated nodes: root's, with LinuxKit's constant time.

use std::collections::BTreeMap;
use std::sync::Arc;

use nodeimage_images::{Data, Kind, Node, Tree};

/// The time of every generated entry: 2017-04-18T16:30:00Z.
pub const MTIME: i64 = 1_492_533_000;

fn node(kind: Kind, mode: u32) -> Node {
    Node {
        kind,
        mode,
        uid: 0,
        gid: 0,
        mtime: MTIME,
        xattrs: BTreeMap::new(),
    }
}

/// A directory, 0755.
pub(super) fn dir() -> Node {
    node(Kind::Dir, 0o755)
}

/// A regular file, 0644.
pub(super) fn file(bytes: impl Into<Arc<[u8]>>) -> Node {
    data(Data::Bytes(bytes.into()), 0o644)
}

/// A regular file.
pub(super) fn data(data: Data, mode: u32) -> Node {
    node(Kind::File(data), mode)
}

/// A symbolic link; its mode means nothing to a kernel, but stands in a tar.
pub(super) fn symlink(target: &str, mode: u32) -> Node {
    node(Kind::Symlink(target.as_bytes().to_vec()), mode)
}

/// Adds the directory at `path` and all above it that are not there yet.
pub(super) fn add_dirs(tree: &mut Tree, path: &[u8]) {
    add_parents(tree, path);
    tree.entry(path.to_vec()).or_insert_with(dir);
}

/// Adds the directories above `path` that are not there yet.
pub(super) fn add_parents(tree: &mut Tree, path: &[u8]) {
    for parent in super::path::parents(path) {
        if !tree.contains_key(parent) {
            tree.insert(parent.to_vec(), dir());
        }
    }
}
