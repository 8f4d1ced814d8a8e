//! The files of one image, and their deterministic tar: sorted, root's, one
//! constant time.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::Read;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use tar::{EntryType, Header};

/// What a path is. Bytes are shared, since packages and images both hold them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Folder,
    File(Arc<Vec<u8>>),
    Link(String),
}

/// A path's content and permission bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) mode: u32,
    pub(crate) content: Content,
}

impl Node {
    pub(crate) fn file(mode: u32, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            mode,
            content: Content::File(Arc::new(bytes.into())),
        }
    }

    pub(crate) fn link(target: impl Into<String>) -> Self {
        Self {
            mode: 0o777,
            content: Content::Link(target.into()),
        }
    }

    pub(crate) fn folder(mode: u32) -> Self {
        Self {
            mode,
            content: Content::Folder,
        }
    }
}

/// Paths (no leading slash) to nodes; every parent is present.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tree(BTreeMap<String, Node>);

impl Tree {
    /// Adds a node and the folders above it (0755). The same node twice is
    /// one; two different ones for a path are an error.
    pub(crate) fn add(&mut self, path: &str, node: Node) -> Result<()> {
        if path.is_empty() || path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            bail!("{path:?} is no clean relative path");
        }
        for (end, _) in path.match_indices('/') {
            let parent = self
                .0
                .entry(path[..end].to_owned())
                .or_insert_with(|| Node::folder(0o755));
            if parent.content != Content::Folder {
                bail!("{path} lies below {}, which is no folder", &path[..end]);
            }
        }
        match self.0.entry(path.to_owned()) {
            Entry::Vacant(vacant) => {
                vacant.insert(node);
            }
            // A folder made as a parent takes the mode that is given later.
            Entry::Occupied(mut old)
                if old.get().content == Content::Folder && node.content == Content::Folder =>
            {
                old.insert(node);
            }
            Entry::Occupied(old) if *old.get() == node => {}
            Entry::Occupied(_) => bail!("two different nodes for {path}"),
        }
        Ok(())
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Node> {
        self.0.get(path)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.0.iter().map(|(path, node)| (path.as_str(), node))
    }

    /// The tree as a tar archive.
    pub(crate) fn to_tar(&self) -> Result<Vec<u8>> {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, node) in &self.0 {
            append(&mut tar, path, node).with_context(|| format!("cannot archive {path}"))?;
        }
        tar.into_inner().context("cannot end the archive")
    }
}

fn append(tar: &mut tar::Builder<Vec<u8>>, path: &str, node: &Node) -> std::io::Result<()> {
    let mut header = Header::new_ustar();
    header.set_mode(node.mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    match &node.content {
        Content::Folder => {
            header.set_entry_type(EntryType::Directory);
            header.set_size(0);
            tar.append_data(&mut header, format!("{path}/"), std::io::empty())
        }
        Content::File(bytes) => {
            header.set_entry_type(EntryType::Regular);
            header.set_size(bytes.len() as u64);
            tar.append_data(&mut header, path, bytes.as_slice())
        }
        Content::Link(target) => {
            header.set_entry_type(EntryType::Symlink);
            header.set_size(0);
            tar.append_link(&mut header, path, target)
        }
    }
}

/// Reads every node of a tar archive; a hard link becomes a second file.
pub(crate) fn read_tar(input: impl Read) -> Result<Vec<(String, Node)>> {
    let mut archive = tar::Archive::new(input);
    let mut nodes: Vec<(String, Node)> = Vec::new();
    for entry in archive.entries().context("cannot read the archive")? {
        let mut entry = entry.context("cannot read the archive")?;
        let path = clean(&entry.path_bytes())?;
        let header = entry.header();
        let mode = header.mode().context("an entry without mode")? & 0o7777;
        let target = entry.link_name_bytes().map(|name| name.into_owned());
        let node = match header.entry_type() {
            EntryType::Directory if path.is_empty() => continue,
            EntryType::Directory => Node::folder(mode),
            EntryType::Regular => {
                let mut bytes = Vec::new();
                entry
                    .read_to_end(&mut bytes)
                    .with_context(|| format!("cannot read {path}"))?;
                Node::file(mode, bytes)
            }
            EntryType::Symlink => {
                Node::link(String::from_utf8(target.unwrap_or_default()).context("odd link")?)
            }
            EntryType::Link => {
                let target = clean(&target.unwrap_or_default())?;
                match nodes.iter().find(|(path, _)| *path == target) {
                    Some((_, node)) => node.clone(),
                    None => bail!("{path} is a hard link to {target}, which comes later"),
                }
            }
            other => bail!("{path} is of the unexpected kind {other:?}"),
        };
        nodes.push((path, node));
    }
    Ok(nodes)
}

/// `./usr/bin/` → `usr/bin`
fn clean(path: &[u8]) -> Result<String> {
    let path = std::str::from_utf8(path).context("a path that is not UTF-8")?;
    Ok(path
        .trim_start_matches("./")
        .trim_end_matches('/')
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Tree {
        let mut tree = Tree::default();
        tree.add("usr/bin/tool", Node::file(0o755, "#!")).unwrap();
        tree.add("root/.ssh", Node::folder(0o700)).unwrap();
        tree.add("bin/tool", Node::link("../usr/bin/tool")).unwrap();
        tree
    }

    #[test]
    fn a_tree_survives_its_tar() {
        let tar = sample().to_tar().unwrap();
        let back = read_tar(tar.as_slice()).unwrap();
        let mut again = Tree::default();
        for (path, node) in &back {
            again.add(path, node.clone()).unwrap();
        }
        assert_eq!(again, sample());
        let paths: Vec<&str> = back.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "bin",
                "bin/tool",
                "root",
                "root/.ssh",
                "usr",
                "usr/bin",
                "usr/bin/tool"
            ]
        );
    }

    #[test]
    fn order_of_adding_does_not_show() {
        let mut other = Tree::default();
        other
            .add("bin/tool", Node::link("../usr/bin/tool"))
            .unwrap();
        other.add("root/.ssh", Node::folder(0o700)).unwrap();
        other.add("usr/bin/tool", Node::file(0o755, "#!")).unwrap();
        assert_eq!(other.to_tar().unwrap(), sample().to_tar().unwrap());
    }

    #[test]
    fn conflicts_and_odd_paths_are_refused() {
        let mut tree = sample();
        tree.add("bin/tool", Node::link("../usr/bin/tool")).unwrap();
        assert!(tree.add("bin/tool", Node::link("elsewhere")).is_err());
        assert!(tree.add("bin/tool/x", Node::folder(0o755)).is_err());
        for path in ["", "/a", "a/../b", "a//b", "./a"] {
            assert!(tree.add(path, Node::folder(0o755)).is_err(), "{path}");
        }
    }
}
