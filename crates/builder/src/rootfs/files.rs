//! The `files` section: the last component, which overrides everything.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nodeimage_images::{Data, Kind, Node, Tree};
use nodeimage_spec::metadata;
use nodeimage_spec::model::{FileEntry, Spec};

use crate::runtime::{NamedIds, parse_octal};

use super::faults::Faults;
use super::{Error, FileError, edit, links, nodes, path};

/// The tree of the section. Parents that no earlier entry has made get the first file's owner and
/// its mode with `x` where it has any bit, also where an image has them with another mode.
pub(super) fn tree(spec: &Spec, ids: &NamedIds) -> Result<Tree, Error> {
    let mut tree = Tree::new();
    let mut faults = Faults::default();
    for (index, entry) in spec.files.iter().enumerate() {
        let added = add(&mut tree, spec, entry, ids);
        faults.take(added.map_err(|kind| Error::File {
            index,
            path: entry.path.clone(),
            kind,
        }));
    }
    faults.or(tree)
}

fn add(tree: &mut Tree, spec: &Spec, entry: &FileEntry, ids: &NamedIds) -> Result<(), FileError> {
    if entry.path.is_empty() {
        return Err(FileError::NoPath);
    }
    let path = path::clean(entry.path.as_bytes())?;
    let directory = entry.directory == Some(true);
    if !directory && (path.is_empty() || entry.path.ends_with('/')) {
        return Err(FileError::NamesDirectory);
    }
    let owner = |key, id: &Option<_>| {
        ids.resolve_or_root(id.as_ref())
            .map_err(|kind| FileError::Owner { key, kind })
    };
    let (uid, gid) = (owner("uid", &entry.uid)?, owner("gid", &entry.gid)?);
    let mode = match entry.mode.as_deref() {
        None | Some("") if directory => 0o700,
        None | Some("") => 0o600,
        // Bits above, as in 0100644, do not survive unpacking.
        Some(text) => parse_octal(text).map_err(FileError::Mode)? & 0o7777,
    };
    let own = |kind, mode| Node {
        uid,
        gid,
        mode,
        kind,
        ..nodes::dir()
    };
    let node = own(content(spec, entry, directory)?, mode);
    let (parent, name) = split(&path);
    let parent = parent_dirs(tree, parent, || own(Kind::Dir, with_search(mode)))?;
    let path = path::join(&parent, name);
    edit::put(tree, &path, node);
    Ok(())
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

/// `x` for each class that may do anything.
fn with_search(mode: u32) -> u32 {
    [0o100, 0o010, 0o001]
        .into_iter()
        .filter(|x| mode & (x * 7) != 0)
        .fold(mode, |mode, x| mode | x)
}

/// Makes the directories above, if this section has not yet, and says where they are: an earlier
/// entry may have put a link there.
fn parent_dirs(
    tree: &mut Tree,
    parent: &[u8],
    dir: impl Fn() -> Node,
) -> Result<Vec<u8>, FileError> {
    let target = |path: &[u8]| match &tree.get(path)?.kind {
        Kind::Symlink(target) => Some(target.as_slice()),
        _ => None,
    };
    let real = links::resolve(parent, target).map_err(|reason| FileError::Link {
        parent: path::show(parent),
        reason,
    })?;
    let all: Vec<&[u8]> = path::parents(&real).chain([real.as_slice()]).collect();
    for path in all {
        match tree.get(path).map(|node| &node.kind) {
            Some(Kind::Dir) => {}
            Some(_) => {
                return Err(FileError::Below {
                    parent: path::show(path),
                    what: "a file",
                });
            }
            // Behind a link it is an image's directory, whose mode must stay.
            None if path.is_empty() || real != parent => {}
            None => {
                tree.insert(path.to_vec(), dir());
            }
        }
    }
    Ok(real)
}

fn content(spec: &Spec, entry: &FileEntry, directory: bool) -> Result<Kind, FileError> {
    let given = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
    let (symlink, source) = (given(&entry.symlink), given(&entry.source));
    let metadata = given(&entry.metadata);
    let contents = match (&entry.contents, &entry.contents_base64) {
        (Some(_), Some(_)) => return Err(FileError::Both("contents", "contents_base64")),
        (Some(text), None) => Some(text.clone().into_bytes()),
        (None, Some(base64)) => Some(STANDARD.decode(base64).map_err(FileError::Base64)?),
        (None, None) => None,
    };
    let filled = directory || symlink.is_some() || contents.is_some();
    match (filled, source, metadata) {
        (true, _, Some(_)) => return Err(FileError::Both("contents", "metadata")),
        (true, Some(_), None) => return Err(FileError::Both("contents", "source")),
        (true, None, None) => {}
        (false, Some(_), Some(_)) => return Err(FileError::Both("source", "metadata")),
        (false, Some(source), None) => return Err(FileError::SourceLeft(source)),
        (false, None, Some(format)) => return rendered(spec, &format).map(file),
        (false, None, None) => return Err(FileError::NoContents),
    }
    match (directory, symlink, contents) {
        (true, _, Some(_)) => Err(FileError::DirectoryWithContents),
        (true, _, None) => Ok(Kind::Dir),
        // With contents as well, LinuxKit takes the link.
        (false, Some(target), _) => Ok(Kind::Symlink(target.into_bytes())),
        (false, None, contents) => Ok(file(contents.unwrap_or_default())),
    }
}

fn file(bytes: Vec<u8>) -> Kind {
    Kind::File(Data::Bytes(bytes.into()))
}

fn rendered(spec: &Spec, format: &str) -> Result<Vec<u8>, FileError> {
    match format {
        "yaml" => Ok(metadata::yaml(spec).into_bytes()),
        "json" => Ok(metadata::json(spec).into_bytes()),
        other => Err(FileError::MetadataType(other.to_owned())),
    }
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
