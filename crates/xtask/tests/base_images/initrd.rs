//! A cpio archive in the newc format (the kernel's buffer-format.rst).

use crate::layout::{Node, Tree};

/// Appends every node of `tree` below `place` (empty, or ending in a slash).
pub(crate) fn add(cpio: &mut Vec<u8>, place: &str, tree: &Tree) {
    if !place.is_empty() {
        entry(cpio, place.trim_end_matches('/'), 0o40755, b"");
    }
    for (path, (mode, node)) in tree {
        let path = format!("{place}{path}");
        match node {
            Node::Folder => entry(cpio, &path, 0o40000 | mode, b""),
            Node::File(bytes) => entry(cpio, &path, 0o100_000 | mode, bytes),
            Node::Link(target) => entry(cpio, &path, 0o120_777, target.as_bytes()),
        }
    }
}

pub(crate) fn entry(cpio: &mut Vec<u8>, path: &str, mode: u32, bytes: &[u8]) {
    let ino = u32::try_from(cpio.len()).unwrap();
    let size = u32::try_from(bytes.len()).unwrap();
    let name = u32::try_from(path.len() + 1).unwrap();
    cpio.extend_from_slice(b"070701");
    for field in [ino, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name, 0] {
        cpio.extend_from_slice(format!("{field:08x}").as_bytes());
    }
    cpio.extend_from_slice(path.as_bytes());
    cpio.push(0);
    cpio.resize(cpio.len().next_multiple_of(4), 0);
    cpio.extend_from_slice(bytes);
    cpio.resize(cpio.len().next_multiple_of(4), 0);
}

pub(crate) fn end(cpio: &mut Vec<u8>) {
    entry(cpio, "TRAILER!!!", 0, b"");
}
