//! Files that disks are read from: bounds are checked, nothing is written.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::{FormatError, zero};

/// Bytes of a stream that are kept, or left out as zeros, at a time.
const SPOOL: usize = 64 << 10;

/// A file, to be read in any order and from any thread.
#[derive(Debug)]
pub struct Input {
    file: File,
    path: PathBuf,
    len: u64,
}

impl Input {
    /// Opens a regular file or a block device.
    ///
    /// # Errors
    /// It can't be opened, or it is something else.
    pub fn open(path: &Path) -> Result<Self, FormatError> {
        let failed = |source| FormatError::Input {
            path: path.to_owned(),
            source,
        };
        let kind = std::fs::metadata(path).map_err(failed)?.file_type();
        // Opening a pipe would wait for its writer.
        if !is_seekable(kind) {
            return Err(FormatError::NotSeekable(path.to_owned()));
        }
        Self::of(File::open(path).map_err(failed)?, path.to_owned())
    }

    /// Takes an open file; `path` is what errors call it.
    ///
    /// # Errors
    /// It has no length.
    pub fn of(mut file: File, path: PathBuf) -> Result<Self, FormatError> {
        // A block device has no length in its metadata.
        match file.seek(SeekFrom::End(0)) {
            Ok(len) => Ok(Self { file, path, len }),
            Err(source) => Err(FormatError::Input { path, source }),
        }
    }

    /// Keeps a stream in a file without a name in `folder`, sparse, which is gone with the process.
    /// `name` is what errors call it; `go_on` is asked whether to.
    ///
    /// # Errors
    /// The stream can't be read or the file not be written; it was stopped.
    pub fn spool(
        mut stream: impl Read,
        name: PathBuf,
        folder: &Path,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Self, FormatError> {
        let unwritten = |source| FormatError::Write {
            path: folder.to_owned(),
            source,
        };
        let mut file = tempfile::tempfile_in(folder).map_err(unwritten)?;
        let mut buffer = vec![0; SPOOL];
        let mut len = 0;
        while go_on() {
            let got = match fill(&mut stream, &mut buffer) {
                Ok(got) => got,
                Err(source) => return Err(FormatError::Input { path: name, source }),
            };
            let bytes = &buffer[..got];
            if !zero::is_zero(bytes) {
                file.seek(SeekFrom::Start(len))
                    .and_then(|_| file.write_all(bytes))
                    .map_err(unwritten)?;
            }
            len += got as u64;
            if got < buffer.len() {
                file.set_len(len).map_err(unwritten)?;
                return Self::of(file, name);
            }
        }
        Err(FormatError::Cancelled)
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Its name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its length in bytes when it was opened.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has no byte.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Fills `buffer` with the bytes from `offset` on. `format` names who asks.
    ///
    /// # Errors
    /// The file ends before, or the system's.
    pub fn read_at(
        &self,
        format: &'static str,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<(), FormatError> {
        let end = offset.checked_add(buffer.len() as u64);
        if end.is_none_or(|end| end > self.len) {
            return Err(FormatError::Damaged {
                format,
                offset,
                what: format!(
                    "{} bytes are needed here and the file ends at {}: it was cut short, or this \
                     offset is wrong",
                    buffer.len(),
                    self.len
                ),
            });
        }
        read_exact_at(&self.file, buffer, offset).map_err(|source| FormatError::Input {
            path: self.path.clone(),
            source,
        })
    }
}

/// Fills the buffer as far as the stream goes.
fn fill(stream: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match stream.read(&mut buffer[got..]) {
            Ok(0) => break,
            Ok(count) => got += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

#[cfg(unix)]
fn is_seekable(kind: std::fs::FileType) -> bool {
    use std::os::unix::fs::FileTypeExt;
    kind.is_file() || kind.is_block_device()
}

#[cfg(not(unix))]
fn is_seekable(kind: std::fs::FileType) -> bool {
    kind.is_file()
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !buffer.is_empty() {
        let got = file.seek_read(buffer, offset)?;
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer = &mut buffer[got..];
        offset += got as u64;
    }
    Ok(())
}
