//! Reads tar archives: POSIX pax, ustar and GNU, as the "Archive" part of the OCI layer
//! specification and the tar(5) manual describe them.
//!
//! A reader of our own, because it must walk over a stream that is hashed and stored as it passes,
//! know the offset of every file's data, bound what one entry may cost, and refuse numbers that
//! the `tar` crate cuts to 64 bits.

mod header;
mod input;
mod name;
mod pax;

pub(crate) use input::{Input, RangeInput};
pub(crate) use name::clean;

use std::collections::BTreeMap;

use header::{Fields, Form};

/// One entry, its name cleaned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Path without leading or trailing slash, `.` or `..`; the root is empty.
    pub(crate) path: Vec<u8>,
    pub(crate) kind: EntryKind,
    /// Permission bits with setuid, setgid and sticky.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: i64,
    pub(crate) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    Dir,
    /// Where its bytes lie in the archive.
    File {
        offset: u64,
        len: u64,
    },
    Symlink(Vec<u8>),
    /// A cleaned path.
    HardLink(Vec<u8>),
    Char {
        major: u32,
        minor: u32,
    },
    Block {
        major: u32,
        minor: u32,
    },
    Fifo,
}

/// What is wrong with an archive.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// It ends inside an entry.
    #[error("the archive ends in the middle of an entry")]
    Truncated,
    /// A header's checksum is wrong.
    #[error("no tar header at offset {0}: its checksum is wrong")]
    Checksum(u64),
    /// An entry breaks a rule.
    #[error("entry {}: {why}", show(name))]
    Entry {
        /// The entry's name as it stands in the archive.
        name: Vec<u8>,
        /// Which rule.
        why: &'static str,
    },
}

/// A name for people: lossy, escaped, shortened.
pub(crate) fn show(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(&name[..name.len().min(200)]);
    let cut = if name.len() > 200 { "…" } else { "" };
    format!("\"{}{cut}\"", text.escape_debug())
}

/// Walks over the entries of an archive.
#[derive(Debug)]
pub(crate) struct Scanner<I> {
    input: I,
    done: bool,
}

impl<I: Input> Scanner<I> {
    pub(crate) fn new(input: I) -> Self {
        Self { input, done: false }
    }

    pub(crate) fn into_input(self) -> I {
        self.input
    }

    /// The next entry; its data is behind when this returns.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>, TarError> {
        let mut extended = pax::Extended::default();
        while !self.done {
            let at = self.input.position();
            let Some(block) = self.input.block()? else {
                // Some writers leave out the two zero blocks.
                self.done = true;
                break;
            };
            if block.iter().all(|byte| *byte == 0) {
                self.done = true;
                break;
            }
            let fields = Fields::parse(&block, at)?;
            match fields.form {
                Form::Pax | Form::GnuName | Form::GnuLink => {
                    let body = self.body(&fields)?;
                    extended.add(&fields, body)?;
                }
                Form::Global => {
                    // Comments of `git archive`; container tools give them no effect either.
                    self.body(&fields)?;
                }
                Form::Entry => return self.entry(fields, extended).map(Some),
            }
        }
        if extended.is_empty() {
            Ok(None)
        } else {
            Err(TarError::Truncated)
        }
    }

    /// The content of an extended header.
    fn body(&mut self, fields: &Fields) -> Result<Vec<u8>, TarError> {
        let limit = crate::limits::EXTENDED_HEADER_BYTES;
        if fields.size > limit {
            return Err(fields.error("its extended header is longer than 1 MiB"));
        }
        let mut body = vec![0; fields.size as usize];
        self.input.read(&mut body)?;
        self.input.skip(padding(fields.size))?;
        Ok(body)
    }

    fn entry(&mut self, fields: Fields, extended: pax::Extended) -> Result<Entry, TarError> {
        let entry = extended.apply(fields, self.input.position())?;
        if let EntryKind::File { len, .. } = entry.kind {
            self.input.skip(len)?;
            self.input.skip(padding(len))?;
        }
        Ok(entry)
    }
}

/// Bytes up to the next whole block.
fn padding(len: u64) -> u64 {
    len.wrapping_neg() % 512
}

#[cfg(test)]
mod tests;
