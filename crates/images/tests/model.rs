//! Random layers make the tree that a naive unpacker, with a root of its own, would leave.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeMap;

use common::{Tar, show, tree_of};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Op {
    File(String, u8),
    Dir(String),
    Symlink(String, String),
    HardLink(String, String),
    Whiteout(String),
    Opaque(String),
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c", "a-"]).prop_map(str::to_owned)
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(name(), 1..4).prop_map(|parts| parts.join("/"))
}

fn target() -> impl Strategy<Value = String> {
    let part = prop_oneof![4 => name(), 1 => Just("..".to_owned())];
    (any::<bool>(), prop::collection::vec(part, 1..3)).prop_map(|(absolute, parts)| {
        format!("{}{}", if absolute { "/" } else { "" }, parts.join("/"))
    })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (path(), any::<u8>()).prop_map(|(path, byte)| Op::File(path, byte % 10)),
        3 => path().prop_map(Op::Dir),
        2 => (path(), target()).prop_map(|(path, target)| Op::Symlink(path, target)),
        2 => (path(), path()).prop_map(|(path, target)| Op::HardLink(path, target)),
        2 => path().prop_map(Op::Whiteout),
        1 => path().prop_map(Op::Opaque),
    ]
}

fn tar(layer: &[Op]) -> Vec<u8> {
    let whiteout = |path: &str| match path.rsplit_once('/') {
        Some((dir, name)) => format!("{dir}/.wh.{name}"),
        None => format!(".wh.{path}"),
    };
    let add = |tar: Tar, op: &Op| match op {
        Op::File(path, byte) => tar.file(path, &byte.to_string()),
        Op::Dir(path) => tar.dir(path),
        Op::Symlink(path, target) => tar.symlink(path, target),
        Op::HardLink(path, target) => tar.hardlink(path, target),
        Op::Whiteout(path) => tar.file(&whiteout(path), ""),
        Op::Opaque(path) => tar.file(&format!("{path}/.wh..wh..opq"), ""),
    };
    layer.iter().fold(Tar::new(), add).finish()
}

/// A file system of inodes, the way a kernel has it.
#[derive(Clone)]
struct Disk {
    inodes: Vec<Inode>,
}

#[derive(Clone)]
enum Inode {
    Dir {
        parent: usize,
        names: BTreeMap<String, usize>,
    },
    File(u8),
    Symlink(String),
}

const ROOT: usize = 0;

impl Disk {
    fn new() -> Self {
        Self {
            inodes: vec![Inode::Dir {
                parent: ROOT,
                names: BTreeMap::new(),
            }],
        }
    }

    fn apply(&mut self, layer: &[Op]) -> Option<()> {
        self.hide(layer)?;
        layer.iter().try_for_each(|op| self.place(op))
    }

    /// Applies a layer without what is refused; returns the rest.
    fn apply_fitting(&mut self, layer: &[Op]) -> Vec<Op> {
        let mut kept = layer.to_vec();
        let before = self.clone();
        if self.hide(layer).is_none() {
            *self = before;
            kept.retain(|op| !matches!(op, Op::Whiteout(_) | Op::Opaque(_)));
        }
        kept.retain(|op| {
            let before = self.clone();
            let fits = self.place(op).is_some();
            if !fits {
                *self = before;
            }
            fits
        });
        kept
    }

    fn hide(&mut self, layer: &[Op]) -> Option<()> {
        for op in layer {
            match op {
                Op::Whiteout(path) => {
                    if let Some((dir, name)) = self.parent(path, false)? {
                        self.names(dir).remove(&name);
                    }
                }
                Op::Opaque(path) => {
                    if let Some((dir, _)) = self.parent(&format!("{path}/x"), false)? {
                        self.names(dir).clear();
                    }
                }
                _ => {}
            }
        }
        Some(())
    }

    fn place(&mut self, op: &Op) -> Option<()> {
        match op {
            Op::File(path, byte) => self.put(path, Inode::File(*byte))?,
            Op::Symlink(path, target) => self.put(path, Inode::Symlink(target.clone()))?,
            Op::Dir(path) => {
                let (dir, name) = self.parent(path, true)??;
                let old = self.names(dir).get(&name).copied();
                if !old.is_some_and(|old| matches!(self.inodes[old], Inode::Dir { .. })) {
                    self.mkdir(dir, &name);
                }
            }
            Op::HardLink(path, target) => {
                let (dir, name) = self.parent(path, true)??;
                let (target_dir, target_name) = self.parent(target, false)??;
                let inode = *self.names(target_dir).get(&target_name)?;
                if matches!(self.inodes[inode], Inode::Dir { .. }) {
                    return None;
                }
                let old = self.names(dir).get(&name).copied();
                if old.is_some_and(|old| self.is_above(old, target_dir)) {
                    return None;
                }
                self.names(dir).insert(name, inode);
            }
            Op::Whiteout(_) | Op::Opaque(_) => {}
        }
        Some(())
    }

    fn is_above(&self, dir: usize, mut below: usize) -> bool {
        loop {
            if below == dir {
                return true;
            }
            match &self.inodes[below] {
                Inode::Dir { parent, .. } if below != ROOT => below = *parent,
                _ => return false,
            }
        }
    }

    fn put(&mut self, path: &str, inode: Inode) -> Option<()> {
        let (dir, name) = self.parent(path, true)??;
        let id = self.add(inode);
        self.names(dir).insert(name, id);
        Some(())
    }

    fn add(&mut self, inode: Inode) -> usize {
        self.inodes.push(inode);
        self.inodes.len() - 1
    }

    fn mkdir(&mut self, parent: usize, name: &str) -> usize {
        let id = self.add(Inode::Dir {
            parent,
            names: BTreeMap::new(),
        });
        self.names(parent).insert(name.to_owned(), id);
        id
    }

    fn names(&mut self, dir: usize) -> &mut BTreeMap<String, usize> {
        match &mut self.inodes[dir] {
            Inode::Dir { names, .. } => names,
            _ => panic!("not a directory"),
        }
    }

    /// Outer `None`: an error. Inner: it is not there.
    #[allow(clippy::option_option)]
    fn parent(&mut self, path: &str, make: bool) -> Option<Option<(usize, String)>> {
        let (dirs, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut links = 0;
        let found = self.walk(ROOT, dirs, make, &mut links)?;
        Some(found.map(|dir| (dir, name.to_owned())))
    }

    #[allow(clippy::option_option)]
    fn walk(
        &mut self,
        mut at: usize,
        path: &str,
        make: bool,
        links: &mut u32,
    ) -> Option<Option<usize>> {
        if path.starts_with('/') {
            at = ROOT;
        }
        for part in path.split('/').filter(|part| !part.is_empty()) {
            if part == ".." {
                let Inode::Dir { parent, .. } = &self.inodes[at] else {
                    return None;
                };
                at = *parent;
                continue;
            }
            let next = self.names(at).get(part).copied();
            at = match next.map(|id| (id, self.inodes[id].clone())) {
                Some((id, Inode::Dir { .. })) => id,
                Some((_, Inode::Symlink(target))) => {
                    *links += 1;
                    if *links > 40 {
                        return None;
                    }
                    match self.walk(at, &target, make, links)? {
                        Some(dir) => dir,
                        None => return Some(None),
                    }
                }
                Some((_, Inode::File(_))) if make => return None,
                None if make => self.mkdir(at, part),
                _ => return Some(None),
            };
        }
        Some(Some(at))
    }

    fn show(&self) -> Vec<String> {
        let mut all = BTreeMap::new();
        self.list(ROOT, "", &mut all);
        let mut first: BTreeMap<usize, String> = BTreeMap::new();
        all.into_iter()
            .map(|(path, id)| match &self.inodes[id] {
                Inode::Dir { .. } => format!("{path} dir"),
                Inode::Symlink(target) => format!("{path} -> {target}"),
                Inode::File(byte) => match first.get(&id) {
                    Some(first) => format!("{path} = {first}"),
                    None => {
                        first.insert(id, path.clone());
                        format!("{path} file {byte}")
                    }
                },
            })
            .collect()
    }

    fn list(&self, dir: usize, prefix: &str, all: &mut BTreeMap<String, usize>) {
        let Inode::Dir { names, .. } = &self.inodes[dir] else {
            return;
        };
        for (name, id) in names {
            let path = format!("{prefix}{name}");
            self.list(*id, &format!("{path}/"), all);
            all.insert(path, *id);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn trees_equal_the_model(layers in prop::collection::vec(prop::collection::vec(op(), 0..12), 1..4)) {
        let mut disk = Disk::new();
        let fine = layers.iter().try_for_each(|layer| disk.apply(layer)).is_some();
        let tree = tree_of(layers.iter().map(|layer| tar(layer)).collect());
        match tree {
            Ok(tree) => {
                prop_assert!(fine, "the model refuses {layers:?}");
                prop_assert_eq!(show(&tree), disk.show());
                for path in tree.keys() {
                    prop_assert!(!path.starts_with(b"/") && !path.ends_with(b"/"));
                }
            }
            Err(error) => prop_assert!(!fine, "the model takes {layers:?}: {error}"),
        }
    }

    #[test]
    fn fitting_layers_are_taken(layers in prop::collection::vec(prop::collection::vec(op(), 0..16), 1..5)) {
        let mut disk = Disk::new();
        let layers: Vec<_> = layers.iter().map(|layer| disk.apply_fitting(layer)).collect();
        let tree = tree_of(layers.iter().map(|layer| tar(layer)).collect());
        prop_assert_eq!(show(&tree.unwrap()), disk.show(), "{:?}", layers);
    }
}
