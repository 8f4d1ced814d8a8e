//! A file that already is the disk: reading and comparing it costs less than writing it, and who
//! looks at its time sees that nothing changed.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use nodeimage_disk::block_map::BlockMap;
use nodeimage_disk::{Extents, StoredFile};

use super::{RawOptions, Written, allocated, pass};
use crate::{FormatError, Progress};

/// What stands at `path`, if it is this disk to the last byte: every block is compared with the
/// map, and there is nothing in between. The first block has the image id in it, so that another
/// image's file is told from it at once.
pub(super) fn unchanged(
    disk: &Extents,
    map: &BlockMap,
    path: &Path,
    options: &RawOptions<'_>,
) -> Result<Option<Written>, FormatError> {
    let Some((file, there)) = open(disk, map, path) else {
        return Ok(None);
    };
    let stop_only = |_, total| match options.on_bytes {
        Some(progress) => progress.tell(0, total),
        None => ControlFlow::Continue(()),
    };
    let quiet = RawOptions {
        on_bytes: Some(Progress::new(&stop_only)),
        ..*options
    };
    let sha256 = match pass(&there, map, &quiet, |_, _| Ok(())) {
        Ok(sha256) => sha256,
        Err(FormatError::Cancelled) => return Err(FormatError::Cancelled),
        Err(_) => return Ok(None),
    };
    let total = disk.blocks().map(|block| block.len()).sum();
    if let Some(progress) = options.on_bytes {
        let _ = progress.tell(total, total);
    }
    Ok(allocated(&file).ok().map(|allocated| Written {
        len: disk.size(),
        allocated,
        sha256,
    }))
}

/// The file and its bytes where the disk has blocks, when it may be the disk.
fn open(disk: &Extents, map: &BlockMap, path: &Path) -> Option<(File, Extents)> {
    // Then not every block has a hash.
    if map.is_overflowed() {
        return None;
    }
    let found = std::fs::symlink_metadata(path).ok()?;
    if !found.is_file() || found.len() != disk.size() {
        return None;
    }
    let file = File::open(path).ok()?;
    let stored = Arc::new(StoredFile {
        path: path.to_owned(),
        len: disk.size(),
        block_hashes: Vec::new(),
    });
    let mut there = Extents::new(disk.size());
    let mut at = 0;
    for block in disk.blocks() {
        if !is_hole(&file, at, block.offset()) {
            return None;
        }
        there
            .push_file(
                block.offset(),
                Arc::clone(&stored),
                block.offset(),
                block.len(),
            )
            .ok()?;
        at = block.offset() + block.len();
    }
    is_hole(&file, at, disk.size()).then_some((file, there))
}

/// Whether the file has nothing at all in `[from, to)`.
#[cfg(unix)]
fn is_hole(file: &File, from: u64, to: u64) -> bool {
    use rustix::fs::{SeekFrom, seek};
    from >= to
        || match seek(file, SeekFrom::Data(from)) {
            Ok(data) => data >= to,
            Err(error) => error == rustix::io::Errno::NXIO,
        }
}

#[cfg(not(unix))]
fn is_hole(_: &File, from: u64, to: u64) -> bool {
    from >= to
}
