//! QCOW2, versions 2 and 3, by QEMU's specification (docs/interop/qcow2.rst).
//!
//! Written: version 3, clusters of 64 KiB, in this order: header; L1 table; for each 512 MiB of the
//! disk that hold something their clusters and the L2 table; refcount blocks; refcount table. Only the
//! header and the L1 table are written late.

mod chain;
mod header;
mod inflate;
mod place;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

use crate::format::{Choice, Format, Reader};

const NAME: &str = "qcow2";

/// The format.
pub(crate) const FORMAT: Format = Format {
    name: NAME,
    kind: NAME,
    about: "QEMU, OpenStack; version 3",
    ending: ".qcow2",
    choices: &[Choice::STORED, Choice::ZLIB, Choice::ZSTD],
    writer: writer::new,
    reader: Some(Reader {
        probe: |edges| edges.head.starts_with(&header::MAGIC),
        open: reader::open,
    }),
};
