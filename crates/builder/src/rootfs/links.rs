//! Directories where an init image has a symbolic link.
//!
//! A usr-merged image has `lib` as a link to `usr/lib`, a kernel's tar and many small images have
//! it as a directory. Unpacked one over the other, either the link or what lies below the directory
//! is lost. So a directory at the top level is put where the link of an init image leads.

use std::collections::{BTreeMap, VecDeque};

use nodeimage_images::{Kind, Tree};
use serde::{Deserialize, Serialize};

use super::{nodes, path};

/// As many links as Linux follows in one path.
const MAX_FOLLOWED: usize = 40;

/// Longest target Linux takes, in bytes.
const MAX_TARGET: usize = 4096;

/// Top-level names of symbolic links and their targets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Links(BTreeMapOfBytes);

/// JSON has no keys of bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(Vec<u8>, Vec<u8>)>", into = "Vec<(Vec<u8>, Vec<u8>)>")]
struct BTreeMapOfBytes(BTreeMap<Vec<u8>, Vec<u8>>);

impl From<Vec<(Vec<u8>, Vec<u8>)>> for BTreeMapOfBytes {
    fn from(pairs: Vec<(Vec<u8>, Vec<u8>)>) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl From<BTreeMapOfBytes> for Vec<(Vec<u8>, Vec<u8>)> {
    fn from(map: BTreeMapOfBytes) -> Self {
        map.0.into_iter().collect()
    }
}

/// Why a link cannot be followed, or a directory not be put where it leads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// `..` above the root.
    #[error("it leads outside the root to `{target}`")]
    Outside {
        /// Its target.
        target: String,
    },
    /// In a circle, or very long.
    #[error("it leads in a circle")]
    Loop,
    /// Longer than a path can be.
    #[error("its target is longer than 4096 bytes")]
    TooLong,
    /// There is something else at its destination.
    #[error("both have `{path}` where it leads; leave one of them out")]
    Collision {
        /// The path that exists twice.
        path: String,
    },
}

/// Whether directories above a destination are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Above {
    /// They may not be there yet.
    Make,
    /// An earlier component has them, with modes that must stay.
    Assume,
}

impl Links {
    /// Adds or replaces a link.
    pub fn insert(&mut self, name: Vec<u8>, target: Vec<u8>) {
        self.0.0.insert(name, target);
    }

    /// Name and target of each, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0
            .0
            .iter()
            .map(|(name, target)| (name.as_slice(), target.as_slice()))
    }

    /// Whether `name` is one.
    pub(super) fn contains(&self, name: &[u8]) -> bool {
        self.0.0.contains_key(name)
    }

    /// All of `later` too, which win.
    pub(super) fn extend(&mut self, later: &Self) {
        self.0.0.extend(later.0.0.clone());
    }

    /// Puts every top-level directory of `tree` that is a link here where the link leads; the name
    /// at fault with the fault.
    pub(crate) fn place(&self, tree: Tree, above: Above) -> Result<Tree, (String, LinkError)> {
        let mut moves: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        for (name, _) in self.iter() {
            if is_directory(&tree, name) {
                let lookup = |path: &[u8]| self.0.0.get(path).map(Vec::as_slice);
                let to = resolve(name, lookup).map_err(|reason| (path::show(name), reason))?;
                moves.insert(name.to_vec(), to);
            }
        }
        if moves.is_empty() {
            return Ok(tree);
        }
        let moved = |path: &[u8]| -> Option<Vec<u8>> {
            let top = path.split(|byte| *byte == b'/').next().unwrap_or_default();
            let rest = path.get(top.len() + 1..).unwrap_or_default();
            moves.get(top).map(|to| path::join(to, rest))
        };
        let (to_move, mut placed): (Tree, Tree) = tree
            .into_iter()
            .partition(|(path, _)| moved(path).is_some());
        for node in placed.values_mut() {
            retarget(&mut node.kind, &moved);
        }
        for (from, mut node) in to_move {
            let to = moved(&from).unwrap_or_default();
            retarget(&mut node.kind, &moved);
            let collision = |path: &[u8]| {
                let name = from.split(|byte| *byte == b'/').next().unwrap_or_default();
                let path = path::show(path);
                Err((path::show(name), LinkError::Collision { path }))
            };
            match placed.get(&to) {
                Some(there) if there.kind == Kind::Dir && node.kind == Kind::Dir => continue,
                Some(_) => return collision(&to),
                None => {}
            }
            let is_in_the_way =
                |path: &&[u8]| placed.get(*path).is_some_and(|node| node.kind != Kind::Dir);
            if let Some(path) = path::parents(&to).find(is_in_the_way) {
                return collision(path);
            }
            if above == Above::Make {
                nodes::add_parents(&mut placed, &to);
            }
            placed.insert(to, node);
        }
        Ok(placed)
    }
}

fn retarget(kind: &mut Kind, moved: &impl Fn(&[u8]) -> Option<Vec<u8>>) {
    if let Kind::HardLink(target) = kind
        && let Some(to) = moved(target)
    {
        *target = to;
    }
}

fn is_directory(tree: &Tree, name: &[u8]) -> bool {
    match tree.get(name) {
        Some(node) => node.kind == Kind::Dir,
        None => super::edit::has_children(tree, name),
    }
}

/// The path with every symbolic link followed that `link` knows, itself included.
pub(super) fn resolve<'a>(
    path: &[u8],
    link: impl Fn(&[u8]) -> Option<&'a [u8]>,
) -> Result<Vec<u8>, LinkError> {
    let mut todo: VecDeque<Vec<u8>> = parts(path).collect();
    let mut done: Vec<Vec<u8>> = Vec::new();
    let mut target = path.to_vec();
    let mut followed = 0;
    while let Some(part) = todo.pop_front() {
        if part == b".." {
            if done.pop().is_none() {
                return Err(LinkError::Outside {
                    target: path::show(&target),
                });
            }
            continue;
        }
        done.push(part);
        let here = done.join(&b'/');
        let Some(leads) = link(&here) else { continue };
        followed += 1;
        if followed > MAX_FOLLOWED {
            return Err(LinkError::Loop);
        }
        if leads.len() > MAX_TARGET {
            return Err(LinkError::TooLong);
        }
        target = leads.to_vec();
        if leads.first() == Some(&b'/') {
            done.clear();
        } else {
            done.pop();
        }
        for part in parts(leads).collect::<Vec<_>>().into_iter().rev() {
            todo.push_front(part);
        }
    }
    Ok(done.join(&b'/'))
}

fn parts(path: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let parts = path.split(|byte| *byte == b'/').map(<[u8]>::to_vec);
    parts.filter(|part| !part.is_empty() && part != b".")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Entry, names, tree};
    use super::*;

    fn links(pairs: &[(&str, &str)]) -> Links {
        let mut links = Links::default();
        for (name, target) in pairs {
            links.insert(name.as_bytes().to_vec(), target.as_bytes().to_vec());
        }
        links
    }

    fn modules() -> Tree {
        tree(&[
            ("boot", Entry::Dir(0o755)),
            ("lib", Entry::Dir(0o700)),
            ("lib/modules", Entry::Dir(0o755)),
            ("lib/modules/a.ko", Entry::File("a")),
            ("lib/modules/b.ko", Entry::Hard("lib/modules/a.ko")),
            ("z", Entry::Hard("lib/modules/a.ko")),
        ])
    }

    #[test]
    fn through_relative_and_absolute_links() {
        for target in [
            "usr/lib",
            "/usr/lib",
            "./usr//lib/",
            "usr/../usr/lib",
            "/usr/x/../lib",
        ] {
            let placed = links(&[("lib", target)])
                .place(modules(), Above::Make)
                .unwrap();
            assert_eq!(
                names(&placed),
                [
                    "boot",
                    "usr",
                    "usr/lib",
                    "usr/lib/modules",
                    "usr/lib/modules/a.ko",
                    "usr/lib/modules/b.ko",
                    "z"
                ],
                "{target}"
            );
            assert_eq!(placed[b"usr/lib".as_slice()].mode, 0o700);
            assert_eq!(placed[b"usr".as_slice()].mode, 0o755);
            let target = Kind::HardLink(b"usr/lib/modules/a.ko".to_vec());
            assert_eq!(placed[b"usr/lib/modules/b.ko".as_slice()].kind, target);
            assert_eq!(placed[b"z".as_slice()].kind, target);
        }
    }

    #[test]
    fn through_a_chain_and_into_the_root() {
        let chain = links(&[("lib", "usr/lib"), ("usr", "system")]);
        let placed = chain.place(modules(), Above::Assume).unwrap();
        assert_eq!(names(&placed)[1], "system/lib");
        let placed = links(&[("lib", ".")])
            .place(modules(), Above::Make)
            .unwrap();
        assert!(placed.contains_key(b"modules/a.ko".as_slice()));
    }

    #[test]
    fn links_that_do_not_concern_the_tree_may_be_anything() {
        let odd = links(&[("sbin", "../../x"), ("bin", "bin"), ("z", "usr/z")]);
        assert_eq!(odd.place(modules(), Above::Make).unwrap(), modules());
    }

    #[test]
    fn outside_and_circles_are_refused() {
        let fault =
            |pairs: &[(&str, &str)]| links(pairs).place(modules(), Above::Make).unwrap_err();
        let (name, reason) = fault(&[("lib", "../lib")]);
        assert_eq!(
            (name.as_str(), reason),
            (
                "lib",
                LinkError::Outside {
                    target: "../lib".into()
                }
            )
        );
        assert!(matches!(
            fault(&[("lib", "usr/../../x")]).1,
            LinkError::Outside { .. }
        ));
        assert_eq!(fault(&[("lib", "lib")]).1, LinkError::Loop);
        assert_eq!(fault(&[("lib", "a"), ("a", "/lib")]).1, LinkError::Loop);
        assert_eq!(fault(&[("lib", "a/b"), ("a", "lib")]).1, LinkError::Loop);
    }

    #[test]
    fn two_files_at_one_path_are_refused_and_two_directories_join() {
        let both = |file: &str| {
            tree(&[
                ("lib", Entry::Dir(0o700)),
                ("lib/x", Entry::File("1")),
                ("usr/lib", Entry::Dir(0o711)),
                (file, Entry::File("2")),
            ])
        };
        let merged = links(&[("lib", "usr/lib")]);
        let placed = merged.place(both("usr/lib/y"), Above::Make).unwrap();
        assert_eq!(placed[b"usr/lib".as_slice()].mode, 0o711);
        let below_a_file = links(&[("lib", "z/lib")])
            .place(modules(), Above::Make)
            .unwrap_err();
        assert_eq!(below_a_file.1, LinkError::Collision { path: "z".into() });
        let (_, reason) = merged.place(both("usr/lib/x"), Above::Make).unwrap_err();
        assert_eq!(
            reason,
            LinkError::Collision {
                path: "usr/lib/x".into()
            }
        );
    }

    proptest::proptest! {
        /// Whatever the links say, what is placed stays inside, and no entry is lost.
        #[test]
        fn nothing_leaves_the_root(
            targets in proptest::collection::vec("(/|\\.|\\.\\./|[a-c]/|lib|usr){0,5}", 3),
            name in proptest::sample::select(vec!["a", "b", "usr"]),
        ) {
            let all = links(&[("lib", &targets[0]), (name, &targets[1]), ("c", &targets[2])]);
            if let Ok(placed) = all.place(modules(), Above::Make) {
                assert!(placed.keys().all(|path| path::clean(path).as_ref() == Ok(path)));
                let files = placed.values().filter(|node| node.kind != Kind::Dir).count();
                assert_eq!(files, 3);
            }
        }
    }
}
