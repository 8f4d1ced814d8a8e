//! Archives of images, read in place: the tar is indexed once, then its files are ranges of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::SourceErrorKind;
use super::layout::{Files, Opened};
use crate::tarfile::{EntryKind, RangeInput, Scanner, clean};

/// More files than any image archive has.
const MAX_FILES: usize = 100_000;
/// Links of old `docker save` archives lead to a layer that is there already.
const MAX_LINKS: usize = 8;

/// An indexed archive.
#[derive(Debug)]
pub(super) struct Archive {
    file: Arc<File>,
    names: BTreeMap<Vec<u8>, Member>,
}

#[derive(Debug)]
enum Member {
    File { offset: u64, len: u64 },
    Link(Vec<u8>),
}

impl Archive {
    pub(super) fn open(path: &Path) -> Result<Self, SourceErrorKind> {
        if !std::fs::metadata(path)?.is_file() {
            return Err(SourceErrorKind::Malformed("it is not a file".into()));
        }
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        let mut magic = [0; 4];
        if len >= 4 {
            file.read_exact_at(&mut magic, 0)?;
        }
        if magic.starts_with(&[0x1f, 0x8b]) || magic == [0x28, 0xb5, 0x2f, 0xfd] {
            let why = "it is compressed; decompress the archive first";
            return Err(SourceErrorKind::Malformed(why.into()));
        }
        let mut names = BTreeMap::new();
        let mut scanner = Scanner::new(RangeInput::new(&file, 0, len));
        while let Some(entry) = scanner.next()? {
            let member = match entry.kind {
                EntryKind::File { offset, len } => Member::File { offset, len },
                EntryKind::HardLink(target) => Member::Link(target),
                EntryKind::Symlink(target) => match beside(&entry.path, &target) {
                    Some(target) => Member::Link(target),
                    None => continue,
                },
                _ => continue,
            };
            names.insert(entry.path, member);
            if names.len() > MAX_FILES {
                let why = format!("there are more than {MAX_FILES} files in it");
                return Err(SourceErrorKind::Malformed(why));
            }
        }
        Ok(Self {
            file: Arc::new(file),
            names,
        })
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.range(name).is_some()
    }

    fn range(&self, name: &str) -> Option<(u64, u64)> {
        let name = clean(name.as_bytes()).ok()?;
        let mut member = self.names.get(&name)?;
        for _ in 0..MAX_LINKS {
            match member {
                Member::File { offset, len } => return Some((*offset, *len)),
                Member::Link(target) => member = self.names.get(target)?,
            }
        }
        None
    }
}

impl Files for Archive {
    fn open(&self, name: &str) -> Result<Option<Opened>, SourceErrorKind> {
        let Some((at, len)) = self.range(name) else {
            return Ok(None);
        };
        let range = Range {
            file: Arc::clone(&self.file),
            at,
            left: len,
        };
        Ok(Some((Box::new(range), len)))
    }
}

/// What a symbolic link at `path` points to, inside the archive.
fn beside(path: &[u8], target: &[u8]) -> Option<Vec<u8>> {
    let mut parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
    parts.pop();
    for part in target.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join(&b'/'))
}

/// A range of a file, with a position of its own.
struct Range {
    file: Arc<File>,
    at: u64,
    left: u64,
}

impl Read for Range {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let want = buffer
            .len()
            .min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let got = self.file.read_at(&mut buffer[..want], self.at)?;
        self.at += got as u64;
        self.left -= got as u64;
        Ok(got)
    }
}
