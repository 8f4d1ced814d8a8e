//! A sparse file that appears under its name only when it is complete.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::FormatError;
use crate::aside::Aside;

/// Zero pages are not written.
const PAGE: usize = 4096;

static ZEROS: [u8; PAGE] = [0; PAGE];

/// The file on its way. Dropped before it is finished, it is removed.
#[derive(Debug)]
pub(super) struct SparseFile {
    file: Aside,
    path: PathBuf,
}

impl SparseFile {
    /// A file of `len` zeros beside `path`.
    pub(super) fn create(path: &Path, len: u64) -> Result<Self, FormatError> {
        let mut file = Aside::create(path)?;
        file.file().set_len(len).map_err(failed(path))?;
        Ok(Self {
            file,
            path: path.to_owned(),
        })
    }

    /// Writes the pages of `bytes` that aren't zero.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), FormatError> {
        self.write_pages(offset, bytes)
            .map_err(failed(&self.path.clone()))
    }

    fn write_pages(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut at = 0;
        while at < bytes.len() {
            let zeros = pages(&bytes[at..], true);
            at += zeros;
            let run = pages(&bytes[at..], false);
            if run > 0 {
                let file = self.file.file();
                file.seek(SeekFrom::Start(offset + at as u64))?;
                file.write_all(&bytes[at..at + run])?;
                at += run;
            }
        }
        Ok(())
    }

    /// Makes it durable and gives it its name. Returns the bytes that it takes.
    pub(super) fn finish(self) -> Result<u64, FormatError> {
        let file = self.file.commit()?;
        allocated(&file).map_err(failed(&self.path))
    }
}

/// Bytes of the pages that `bytes` begins with and that all are, or all are not, zero.
fn pages(bytes: &[u8], zero: bool) -> usize {
    bytes
        .chunks(PAGE)
        .take_while(|page| (**page == ZEROS[..page.len()]) == zero)
        .map(<[u8]>::len)
        .sum()
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> FormatError {
    let path = path.to_owned();
    |source| FormatError::Write { path, source }
}

/// Bytes that a file takes.
#[cfg(unix)]
pub(super) fn allocated(file: &File) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    // st_blocks counts 512-byte units whatever the file system's block is.
    Ok(file.metadata()?.blocks() * 512)
}

/// Bytes that a file takes.
#[cfg(not(unix))]
pub(super) fn allocated(file: &File) -> io::Result<u64> {
    Ok(file.metadata()?.len())
}
