//! Small trees and images for the tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use nodeimage_images::{Data, Kind, Node, Tree};

use super::{BoxError, ImageFacts, ImageInfo, Layout, RootFacts, Trees};

/// A node of a test tree: owner 5:6, time 7.
#[derive(Clone, Copy, Debug)]
pub(super) enum Entry {
    Dir(u32),
    File(&'static str),
    Link(&'static str),
    Hard(&'static str),
    Char(u32, u32),
}

pub(super) fn tree(entries: &[(&str, Entry)]) -> Tree {
    entries
        .iter()
        .map(|(path, entry)| (path.trim_end_matches('/').into(), node(*entry)))
        .collect()
}

fn node(entry: Entry) -> Node {
    let (kind, mode) = match entry {
        Entry::Dir(mode) => (Kind::Dir, mode),
        Entry::File(text) => (Kind::File(Data::Bytes(Arc::from(text.as_bytes()))), 0o640),
        Entry::Link(target) => (Kind::Symlink(target.into()), 0o777),
        Entry::Hard(target) => (Kind::HardLink(target.into()), 0o640),
        Entry::Char(major, minor) => (Kind::Char { major, minor }, 0o666),
    };
    Node {
        kind,
        mode,
        uid: 5,
        gid: 6,
        mtime: 7,
        xattrs: BTreeMap::new(),
    }
}

pub(super) fn names(tree: &Tree) -> Vec<String> {
    tree.keys()
        .map(|path| String::from_utf8(path.clone()).unwrap())
        .collect()
}

pub(super) fn text(tree: &Tree, path: &str) -> String {
    match &tree[path.as_bytes()].kind {
        Kind::File(data) => String::from_utf8(data.read(1 << 20).unwrap()).unwrap(),
        other => panic!("{path} is {other:?}"),
    }
}

/// Images by reference; `tars` are the trees of tars by their first bytes.
#[derive(Debug, Default)]
pub(super) struct Images {
    trees: BTreeMap<String, Tree>,
    pub(super) infos: BTreeMap<String, ImageInfo>,
    pub(super) tars: BTreeMap<Vec<u8>, Tree>,
}

impl Images {
    pub(super) fn trees_of(&self, reference: &str) -> Tree {
        self.trees[reference].clone()
    }

    pub(super) fn add(&mut self, reference: &str, tree: Tree) {
        self.trees.insert(reference.to_owned(), tree);
        let manifest = format!("sha256:{reference}");
        self.infos.insert(
            reference.to_owned(),
            ImageInfo {
                manifest,
                ..ImageInfo::default()
            },
        );
    }
}

impl ImageFacts for Images {
    fn info(&self, reference: &str) -> Option<&ImageInfo> {
        self.infos.get(reference)
    }

    fn root(&self, reference: &str) -> Result<RootFacts, BoxError> {
        self.tree(reference).map(|tree| RootFacts::of(&tree))
    }
}

impl Trees for Images {
    fn entries(&self, _: &str) -> Result<u64, BoxError> {
        Ok(1)
    }

    fn tree(&self, reference: &str) -> Result<Tree, BoxError> {
        self.trees
            .get(reference)
            .cloned()
            .ok_or_else(|| "no such image".into())
    }

    fn tar_tree(&self, tar: &Data, name: &str) -> Result<Tree, BoxError> {
        let bytes = tar.read(1 << 20)?;
        self.tars
            .get(&bytes)
            .cloned()
            .ok_or_else(|| format!("{name}: not a tar").into())
    }

    fn layout(&self, reference: &str, platforms: &[String]) -> Result<Layout, BoxError> {
        let index = format!("{reference} {platforms:?}").into_bytes();
        Ok(Layout {
            index: nodeimage_images::Data::Bytes(index.into()),
            digest: [9; 32],
            blobs: BTreeMap::new(),
        })
    }
}
