//! The directories that the paths of the files imply.

use std::collections::{BTreeMap, BTreeSet};

use super::names::{self, ShortName};
use super::{Fat32Error, File, MAX_FILES};

/// Deepest path.
const MAX_DEPTH: usize = 16;

/// What a directory entry is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A directory, by its number.
    Directory(usize),
    /// A file, by its place in the list.
    File(usize),
}

/// One name in a directory.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) short: ShortName,
    /// Whether `short` isn't the whole name.
    pub(super) long: bool,
    pub(super) target: Target,
}

/// One directory.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) parent: usize,
    pub(super) entries: Vec<Entry>,
}

/// All directories; the first is the root.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) directories: Vec<Directory>,
}

impl Tree {
    pub(super) fn new(files: &[File<'_>]) -> Result<Self, Fat32Error> {
        if files.len() > MAX_FILES {
            return Err(Fat32Error::TooManyFiles(files.len()));
        }
        let mut tree = Self {
            directories: vec![Directory {
                parent: 0,
                entries: Vec::new(),
            }],
        };
        let mut seen = BTreeMap::new();
        for (index, file) in files.iter().enumerate() {
            tree.add(&mut seen, file.path, index)?;
        }
        for directory in &mut tree.directories {
            shorten(directory)?;
        }
        Ok(tree)
    }

    fn add(
        &mut self,
        seen: &mut BTreeMap<(usize, String), (String, Target)>,
        path: &str,
        file: usize,
    ) -> Result<(), Fat32Error> {
        let fail = |reason| {
            Err(Fat32Error::Path {
                path: path.to_owned(),
                reason,
            })
        };
        if path.split('/').count() > MAX_DEPTH {
            return fail("it is deeper than 16 directories");
        }
        let mut current = 0;
        let mut names = path.split('/').peekable();
        while let Some(name) = names.next() {
            if let Some(reason) = names::fault(name) {
                return fail(reason);
            }
            let is_last = names.peek().is_none();
            let key = (current, names::folded(name));
            match seen.get(&key) {
                Some((other, Target::Directory(next))) if other == name && !is_last => {
                    current = *next;
                    continue;
                }
                Some(_) => return fail("another path has the same name, or differs in case only"),
                None => {}
            }
            let target = if is_last {
                Target::File(file)
            } else {
                Target::Directory(self.directories.len())
            };
            seen.insert(key, (name.to_owned(), target));
            let entry = Entry {
                name: name.to_owned(),
                short: [b' '; 11],
                long: true,
                target,
            };
            if let Some(directory) = self.directories.get_mut(current) {
                directory.entries.push(entry);
            }
            if let Target::Directory(next) = target {
                self.directories.push(Directory {
                    parent: current,
                    entries: Vec::new(),
                });
                current = next;
            }
        }
        Ok(())
    }
}

/// Gives every entry its short name: first those whose name is one, then the others in order. No
/// short name may be another's name in other case either.
fn shorten(directory: &mut Directory) -> Result<(), Fat32Error> {
    let mut taken = BTreeSet::new();
    for entry in &mut directory.entries {
        if let Some(short) = names::exact(&entry.name) {
            (entry.short, entry.long) = (short, false);
        }
        taken.extend(names::exact(&names::folded(&entry.name)));
    }
    for entry in directory.entries.iter_mut().filter(|entry| entry.long) {
        let reason = "too many names here begin alike";
        entry.short = names::tailed(&entry.name, &taken).ok_or_else(|| Fat32Error::Path {
            path: entry.name.clone(),
            reason,
        })?;
        taken.insert(entry.short);
    }
    Ok(())
}
