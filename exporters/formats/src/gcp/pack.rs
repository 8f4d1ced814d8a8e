//! Packing a block by itself: a piece of a deflate stream that ends on a byte.

use flate2::{Compress, Compression, FlushCompress};
use libdeflater::crc32;

use super::NAME;
use crate::pool::Pool;
use crate::{FormatError, Packer, Unit};

/// Room for frames and what a flush adds.
const SLACK: usize = 1024;

/// A piece and the checksum of what is in it.
#[derive(Clone, Debug)]
pub(super) struct Piece<'a> {
    pub(super) crc: u32,
    pub(super) deflated: &'a [u8],
}

impl<'a> Piece<'a> {
    /// A piece as [`Pieces`] leaves it: the checksum, then the deflated bytes.
    pub(super) fn of(unit: &'a Unit) -> Result<Self, FormatError> {
        match unit {
            Unit::Packed(bytes) => bytes.split_first_chunk().map(|(crc, deflated)| Self {
                crc: u32::from_le_bytes(*crc),
                deflated,
            }),
            _ => None,
        }
        .ok_or_else(|| failed("a block was not packed"))
    }
}

fn failed(what: impl ToString) -> FormatError {
    FormatError::Codec {
        format: NAME,
        what: what.to_string(),
    }
}

/// Makes pieces.
pub(super) struct Pieces {
    level: u32,
    tools: Pool<Compress>,
}

impl Pieces {
    pub(super) fn new(level: u32) -> Self {
        Self {
            level,
            tools: Pool::new(),
        }
    }

    /// Any bytes as a unit of one piece.
    pub(super) fn piece(&self, bytes: &[u8]) -> Result<Unit, FormatError> {
        let new = || Ok(Compress::new(Compression::new(self.level), false));
        self.tools.with(new, |tool| {
            tool.reset();
            // Deflate's worst case, so that one call is enough.
            let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 1000 + SLACK);
            out.extend(crc32(bytes).to_le_bytes());
            loop {
                let rest = &bytes[tool.total_in() as usize..];
                let status = tool.compress_vec(rest, &mut out, FlushCompress::Sync);
                status.map_err(failed)?;
                // When it leaves room, all of the flush is out.
                if out.len() < out.capacity() {
                    break;
                }
                out.reserve(SLACK);
            }
            out.shrink_to_fit();
            Ok(Unit::Packed(out))
        })
    }
}

impl Packer for Pieces {
    fn pack(&self, _: u64, bytes: &[u8]) -> Result<Vec<Unit>, FormatError> {
        Ok(vec![self.piece(bytes)?])
    }
}
