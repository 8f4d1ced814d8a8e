//! The index of a layer: its entries in their order, a few bytes each.
//!
//! ```text
//! "nodeimage-index1", then per entry
//!   kind (1 byte), bytes shared with the path before, length and bytes of the rest,
//!   mode, uid, gid, mtime (zigzag),
//!   file: offset, length · link: length and bytes · device: major, minor,
//!   number of xattrs, each: length and bytes of name and of value
//! ```
//!
//! Numbers are LEB128.

use std::collections::BTreeMap;

use super::LayerProblem;
use crate::limits::Limits;
use crate::tarfile::{Entry, EntryKind};

const MAGIC: &[u8] = b"nodeimage-index1";

/// Builds an index.
#[derive(Debug)]
pub(crate) struct IndexWriter {
    bytes: Vec<u8>,
    entries: u64,
    last: Vec<u8>,
    limits: Limits,
}

impl IndexWriter {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            bytes: MAGIC.to_vec(),
            entries: 0,
            last: Vec::new(),
            limits,
        }
    }

    pub(crate) fn push(&mut self, entry: &Entry) -> Result<(), LayerProblem> {
        let Limits {
            entries: limit,
            name_bytes,
            ..
        } = self.limits;
        self.entries += 1;
        if self.entries > limit {
            let what = "the number of its entries";
            return Err(LayerProblem::Limit {
                what,
                limit,
                key: "entries",
            });
        }
        self.write(entry);
        if self.bytes.len() as u64 > name_bytes {
            let what = "the length of its names and xattrs";
            return Err(LayerProblem::Limit {
                what,
                limit: name_bytes,
                key: "name_bytes",
            });
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn write(&mut self, entry: &Entry) {
        let shared = self
            .last
            .iter()
            .zip(&entry.path)
            .take_while(|(a, b)| a == b)
            .count();
        self.bytes.push(match entry.kind {
            EntryKind::Dir => 0,
            EntryKind::File { .. } => 1,
            EntryKind::Symlink(_) => 2,
            EntryKind::HardLink(_) => 3,
            EntryKind::Char { .. } => 4,
            EntryKind::Block { .. } => 5,
            EntryKind::Fifo => 6,
        });
        self.number(shared as u64);
        self.string(&entry.path[shared..]);
        self.number(entry.mode.into());
        self.number(entry.uid.into());
        self.number(entry.gid.into());
        self.number(((entry.mtime << 1) ^ (entry.mtime >> 63)) as u64);
        match &entry.kind {
            EntryKind::Dir | EntryKind::Fifo => {}
            EntryKind::File { offset, len } => {
                self.number(*offset);
                self.number(*len);
            }
            EntryKind::Symlink(target) | EntryKind::HardLink(target) => self.string(target),
            EntryKind::Char { major, minor } | EntryKind::Block { major, minor } => {
                self.number((*major).into());
                self.number((*minor).into());
            }
        }
        self.number(entry.xattrs.len() as u64);
        for (name, value) in &entry.xattrs {
            self.string(name);
            self.string(value);
        }
        self.last.clone_from(&entry.path);
    }

    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    fn string(&mut self, string: &[u8]) {
        self.number(string.len() as u64);
        self.bytes.extend_from_slice(string);
    }
}

/// Reads an index; damage is an error, never a panic.
#[derive(Debug)]
pub(crate) struct IndexReader<'a> {
    rest: &'a [u8],
    last: Vec<u8>,
}

impl<'a> IndexReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, LayerProblem> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(LayerProblem::Index)?;
        Ok(Self {
            rest,
            last: Vec::new(),
        })
    }

    fn read(&mut self) -> Option<Entry> {
        let kind = self.bytes(1)?[0];
        let shared = usize::try_from(self.number()?).ok()?;
        let rest = self.string()?;
        let path = [self.last.get(..shared)?, rest].concat();
        self.last.clone_from(&path);
        let mode = self.small()?;
        let uid = self.small()?;
        let gid = self.small()?;
        let mtime = self.number()?;
        let mtime = (mtime >> 1) as i64 ^ -((mtime & 1) as i64);
        let kind = match kind {
            0 => EntryKind::Dir,
            1 => EntryKind::File {
                offset: self.number()?,
                len: self.number()?,
            },
            2 => EntryKind::Symlink(self.string()?.to_vec()),
            3 => EntryKind::HardLink(self.string()?.to_vec()),
            4 => EntryKind::Char {
                major: self.small()?,
                minor: self.small()?,
            },
            5 => EntryKind::Block {
                major: self.small()?,
                minor: self.small()?,
            },
            6 => EntryKind::Fifo,
            _ => return None,
        };
        let mut xattrs = BTreeMap::new();
        for _ in 0..self.number()? {
            xattrs.insert(self.string()?.to_vec(), self.string()?.to_vec());
        }
        Some(Entry {
            path,
            kind,
            mode,
            uid,
            gid,
            mtime,
            xattrs,
        })
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = u64::from(self.bytes(1)?[0]);
            number |= (byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn small(&mut self) -> Option<u32> {
        self.number()?.try_into().ok()
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.number()?).ok()?;
        self.bytes(len)
    }

    fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(bytes)
    }
}

impl Iterator for IndexReader<'_> {
    type Item = Result<Entry, LayerProblem>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let entry = self.read().ok_or(LayerProblem::Index);
        if entry.is_err() {
            self.rest = &[];
        }
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entries() -> impl Strategy<Value = Vec<Entry>> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..12);
        let kind = prop_oneof![
            Just(EntryKind::Dir),
            (any::<u64>(), any::<u64>()).prop_map(|(offset, len)| EntryKind::File { offset, len }),
            bytes().prop_map(EntryKind::Symlink),
            bytes().prop_map(EntryKind::HardLink),
            any::<(u32, u32)>().prop_map(|(major, minor)| EntryKind::Char { major, minor }),
            any::<(u32, u32)>().prop_map(|(major, minor)| EntryKind::Block { major, minor }),
            Just(EntryKind::Fifo),
        ];
        let xattrs = proptest::collection::btree_map(bytes(), bytes(), 0..3);
        let entry = (bytes(), kind, any::<(u32, u32, u32, i64)>(), xattrs).prop_map(
            |(path, kind, (mode, uid, gid, mtime), xattrs)| Entry {
                path,
                kind,
                mode,
                uid,
                gid,
                mtime,
                xattrs,
            },
        );
        proptest::collection::vec(entry, 0..8)
    }

    fn write(entries: &[Entry]) -> Vec<u8> {
        let mut writer = IndexWriter::new(Limits::default());
        entries.iter().for_each(|entry| writer.push(entry).unwrap());
        writer.finish()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(entries in entries()) {
            let bytes = write(&entries);
            let read: Result<Vec<_>, _> = IndexReader::new(&bytes).unwrap().collect();
            prop_assert_eq!(read.unwrap(), entries);
        }

        #[test]
        fn damage_never_panics(entries in entries(), at in any::<usize>(), byte in any::<u8>()) {
            let mut bytes = write(&entries);
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(reader) = IndexReader::new(&bytes) {
                reader.for_each(drop);
            }
        }
    }
}
