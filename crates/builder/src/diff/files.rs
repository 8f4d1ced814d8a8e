//! Which files differ.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::sync::Arc;

use nodeimage_images::{Data, Kind};
use serde::Serialize;

use super::Change;
use super::attributes::{FileFacts, privileges, shown};
use super::root::{Entry, File, Root};

/// Bytes read at once of each of two files.
const CHUNK: usize = 64 << 10;

/// The files that differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Files {
    /// Entries that only the second image has.
    pub added: u64,
    /// Entries that only the first image has.
    pub removed: u64,
    /// Entries that both have, and not alike.
    pub changed: u64,
    /// Entries of which nothing but the time differs; they are not listed.
    pub touched: u64,
    /// Entries that are alike.
    pub unchanged: u64,
    /// Those that were added, removed or changed, by path.
    pub list: Vec<FileChange>,
}

/// A file that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileChange {
    /// Its path from the root, without `/` in front and without the numbers of `onboot` and
    /// `onshutdown`; bytes that are no UTF-8 as `\xNN`.
    pub path: String,
    /// What happened.
    pub change: Change,
    /// What of it: `type`, `content`, `mode`, `owner`, `target`, `device`, `capabilities`,
    /// `xattrs`. Empty unless it changed.
    pub what: Vec<&'static str>,
    /// Rights it gives now and did not give before: `setuid`, `setgid`, capabilities, `device`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gains: Vec<String>,
    /// Rights it gave before and does not give now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub loses: Vec<String>,
    /// The component that brings it.
    pub component: String,
    /// Before.
    pub from: Option<FileFacts>,
    /// Afterwards.
    pub to: Option<FileFacts>,
}

impl Files {
    /// Compares two roots; contents are read where all else leaves them open.
    pub(super) fn between(from: &Root, to: &Root) -> io::Result<Self> {
        let mut files = Self::default();
        let (mut a, mut b) = (from.entries.iter().peekable(), to.entries.iter().peekable());
        loop {
            let order = match (a.peek(), b.peek()) {
                (None, None) => break,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some((x, _)), Some((y, _))) => x.cmp(y),
            };
            let was = a.next_if(|_| order.is_le());
            let is = b.next_if(|_| order.is_ge());
            let Some(path) = is.or(was).map(|(path, _)| path) else {
                break;
            };
            files.add(path, (from, was.map(|it| it.1)), (to, is.map(|it| it.1)))?;
        }
        Ok(files)
    }

    fn add(
        &mut self,
        path: &[u8],
        (from, was): (&Root, Option<&Entry>),
        (to, is): (&Root, Option<&Entry>),
    ) -> io::Result<()> {
        let mut what = Vec::new();
        let change = match (was, is) {
            (None, None) => return Ok(()),
            (None, Some(_)) => {
                self.added += 1;
                Change::Added
            }
            (Some(_), None) => {
                self.removed += 1;
                Change::Removed
            }
            (Some(was), Some(is)) => {
                if Arc::ptr_eq(&was.file, &is.file) {
                    self.unchanged += 1;
                    return Ok(());
                }
                what = differences(&was.file, &is.file)?;
                if what.is_empty() {
                    let touched = was.file.node.mtime != is.file.node.mtime;
                    self.touched += u64::from(touched);
                    self.unchanged += u64::from(!touched);
                    return Ok(());
                }
                self.changed += 1;
                Change::Changed
            }
        };
        let rights = |entry: Option<&Entry>| -> BTreeSet<String> {
            let node = entry.map(|entry| &entry.file.node);
            node.map(privileges).into_iter().flatten().collect()
        };
        let (before, after) = (rights(was), rights(is));
        let component = |root: &Root, entry: &Entry| {
            let component = root.components.get(entry.component);
            component
                .map(|(name, _, _)| name.clone())
                .unwrap_or_default()
        };
        let facts = |entry: &Entry| {
            let File { node, linked_to } = &*entry.file;
            FileFacts::of(node, linked_to.as_deref())
        };
        self.list.push(FileChange {
            path: shown(path),
            change,
            what,
            gains: after.difference(&before).cloned().collect(),
            loses: before.difference(&after).cloned().collect(),
            component: match (was, is) {
                (_, Some(is)) => component(to, is),
                (Some(was), None) => component(from, was),
                (None, None) => String::new(),
            },
            from: was.map(facts),
            to: is.map(facts),
        });
        Ok(())
    }
}

/// What differs between two files, times left out.
fn differences(was: &File, is: &File) -> io::Result<Vec<&'static str>> {
    let mut what = Vec::new();
    let (a, b) = (&was.node, &is.node);
    match (&a.kind, &b.kind) {
        (Kind::File(old), Kind::File(new)) => {
            if !same_content(old, new)? {
                what.push("content");
            }
        }
        (Kind::Symlink(old), Kind::Symlink(new)) => {
            if old != new {
                what.push("target");
            }
        }
        (Kind::Char { .. }, Kind::Char { .. }) | (Kind::Block { .. }, Kind::Block { .. }) => {
            if a.kind != b.kind {
                what.push("device");
            }
        }
        (old, new) if std::mem::discriminant(old) == std::mem::discriminant(new) => {}
        _ => what.push("type"),
    }
    let is_link = matches!(b.kind, Kind::Symlink(_));
    if a.mode & 0o7777 != b.mode & 0o7777 && !is_link {
        what.push("mode");
    }
    if (a.uid, a.gid) != (b.uid, b.gid) {
        what.push("owner");
    }
    const CAPABILITY: &[u8] = b"security.capability";
    if a.xattrs.get(CAPABILITY) != b.xattrs.get(CAPABILITY) {
        what.push("capabilities");
    }
    let others = |xattrs: &std::collections::BTreeMap<Vec<u8>, Vec<u8>>| -> Vec<_> {
        let others = xattrs.iter().filter(|(name, _)| *name != CAPABILITY);
        others
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    };
    if others(&a.xattrs) != others(&b.xattrs) {
        what.push("xattrs");
    }
    Ok(what)
}

fn same_content(a: &Data, b: &Data) -> io::Result<bool> {
    if a == b {
        return Ok(true);
    }
    if a.len() != b.len() {
        return Ok(false);
    }
    if let (
        Data::Stored { file, offset, .. },
        Data::Stored {
            file: other,
            offset: at,
            ..
        },
    ) = (a, b)
        && (&file.path, offset) == (&other.path, at)
    {
        return Ok(true);
    }
    let (mut a, mut b) = (a.open()?, b.open()?);
    let (mut x, mut y) = (vec![0; CHUNK], vec![0; CHUNK]);
    loop {
        let (n, m) = (fill(&mut a, &mut x)?, fill(&mut b, &mut y)?);
        if x[..n] != y[..m] {
            return Ok(false);
        }
        if n == 0 {
            return Ok(true);
        }
    }
}

fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
