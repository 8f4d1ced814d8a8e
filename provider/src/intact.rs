//! Whether a file on this machine still is the disk that was written.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use nodeimage_disk::block_map::{self, BlockMap};
use nodeimage_disk::{Extents, StoredFile, ZERO_BLOCK_HASH};
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;
use tfplugin::Cancel;

/// Whether the file of `len` bytes is the disk with this digest (`sha256:…`): its block map has it,
/// and every block is what the map says. Holes where the map has nothing are not read.
///
/// # Errors
/// When it can't be read, or `cancel` was asked for.
pub(crate) fn is_intact(path: &Path, len: u64, digest: &str, cancel: &Cancel) -> io::Result<bool> {
    let mut holes = Holes::of(File::open(path)?);
    let file = StoredFile {
        path: path.to_owned(),
        len,
        block_hashes: Vec::new(),
    };
    let disk = Extents::from_file(Arc::new(file));
    if len < block_map::OFFSET + block_map::CAPACITY {
        return Ok(false);
    }
    let mut bytes = vec![0; block_map::CAPACITY as usize];
    disk.read_at(block_map::OFFSET, &mut bytes)?;
    let Ok(map) = BlockMap::parse(&bytes) else {
        return Ok(false);
    };
    if format!("sha256:{}", hex::encode(map.digest())) != digest || map.is_overflowed() {
        return Ok(false);
    }
    let mut scratch = Vec::new();
    for block in disk
        .blocks()
        .filter(|block| !block_map::OWN_BLOCKS.contains(&block.index()))
    {
        let expected = map.hash_of(block.index());
        if expected.is_none() && holes.cover(block.offset(), block.offset() + block.len())? {
            continue;
        }
        if cancel.is_cancelled() {
            return Err(io::Error::other("stopped before all of it was read"));
        }
        if block.hash(&mut scratch)? != *expected.unwrap_or(&ZERO_BLOCK_HASH) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The holes of a sparse file, asked for in ascending order.
struct Holes {
    file: File,
    /// From the last place that was asked for up to here there is a hole.
    data_at: u64,
}

impl Holes {
    fn of(file: File) -> Self {
        Self { file, data_at: 0 }
    }

    /// Whether a range lies in a hole.
    fn cover(&mut self, start: u64, end: u64) -> io::Result<bool> {
        if self.data_at <= start {
            self.data_at = match seek(&self.file, SeekFrom::Data(start)) {
                Ok(at) => at,
                // No data from here on.
                Err(Errno::NXIO) => u64::MAX,
                // A file system that knows no holes.
                Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => start,
                Err(error) => return Err(error.into()),
            };
        }
        Ok(end <= self.data_at)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn holes_end_where_data_begins() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(16 << 20).unwrap();
        file.write_all_at(b"x", 8 << 20).unwrap();
        let mut holes = Holes::of(file);
        assert!(holes.cover(0, 1 << 20).unwrap());
        assert!(holes.cover(7 << 20, 8 << 20).unwrap());
        assert!(!holes.cover(8 << 20, 9 << 20).unwrap());
        assert!(!holes.cover((8 << 20) - 1, (8 << 20) + 1).unwrap());
        assert!(holes.cover(12 << 20, 16 << 20).unwrap());
    }
}
