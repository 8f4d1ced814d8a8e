//! What Google Compute Engine imports: `disk.raw` in a tar of the old GNU kind, gzipped (RFC 1952).
//!
//! The gzip file has one member. Each block is packed by itself and ends on a byte, so blocks are
//! packed on any thread and one piece of zeros serves all that are left out.

mod crc;
mod pack;
mod tar;
#[cfg(test)]
mod tests;
mod writer;

use crate::format::{Choice, Codec, Format};

const NAME: &str = "gcp";

/// Deflate by zlib; its level 1 makes zeros ten times as long.
const GZIP: Choice = Choice {
    codec: Codec::Zlib,
    levels: 2..=9,
    level: 6,
};

/// The format.
pub(crate) const FORMAT: Format = Format {
    name: NAME,
    kind: NAME,
    about: "Google Compute Engine, disk.raw in a tar.gz; whole GiB",
    ending: ".img.tar.gz",
    choices: &[GZIP],
    writer: writer::new,
    reader: None,
};
