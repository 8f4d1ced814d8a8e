//! A raw file as a disk: its holes are known without reading them.

use std::ops::Range;

use nodeimage_disk::SECTOR;

use crate::{Disk, FormatError, Input, OpenOptions, Opened};

struct RawDisk {
    input: Input,
}

/// Opens any file. A last sector that is cut short is filled with zeros.
pub(super) fn open(input: Input, _: &OpenOptions) -> Result<Opened, FormatError> {
    if input.is_empty() {
        return Err(FormatError::Damaged {
            format: "raw",
            offset: 0,
            what: "the file is empty".to_owned(),
        });
    }
    if input.len() > i64::MAX as u64 - SECTOR {
        return Err(FormatError::Unsupported {
            format: "raw",
            what: "the file is larger than 2^63 bytes".to_owned(),
        });
    }
    Ok(Opened {
        kind: "raw",
        disk: Box::new(RawDisk { input }),
        facts: Vec::new(),
    })
}

impl Disk for RawDisk {
    fn size(&self) -> u64 {
        self.input.len().next_multiple_of(SECTOR)
    }

    fn next_data(&self, from: u64) -> Result<Option<Range<u64>>, FormatError> {
        next_data_of(&self.input, from, self.input.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), FormatError> {
        let there = self.input.len().saturating_sub(offset);
        let there = there.min(buffer.len() as u64) as usize;
        let (inside, behind) = buffer.split_at_mut(there);
        behind.fill(0);
        self.input.read_at("raw", offset, inside)
    }
}

/// The next range of the file's first `len` bytes that may hold something.
pub(crate) fn next_data_of(
    input: &Input,
    from: u64,
    len: u64,
) -> Result<Option<Range<u64>>, FormatError> {
    if from >= len {
        return Ok(None);
    }
    let found = next_data(input.file(), from, len);
    let found = found.map_err(|source| FormatError::Input {
        path: input.path().to_owned(),
        source,
    })?;
    let range = found.map(|range| range.start.max(from)..range.end.min(len));
    Ok(range.filter(|range| !range.is_empty()))
}

/// By `lseek`'s SEEK_DATA and SEEK_HOLE. Where the system can't tell, all is data.
#[cfg(target_os = "linux")]
fn next_data(file: &std::fs::File, from: u64, len: u64) -> std::io::Result<Option<Range<u64>>> {
    use rustix::fs::{SeekFrom, seek};
    use rustix::io::Errno;
    match seek(file, SeekFrom::Data(from)) {
        Ok(start) => {
            let end = seek(file, SeekFrom::Hole(start)).unwrap_or(len);
            Ok(Some(start..end.max(start + 1)))
        }
        // No data follow.
        Err(Errno::NXIO) => Ok(None),
        Err(_) => Ok(Some(from..len)),
    }
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
fn next_data(_: &std::fs::File, from: u64, len: u64) -> std::io::Result<Option<Range<u64>>> {
    Ok(Some(from..len))
}
