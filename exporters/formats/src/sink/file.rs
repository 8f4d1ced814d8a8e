//! A sparse file that appears under its name only when it is complete.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::aside::Aside;
use crate::{FormatError, Sink, zero};

/// Zero pages are not written.
const PAGE: usize = 4096;

/// The file on its way. Dropped before it is committed, it is removed.
#[derive(Debug)]
pub(crate) struct FileSink {
    file: Aside,
    path: PathBuf,
    /// Where what was written ends.
    end: u64,
    /// Its length in the end, at least.
    len: u64,
}

impl FileSink {
    /// An empty file beside `path`.
    pub(crate) fn create(path: &Path) -> Result<Self, FormatError> {
        Ok(Self {
            file: Aside::create(path)?,
            path: path.to_owned(),
            end: 0,
            len: 0,
        })
    }

    /// Gives it its length, and returns that and the bytes that it takes.
    pub(crate) fn complete(&mut self) -> Result<(u64, u64), FormatError> {
        let len = self.end.max(self.len);
        let file = self.file.file();
        let done = file.set_len(len).and_then(|()| allocated(file));
        Ok((len, done.map_err(failed(&self.path))?))
    }

    /// Makes it durable.
    pub(crate) fn sync(&mut self) -> Result<(), FormatError> {
        let synced = self.file.file().sync_all();
        synced.map_err(failed(&self.path))
    }

    /// The file, for reading.
    pub(crate) fn reread(&self) -> Result<File, FormatError> {
        self.file.reopen().map_err(failed(&self.path))
    }

    /// Gives it its name.
    pub(crate) fn commit(self) -> Result<(), FormatError> {
        self.file.commit()?;
        Ok(())
    }

    /// Its name.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Sink for FileSink {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), FormatError> {
        // What stands there may be overwritten with zeros.
        let known = self.end.saturating_sub(offset).min(bytes.len() as u64);
        let (old, new) = bytes.split_at(known as usize);
        let file = self.file.file();
        let write = |at: u64, bytes: &[u8]| write_all_at(file, at, bytes);
        let all = || {
            if !old.is_empty() {
                write(offset, old)?;
            }
            let mut at = 0;
            while at < new.len() {
                at += zero::run(&new[at..], PAGE, true);
                let run = zero::run(&new[at..], PAGE, false);
                if run > 0 {
                    write(offset + known + at as u64, &new[at..at + run])?;
                    at += run;
                }
            }
            Ok(())
        };
        all().map_err(failed(&self.path))?;
        self.end = self.end.max(offset + bytes.len() as u64);
        Ok(())
    }

    fn set_len(&mut self, len: u64) -> Result<(), FormatError> {
        self.len = self.len.max(len);
        Ok(())
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> FormatError + use<> {
    let path = path.to_owned();
    |source| FormatError::Write { path, source }
}

#[cfg(unix)]
fn write_all_at(file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(not(unix))]
fn write_all_at(mut file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    use std::io::{Seek, SeekFrom, Write};
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)
}

/// Bytes that a file takes.
#[cfg(unix)]
fn allocated(file: &File) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    // st_blocks counts 512-byte units whatever the file system's block is.
    Ok(file.metadata()?.blocks() * 512)
}

/// Bytes that a file takes.
#[cfg(not(unix))]
fn allocated(file: &File) -> io::Result<u64> {
    Ok(file.metadata()?.len())
}
