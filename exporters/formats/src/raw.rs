//! Raw: the disk's bytes themselves, as a sparse file or a stream.

mod reader;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::Path;

use nodeimage_disk::block_map::BlockMap;
use nodeimage_disk::{BLOCK, Extents};

use crate::format::{Choice, Codec, Format, Reader, Settings};
use crate::{Canonical, FormatError, Sink, Target, Unit, Writer};

pub use crate::driver::{WriteOptions as RawOptions, Written};
pub(crate) use reader::next_data_of;

/// The format.
pub(crate) const FORMAT: Format = Format {
    name: "raw",
    kind: "raw",
    about: "the disk itself, sparse",
    ending: ".img",
    choices: &[Choice::STORED],
    writer: |plan, _| Ok(Box::new(Raw { size: plan.size })),
    reader: Some(Reader {
        // What nothing else is.
        probe: |_| false,
        open: reader::open,
    }),
};

/// Raw bytes have nothing to choose.
const SETTINGS: Settings = Settings {
    codec: Codec::Stored,
    level: 0,
};

/// Writes a canonical disk as a sparse file. It has another name in the same folder until it is
/// complete and on disk, then replaces `path`; after an error nothing of it is left.
pub fn write(
    disk: &Extents,
    map: &BlockMap,
    path: &Path,
    options: &RawOptions<'_>,
) -> Result<Written, FormatError> {
    static RAW: Format = FORMAT;
    let target = Target {
        format: &RAW,
        settings: SETTINGS,
        path: path.to_owned(),
    };
    let disk = Canonical::new(disk, map)?;
    let written = crate::write_files(&disk, *map.image_id(), &[target], options)?;
    // One file was asked for.
    Ok(written[0])
}

/// Writes all bytes of a canonical disk to a stream, gaps as zeros.
pub fn write_to(
    disk: &Extents,
    map: &BlockMap,
    stream: &mut dyn Write,
    options: &RawOptions<'_>,
) -> Result<Written, FormatError> {
    let disk = Canonical::new(disk, map)?;
    crate::write_stream(&disk, *map.image_id(), &FORMAT, &SETTINGS, stream, options)
}

/// A raw file at work.
struct Raw {
    size: u64,
}

impl Writer for Raw {
    fn is_streamable(&self) -> bool {
        true
    }

    fn begin(&mut self, sink: &mut dyn Sink) -> Result<(), FormatError> {
        sink.set_len(self.size)
    }

    fn block(
        &mut self,
        block: u64,
        bytes: &[u8],
        _: &[Unit],
        sink: &mut dyn Sink,
    ) -> Result<(), FormatError> {
        sink.write_at(block * BLOCK, bytes)
    }

    fn finish(&mut self, _: &mut dyn Sink) -> Result<(), FormatError> {
        Ok(())
    }
}
