//! A sparse file that appears under its name only when it is complete.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::FormatError;

/// Zero pages are not written.
const PAGE: usize = 4096;

/// The file on its way. Dropped before it is finished, it is removed.
#[derive(Debug)]
pub(super) struct SparseFile {
    file: NamedTempFile,
    path: PathBuf,
}

impl SparseFile {
    /// A file of `len` zeros beside `path`.
    pub(super) fn create(path: &Path, len: u64) -> Result<Self, FormatError> {
        let fail = |source| FormatError::Write {
            path: path.to_owned(),
            source,
        };
        match fs::symlink_metadata(path) {
            Ok(found) if !found.is_file() && !found.is_symlink() => {
                return Err(FormatError::NotAFile(path.to_owned()));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(fail(error)),
        }
        let name = path
            .file_name()
            .ok_or_else(|| FormatError::NotAFile(path.to_owned()))?;
        let mut prefix = std::ffi::OsString::from(".");
        prefix.push(name);
        prefix.push(".");
        let file = temporary(&prefix, folder(path)).map_err(fail)?;
        file.as_file().set_len(len).map_err(fail)?;
        Ok(Self {
            file,
            path: path.to_owned(),
        })
    }

    /// Writes the pages of `bytes` that aren't zero.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), FormatError> {
        self.write_pages(offset, bytes)
            .map_err(|source| FormatError::Write {
                path: self.path.clone(),
                source,
            })
    }

    fn write_pages(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let is_zero = |page: &[u8]| page.iter().all(|byte| *byte == 0);
        let mut at = offset;
        let file = self.file.as_file_mut();
        let pages: Vec<_> = bytes.chunks(PAGE).collect();
        for run in pages.chunk_by(|a, b| is_zero(a) == is_zero(b)) {
            let len: usize = run.iter().map(|page| page.len()).sum();
            if !run.first().is_none_or(|page| is_zero(page)) {
                let start = (at - offset) as usize;
                file.seek(SeekFrom::Start(at))?;
                file.write_all(&bytes[start..start + len])?;
            }
            at += len as u64;
        }
        Ok(())
    }

    /// Makes it durable and gives it its name. Returns the bytes that it takes.
    pub(super) fn finish(self) -> Result<u64, FormatError> {
        let path = self.path;
        let fail = |source| FormatError::Write {
            path: path.clone(),
            source,
        };
        self.file.as_file().sync_all().map_err(fail)?;
        let file = self
            .file
            .persist(&path)
            .map_err(|error| fail(error.error))?;
        let allocated = allocated(&file).map_err(fail)?;
        sync_folder(folder(&path)).map_err(fail)?;
        Ok(allocated)
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(unix)]
fn temporary(prefix: &std::ffi::OsStr, folder: &Path) -> io::Result<NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    // As any new file: the process's umask applies.
    let mode = fs::Permissions::from_mode(0o666);
    tempfile::Builder::new()
        .prefix(prefix)
        .suffix(".part")
        .permissions(mode)
        .tempfile_in(folder)
}

#[cfg(not(unix))]
fn temporary(prefix: &std::ffi::OsStr, folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(prefix)
        .suffix(".part")
        .tempfile_in(folder)
}

#[cfg(unix)]
fn allocated(file: &File) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    // st_blocks counts 512-byte units whatever the file system's block is.
    Ok(file.metadata()?.blocks() * 512)
}

#[cfg(not(unix))]
fn allocated(file: &File) -> io::Result<u64> {
    Ok(file.metadata()?.len())
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
