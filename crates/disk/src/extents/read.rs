//! Reading any range of the map, from memory and from files of the store.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use super::{Content, Extent, Extents, StoredFile};

/// Why a stored file can't be read; the inner error of the `io::Error` that reading returns.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file can't be opened or read.
    #[error("{}: cannot read this file of the store: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file ends too early.
    #[error(
        "{}: this file of the store should have {len} bytes and ends before byte {needed}; \
         remove it and build again",
        path.display()
    )]
    Short {
        /// The file.
        path: PathBuf,
        /// The length it should have, in bytes.
        len: u64,
        /// The end of the range that was asked for.
        needed: u64,
    },
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        let kind = match &error {
            ReadError::Io { source, .. } => source.kind(),
            ReadError::Short { .. } => io::ErrorKind::UnexpectedEof,
        };
        Self::new(kind, error)
    }
}

impl Extents {
    /// Fills `buffer` with the bytes from `offset` on; gaps read as zeros.
    ///
    /// A range that isn't wholly inside the map is refused. A stored file that is missing or too
    /// short is named in the error ([`ReadError`]).
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let len = buffer.len() as u64;
        self.check_bounds(offset, len)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let end = offset + len;
        let mut filled = 0;
        for run in self.runs_in(offset, end) {
            let from = run.offset.max(offset);
            let start = (from - offset) as usize;
            let stop = (run.end().min(end) - offset) as usize;
            buffer[filled..start].fill(0);
            read_run(run, from - run.offset, &mut buffer[start..stop])?;
            filled = stop;
        }
        buffer[filled..].fill(0);
        Ok(())
    }
}

fn read_run(run: &Extent, skip: u64, target: &mut [u8]) -> io::Result<()> {
    match &run.content {
        Content::Bytes(bytes) => {
            let skip = skip as usize;
            target.copy_from_slice(&bytes[skip..skip + target.len()]);
            Ok(())
        }
        Content::File { file, offset } => Ok(read_file(file, offset + skip, target)?),
    }
}

fn read_file(file: &StoredFile, offset: u64, target: &mut [u8]) -> Result<(), ReadError> {
    let needed = offset + target.len() as u64;
    let mut read = || -> io::Result<()> {
        let mut open = File::open(&file.path)?;
        open.seek(SeekFrom::Start(offset))?;
        open.read_exact(target)
    };
    read().map_err(|source| match source.kind() {
        io::ErrorKind::UnexpectedEof => ReadError::Short {
            path: file.path.clone(),
            len: file.len,
            needed,
        },
        _ => ReadError::Io {
            path: file.path.clone(),
            source,
        },
    })
}
