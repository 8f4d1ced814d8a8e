//! Raw: the disk's bytes themselves, as a sparse file or a stream.

mod file;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::path::Path;

use nodeimage_disk::Extents;
use nodeimage_disk::block_map::BlockMap;
use sha2::{Digest, Sha256};

use crate::pipeline::for_each_block;
use crate::{FormatError, Progress};
use file::SparseFile;

/// How to write.
#[derive(Clone, Copy, Debug, Default)]
pub struct RawOptions<'a> {
    /// Threads that read and check blocks; 0 is taken for 1. No effect on the bytes.
    pub threads: usize,
    /// Is told of every block.
    pub on_bytes: Option<Progress<'a>>,
    /// Whether to take the sha256 of all bytes, gaps included: about a second for each GiB.
    pub sha256: bool,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Bytes of the disk.
    pub len: u64,
    /// Bytes that the file takes on its file system; for a stream, all.
    pub allocated: u64,
    /// sha256 of all bytes, when asked for.
    pub sha256: Option<[u8; 32]>,
}

/// Writes a sparse file. It has another name in the same folder until it is complete and on disk,
/// then replaces `path`; after an error nothing of it is left.
pub fn write(
    disk: &Extents,
    map: &BlockMap,
    path: &Path,
    options: &RawOptions<'_>,
) -> Result<Written, FormatError> {
    let mut file = SparseFile::create(path, disk.size())?;
    let sha256 = pass(disk, map, options, |offset, bytes| {
        file.write(offset, bytes)
    })?;
    let allocated = file.finish()?;
    Ok(Written {
        len: disk.size(),
        allocated,
        sha256,
    })
}

/// Writes all bytes to a stream, gaps as zeros.
pub fn write_to(
    disk: &Extents,
    map: &BlockMap,
    stream: &mut dyn Write,
    options: &RawOptions<'_>,
) -> Result<Written, FormatError> {
    let mut at = 0;
    let sha256 = pass(disk, map, options, |offset, bytes| {
        zeros(offset - at, |gap| stream.write_all(gap)).map_err(FormatError::Stream)?;
        at = offset + bytes.len() as u64;
        stream.write_all(bytes).map_err(FormatError::Stream)
    })?;
    zeros(disk.size() - at, |gap| stream.write_all(gap)).map_err(FormatError::Stream)?;
    stream.flush().map_err(FormatError::Stream)?;
    Ok(Written {
        len: disk.size(),
        allocated: disk.size(),
        sha256,
    })
}

/// Gives every non-empty block to `sink` and takes the sha256 of the whole on the way.
fn pass(
    disk: &Extents,
    map: &BlockMap,
    options: &RawOptions<'_>,
    mut sink: impl FnMut(u64, &[u8]) -> Result<(), FormatError>,
) -> Result<Option<[u8; 32]>, FormatError> {
    let total = disk.blocks().map(|block| block.len()).sum();
    let mut done = 0;
    let mut hasher = options.sha256.then(|| Whole {
        hasher: Sha256::new(),
        at: 0,
    });
    for_each_block(disk, map, options.threads, |block, padded| {
        let bytes = &padded[..block.len() as usize];
        sink(block.offset(), bytes)?;
        if let Some(whole) = &mut hasher {
            whole.skip_to(block.offset());
            whole.update(bytes);
        }
        done += block.len();
        match options.on_bytes.map(|it| it.tell(done, total)) {
            Some(flow) if flow.is_break() => Err(FormatError::Cancelled),
            _ => Ok(()),
        }
    })?;
    Ok(hasher.map(|mut whole| {
        whole.skip_to(disk.size());
        whole.hasher.finalize().into()
    }))
}

/// The sha256 of bytes with gaps.
struct Whole {
    hasher: Sha256,
    at: u64,
}

impl Whole {
    fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.at += bytes.len() as u64;
    }

    fn skip_to(&mut self, offset: u64) {
        let hash = |gap: &[u8]| {
            self.hasher.update(gap);
            Ok(())
        };
        // Hashing can't fail.
        let _ = zeros(offset - self.at, hash);
        self.at = offset;
    }
}

/// `len` zero bytes in pieces.
fn zeros(len: u64, mut sink: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    static PIECE: [u8; 64 << 10] = [0; 64 << 10];
    let mut left = len;
    while left > 0 {
        let piece = left.min(PIECE.len() as u64);
        sink(&PIECE[..piece as usize])?;
        left -= piece;
    }
    Ok(())
}
