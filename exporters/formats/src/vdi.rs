//! VDI 1.1, VirtualBox's dynamic images.
//!
//! Written: header, block map, then blocks of 1 MiB by ascending number. No document is published;
//! the facts are those that VirtualBox and QEMU agree on.

mod header;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

use crate::format::{Choice, Format, Reader};

const NAME: &str = "vdi";

/// The format.
pub(crate) const FORMAT: Format = Format {
    name: NAME,
    kind: NAME,
    about: "VirtualBox, dynamic",
    ending: ".vdi",
    choices: &[Choice::STORED],
    writer: writer::new,
    reader: Some(Reader {
        probe: |edges| header::is_one(edges.head),
        open: reader::open,
    }),
};
