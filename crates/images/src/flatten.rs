//! Layers into one tree (OCI image specification, "Applying Changesets").
//!
//! Decisions where the specification is silent or tools differ:
//! - Whiteouts and opaque markers of a layer hide what lower layers hold, never the layer's own
//!   entries, wherever they stand in it.
//! - A parent that is a symbolic link is followed as an unpacker inside the root would: absolute
//!   targets start at the root, `..` stops there; more than 40 links are a loop and refused.
//!   The last component is never followed. An unpacker without a root of its own would write
//!   through such a link to wherever it points; here nothing is outside.
//! - A parent that is neither a directory nor a link is refused; a missing one is made, 0755 and
//!   root's.
//! - A hard link to a symbolic link, device or pipe makes a copy of it, to itself does nothing, to
//!   a directory or a missing name is refused. The first name in byte order is the file.
//! - `.wh..wh.NAME` other than the opaque marker is bookkeeping of aufs and dropped.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use nodeimage_disk::StoredFile;

use crate::layer::LayerProblem;
use crate::limits::{Limits, PATH_BYTES};
use crate::tarfile::{Entry, EntryKind};
use crate::tree::{Data, Kind, Node, Tree};

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
const MAX_LINKS: u32 = 40;
/// Components looked up through links in one image: far more than any real one needs.
const MAX_STEPS: u64 = 20_000_000;

type Why = &'static str;

/// A tree in the making. Invariant: every node's ancestors are there, and directories.
#[derive(Debug)]
pub(crate) struct Flattener {
    limits: Limits,
    /// Of a file with several names each has the whole node.
    tree: Tree,
    /// The names of files that have, or had, several: names of one file have one number.
    linked: BTreeMap<Vec<u8>, u64>,
    files: u64,
    entries: u64,
    name_bytes: u64,
    steps: u64,
}

impl Flattener {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            tree: Tree::new(),
            linked: BTreeMap::new(),
            files: 0,
            entries: 0,
            name_bytes: 0,
            steps: 0,
        }
    }

    /// Hides what a whiteout of the next layer names; other entries are left alone.
    pub(crate) fn hide(&mut self, entry: &Entry) -> Result<(), LayerProblem> {
        let (parent, name) = split(&entry.path);
        let Some(hidden) = name.strip_prefix(WHITEOUT) else {
            return Ok(());
        };
        let fail = |why| LayerProblem::Entry {
            path: entry.path.clone(),
            why,
        };
        if name != OPAQUE && hidden.starts_with(WHITEOUT) {
            return Ok(());
        }
        if matches!(hidden, b"" | b"." | b"..") {
            return Err(fail("it is a whiteout of no name"));
        }
        let Some(parent) = self.resolve(parent, false).map_err(fail)? else {
            return Ok(());
        };
        if name == OPAQUE {
            self.remove_below(&parent);
        } else {
            let path = join(&parent, hidden);
            self.remove_below(&path);
            self.remove(&path);
        }
        Ok(())
    }

    /// Adds an entry of a layer, unless it is a whiteout; `file` is the layer's tar.
    pub(crate) fn add(&mut self, entry: Entry, file: &Arc<StoredFile>) -> Result<(), LayerProblem> {
        self.entries += 1;
        self.check_limits()?;
        if split(&entry.path).1.starts_with(WHITEOUT) {
            return Ok(());
        }
        self.place(entry, file, 0)
    }

    /// Adds an entry of an archive that is not a layer: nothing is a whiteout. Its data starts at
    /// `base` in `file`.
    pub(crate) fn add_plain(
        &mut self,
        entry: Entry,
        file: &Arc<StoredFile>,
        base: u64,
    ) -> Result<(), LayerProblem> {
        self.entries += 1;
        self.check_limits()?;
        self.place(entry, file, base)
    }

    /// The tree.
    pub(crate) fn finish(mut self) -> Tree {
        let mut first_names: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        for (path, file) in self.linked {
            match first_names.get(&file) {
                Some(first) => {
                    if let Some(node) = self.tree.get_mut(&path) {
                        node.kind = Kind::HardLink(first.clone());
                    }
                }
                None => drop(first_names.insert(file, path)),
            }
        }
        self.tree
    }

    fn place(
        &mut self,
        entry: Entry,
        file: &Arc<StoredFile>,
        base: u64,
    ) -> Result<(), LayerProblem> {
        let raw = entry.path.clone();
        let fail = |why| LayerProblem::Entry {
            path: raw.clone(),
            why,
        };
        let (parent, name) = split(&raw);
        let path = if raw.is_empty() {
            Vec::new()
        } else {
            let parent = self
                .resolve(parent, true)
                .map_err(fail)?
                .unwrap_or_default();
            join(&parent, name)
        };
        if path.len() > PATH_BYTES {
            return Err(fail(
                "its path is longer than 4096 bytes once links are followed",
            ));
        }
        let kind = match entry.kind {
            EntryKind::HardLink(target) => {
                return self.link(path, &target).map_err(fail);
            }
            EntryKind::Dir => Kind::Dir,
            EntryKind::File { offset, len } => {
                let offset = offset.checked_add(base).ok_or(LayerProblem::Index)?;
                if offset.checked_add(len).is_none_or(|end| end > file.len) {
                    return Err(LayerProblem::Index);
                }
                Kind::File(Data::Stored {
                    file: Arc::clone(file),
                    offset,
                    len,
                })
            }
            EntryKind::Symlink(target) => Kind::Symlink(target),
            EntryKind::Char { major, minor } => Kind::Char { major, minor },
            EntryKind::Block { major, minor } => Kind::Block { major, minor },
            EntryKind::Fifo => Kind::Fifo,
        };
        if kind != Kind::Dir {
            self.remove_below(&path);
        }
        let node = Node {
            kind,
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            mtime: entry.mtime,
            xattrs: entry.xattrs,
        };
        self.insert(path, node);
        Ok(())
    }

    /// Another name for what stands at `target`.
    fn link(&mut self, path: Vec<u8>, target: &[u8]) -> Result<(), Why> {
        const MISSING: Why = "it is a hard link to a name that is not there";
        let (parent, name) = split(target);
        let parent = self.resolve(parent, false)?.ok_or(MISSING)?;
        let target = join(&parent, name);
        let node = self.tree.get(&target).ok_or(MISSING)?;
        if node.kind == Kind::Dir {
            return Err("it is a hard link to a directory");
        }
        if target == path {
            return Ok(());
        }
        if is_below(&target, &path) {
            return Err(MISSING);
        }
        let node = node.clone();
        let file = match self.linked.get(&target) {
            Some(file) => Some(*file),
            None if matches!(node.kind, Kind::File(_)) => {
                self.files += 1;
                self.linked.insert(target, self.files);
                Some(self.files)
            }
            None => None,
        };
        self.remove_below(&path);
        self.insert(path.clone(), node);
        if let Some(file) = file {
            self.linked.insert(path, file);
        }
        Ok(())
    }

    /// The directory that `dir` leads to, links followed. `None`: it is not there, or not a
    /// directory. With `make` missing ones are made and others refused.
    fn resolve(&mut self, dir: &[u8], make: bool) -> Result<Option<Vec<u8>>, Why> {
        if self.is_dir(dir) {
            return Ok(Some(dir.to_vec()));
        }
        let mut links = 0;
        let mut done: Vec<u8> = Vec::new();
        let mut todo: VecDeque<Vec<u8>> = parts(dir).map(<[u8]>::to_vec).collect();
        while let Some(part) = todo.pop_front() {
            self.steps += 1;
            if self.steps > MAX_STEPS {
                return Err("this image's links cost too much to follow");
            }
            if part == b".." {
                done.truncate(split(&done).0.len());
                continue;
            }
            let next = join(&done, &part);
            if next.len() > PATH_BYTES {
                return Err("its path is longer than 4096 bytes once links are followed");
            }
            let target = match self.tree.get(&next).map(|node| &node.kind) {
                Some(Kind::Dir) => None,
                Some(Kind::Symlink(target)) => Some(target),
                None if make => None,
                Some(_) if make => return Err("its parent is not a directory"),
                _ => return Ok(None),
            };
            match target {
                None => {
                    if !self.tree.contains_key(&next) {
                        self.insert(next.clone(), made_dir());
                    }
                    done = next;
                }
                Some(target) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err("its parent is a loop of symbolic links");
                    }
                    if target.starts_with(b"/") {
                        done.clear();
                    }
                    for part in parts(target).collect::<Vec<_>>().into_iter().rev() {
                        todo.push_front(part.to_vec());
                    }
                }
            }
        }
        Ok(Some(done))
    }

    fn is_dir(&self, path: &[u8]) -> bool {
        path.is_empty()
            || self
                .tree
                .get(path)
                .is_some_and(|node| node.kind == Kind::Dir)
    }

    fn insert(&mut self, path: Vec<u8>, node: Node) {
        self.remove(&path);
        self.name_bytes += cost(&path, &node);
        self.tree.insert(path, node);
    }

    fn remove(&mut self, path: &[u8]) {
        self.linked.remove(path);
        if let Some(node) = self.tree.remove(path) {
            self.name_bytes -= cost(path, &node);
        }
    }

    fn remove_below(&mut self, path: &[u8]) {
        if path.is_empty() {
            let root = self.tree.remove_entry(path);
            self.tree.clear();
            self.linked.clear();
            self.name_bytes = 0;
            if let Some((path, node)) = root {
                self.insert(path, node);
            }
            return;
        }
        // Everything that starts with `path/`: '0' is the byte after '/'.
        let range = [path, b"/"].concat()..[path, b"0"].concat();
        self.linked
            .extract_if(range.clone(), |_, _| true)
            .for_each(drop);
        let removed = self.tree.extract_if(range, |_, _| true);
        let freed: u64 = removed.map(|(path, node)| cost(&path, &node)).sum();
        self.name_bytes -= freed;
    }

    fn check_limits(&self) -> Result<(), LayerProblem> {
        let Limits {
            entries: limit,
            name_bytes,
            ..
        } = self.limits;
        if self.entries > limit || self.tree.len() as u64 > limit {
            let what = "the number of entries in all layers";
            return Err(LayerProblem::Limit {
                what,
                limit,
                key: "entries",
            });
        }
        if self.name_bytes > name_bytes {
            let what = "the length of all names and xattrs";
            return Err(LayerProblem::Limit {
                what,
                limit: name_bytes,
                key: "name_bytes",
            });
        }
        Ok(())
    }
}

/// A parent that no layer names.
fn made_dir() -> Node {
    Node {
        kind: Kind::Dir,
        mode: 0o755,
        uid: 0,
        gid: 0,
        mtime: 0,
        xattrs: BTreeMap::new(),
    }
}

/// Bytes of memory behind names.
fn cost(path: &[u8], node: &Node) -> u64 {
    let link = match &node.kind {
        Kind::Symlink(target) | Kind::HardLink(target) => target.len(),
        _ => 0,
    };
    let xattrs: usize = node
        .xattrs
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    (path.len() + link + xattrs) as u64
}

/// Parent and last component.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

fn join(parent: &[u8], name: &[u8]) -> Vec<u8> {
    if parent.is_empty() || name.is_empty() {
        [parent, name].concat()
    } else {
        [parent, b"/", name].concat()
    }
}

fn parts(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/')
        .filter(|part| !matches!(*part, b"" | b"."))
}

fn is_below(path: &[u8], dir: &[u8]) -> bool {
    path.strip_prefix(dir)
        .is_some_and(|rest| rest.starts_with(b"/"))
}
