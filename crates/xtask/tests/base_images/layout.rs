//! Reads images back as any other program would: by digest, from the layout.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

/// One path of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Folder,
    File(Vec<u8>),
    Link(String),
}

pub(crate) type Tree = BTreeMap<String, (u32, Node)>;

/// An image's tree and its config.
pub(crate) fn read(layout: &Path, reference: &str) -> (Tree, Value) {
    let text = std::fs::read(layout.join("index.json")).unwrap();
    let top: Value = serde_json::from_slice(&text).unwrap();
    let named = top["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["annotations"]["org.opencontainers.image.ref.name"] == reference)
        .unwrap_or_else(|| panic!("no image {reference}"));
    let index = json(layout, named);
    let one = &index["manifests"][0];
    assert_eq!(one["platform"]["architecture"], "amd64");
    let manifest = json(layout, one);
    let packed = blob(layout, &manifest["layers"][0]);
    let mut tar = Vec::new();
    flate2::read::GzDecoder::new(packed.as_slice())
        .read_to_end(&mut tar)
        .unwrap();
    (untar(&tar), json(layout, &manifest["config"]))
}

fn json(layout: &Path, descriptor: &Value) -> Value {
    serde_json::from_slice(&blob(layout, descriptor)).unwrap()
}

fn blob(layout: &Path, descriptor: &Value) -> Vec<u8> {
    let digest = descriptor["digest"].as_str().unwrap().replace(':', "/");
    std::fs::read(layout.join("blobs").join(digest)).unwrap()
}

pub(crate) fn untar(tar: &[u8]) -> Tree {
    let mut tree = Tree::new();
    let mut archive = tar::Archive::new(tar);
    let mut before = String::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry
            .path()
            .unwrap()
            .to_str()
            .unwrap()
            .trim_end_matches('/')
            .to_owned();
        let header = entry.header();
        assert_eq!(
            (
                header.uid().unwrap(),
                header.gid().unwrap(),
                header.mtime().unwrap()
            ),
            (0, 0, 0),
            "{path}"
        );
        assert!(before < path, "{before} comes before {path}");
        before.clone_from(&path);
        let mode = header.mode().unwrap();
        let node = match header.entry_type() {
            tar::EntryType::Directory => Node::Folder,
            tar::EntryType::Symlink => Node::Link(
                entry
                    .link_name()
                    .unwrap()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned(),
            ),
            tar::EntryType::Regular => {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).unwrap();
                Node::File(bytes)
            }
            other => panic!("{path}: {other:?}"),
        };
        tree.insert(path, (mode, node));
    }
    tree
}

pub(crate) fn file<'a>(tree: &'a Tree, path: &str) -> &'a [u8] {
    match tree.get(path) {
        Some((_, Node::File(bytes))) => bytes,
        other => panic!("{path} is {other:?}"),
    }
}
