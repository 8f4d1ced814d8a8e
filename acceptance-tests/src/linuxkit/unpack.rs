//! Unpacking in memory: names and the files they name, so that hard links are what they are.

use std::collections::BTreeMap;

use super::listing::{Entry, Listing, escape};

/// Where an entry comes from.
pub(super) type Origin = Option<(String, String)>;

#[derive(Default)]
struct Inode {
    entry: Entry,
    content: Option<Vec<u8>>,
}

/// A tree in the making.
#[derive(Default)]
pub(super) struct Unpacked {
    inodes: Vec<Inode>,
    names: BTreeMap<Vec<u8>, (usize, Origin)>,
}

impl Unpacked {
    /// Puts a new node at a path, whatever is there; `content` is a regular file's.
    pub(super) fn put(&mut self, path: &[u8], entry: Entry, content: Option<Vec<u8>>) {
        let origin = entry.origin.clone();
        self.inodes.push(Inode { entry, content });
        let inode = self.inodes.len() - 1;
        self.names.insert(clean(path), (inode, origin));
    }

    /// As the kernel does with a file: one that is there is written over, with all its names.
    pub(super) fn write(&mut self, path: &[u8], entry: Entry, content: Vec<u8>) {
        let there = self.names.get(&clean(path)).map(|(inode, _)| *inode);
        match there.and_then(|inode| self.inodes.get_mut(inode)) {
            Some(inode) if inode.content.is_some() => {
                inode.entry = entry;
                inode.content = Some(content);
            }
            _ => self.put(path, entry, Some(content)),
        }
    }

    /// Another name for a file; whether the file is there.
    pub(super) fn link(&mut self, path: &[u8], target: &[u8], origin: Origin) -> bool {
        let Some((inode, _)) = self.names.get(&clean(target)) else {
            return false;
        };
        self.names.insert(clean(path), (*inode, origin));
        true
    }

    /// Of a file with several names the first in order is the file, the others are its links.
    pub(super) fn listing(self) -> Listing {
        let mut listing = Listing::default();
        let mut first: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
        for (path, (number, origin)) in self.names {
            let Some(inode) = self.inodes.get(number) else {
                continue;
            };
            let mut entry = Entry {
                origin,
                ..inode.entry.clone()
            };
            match (&inode.content, first.get(&number)) {
                (Some(_), Some(file)) => {
                    entry.kind = "hardlink".to_owned();
                    entry.data = escape(file);
                    listing.add(&path, entry);
                }
                (Some(content), None) => {
                    listing.add_file(&path, entry, content);
                    first.insert(number, path);
                }
                (None, _) => listing.add(&path, entry),
            }
        }
        listing
    }
}

/// Without `./` in front, a slash or `/.` at the end; the root is `.`.
fn clean(path: &[u8]) -> Vec<u8> {
    let mut path = path;
    while let Some(rest) = path.strip_prefix(b"./") {
        path = rest;
    }
    while let Some(rest) = path.strip_suffix(b"/").or(path.strip_suffix(b"/.")) {
        path = rest;
    }
    if path.is_empty() {
        b".".to_vec()
    } else {
        path.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(listing: &Listing, path: &str) -> (String, String) {
        let entry = &listing.entries[path];
        (entry.kind.clone(), entry.data.clone())
    }

    #[test]
    fn a_tar_replaces_and_a_kernel_writes_over() {
        let unpack = |kernel: bool| {
            let mut tree = Unpacked::default();
            tree.put(b"./b", Entry::default(), Some(b"old".to_vec()));
            assert!(tree.link(b"c/", b"b", None) && tree.link(b"a", b"c", None));
            assert!(!tree.link(b"d", b"none", None));
            if kernel {
                tree.write(b"b", Entry::default(), b"new!".to_vec());
            } else {
                tree.put(b"b", Entry::default(), Some(b"new!".to_vec()));
            }
            tree.listing()
        };
        let link = |to: &str| ("hardlink".to_owned(), to.to_owned());
        let tar = unpack(false);
        assert!(data(&tar, "a").1.starts_with("3:") && data(&tar, "b").1.starts_with("4:"));
        assert_eq!(data(&tar, "c"), link("a"));
        let kernel = unpack(true);
        assert!(data(&kernel, "a").1.starts_with("4:"));
        assert_eq!(
            (data(&kernel, "b"), data(&kernel, "c")),
            (link("a"), link("a"))
        );
    }
}
