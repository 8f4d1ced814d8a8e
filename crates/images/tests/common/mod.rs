//! Fixtures: layers and OCI layouts, made in the test.
#![allow(dead_code, unused_imports, unreachable_pub, missing_docs)]

pub mod child;
pub mod layout;
pub mod tar;

use std::collections::BTreeMap;
use std::path::Path;

use nodeimage_images::config::Source;
use nodeimage_images::{Config, Data, Images, Kind, Store, StoreLimits, Tree};

pub use layout::{Codec, Layout};
pub use tar::Tar;

pub const REFERENCE: &str = "docker.io/library/test:1";

/// Images below `docker.io`, read from the layout in `dir`; the store is beside it.
pub fn images(dir: &Path) -> Images {
    Images::new(
        store(dir),
        &config("docker.io", Source::Oci(dir.join("layout"))),
        None,
    )
}

pub fn store(dir: &Path) -> Store {
    Store::open(dir.join("store"), StoreLimits::default()).unwrap()
}

pub fn config(prefix: &str, source: Source) -> Config {
    let sources = BTreeMap::from([(prefix.to_owned(), source)]);
    Config {
        sources,
        ..Config::default()
    }
}

/// The tree of an image with these layers, all uncompressed.
pub fn tree_of(layers: Vec<Vec<u8>>) -> Result<Tree, nodeimage_images::Error> {
    let dir = tempfile::tempdir().unwrap();
    let mut layout = Layout::create(dir.path().join("layout"));
    let digest = layout.image(REFERENCE, "amd64", layers, Codec::Plain);
    let images = images(dir.path());
    let tree = images.tree(&images.open(REFERENCE, &digest, "amd64")?)?;
    // What the tree points at is there as long as the directory is: read it now.
    Ok(tree
        .into_iter()
        .map(|(path, node)| (path, loaded(node)))
        .collect())
}

fn loaded(mut node: nodeimage_images::Node) -> nodeimage_images::Node {
    if let Kind::File(data) = &node.kind {
        node.kind = Kind::File(Data::Bytes(data.read(1 << 20).unwrap().into()));
    }
    node
}

/// A line per node, for comparison.
pub fn show(tree: &Tree) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let line = |(path, node): (&Vec<u8>, &nodeimage_images::Node)| {
        let kind = match &node.kind {
            Kind::Dir => "dir".to_owned(),
            Kind::File(data) => format!("file {}", text(&data.read(1 << 20).unwrap())),
            Kind::Symlink(target) => format!("-> {}", text(target)),
            Kind::HardLink(target) => format!("= {}", text(target)),
            Kind::Char { major, minor } => format!("char {major}:{minor}"),
            Kind::Block { major, minor } => format!("block {major}:{minor}"),
            Kind::Fifo => "fifo".to_owned(),
        };
        format!("{} {kind}", text(path))
    };
    tree.iter().map(line).collect()
}
