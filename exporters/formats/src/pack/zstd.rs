//! Zstandard (RFC 8878), a frame for each unit, by one thread each: libzstd's own threads make other
//! bytes on other days.

use std::fmt;

use super::{padded, pays};
use crate::pool::Pool;
use crate::{FormatError, Packer, Unit, zero};

/// Cuts blocks into units and makes a frame of each, where that pays. A unit that the disk's end
/// cuts is padded with zeros.
pub struct Zstandard {
    format: &'static str,
    unit: usize,
    level: u32,
    tools: Pool<Tools>,
}

struct Tools {
    compressor: zstd::bulk::Compressor<'static>,
    out: Vec<u8>,
    scratch: Vec<u8>,
}

impl Zstandard {
    /// Units of `unit` bytes, at least one, at libzstd's `level`: 1 to 22.
    pub fn new(format: &'static str, unit: usize, level: u32) -> Self {
        Self {
            format,
            unit: unit.max(1),
            level,
            tools: Pool::new(),
        }
    }

    fn tools(&self) -> Result<Tools, FormatError> {
        let level = self.level.min(22).cast_signed();
        let compressor =
            zstd::bulk::Compressor::new(level).map_err(|error| FormatError::Codec {
                format: self.format,
                what: error.to_string(),
            })?;
        Ok(Tools {
            compressor,
            out: Vec::new(),
            scratch: Vec::new(),
        })
    }
}

fn pack_one(bytes: &[u8], unit: usize, tools: &mut Tools) -> Unit {
    if zero::is_zero(bytes) {
        return Unit::Zero;
    }
    let bytes = padded(bytes, unit, &mut tools.scratch);
    tools.out.resize(bytes.len().max(64), 0);
    let packed = tools
        .compressor
        .compress_to_buffer(bytes, tools.out.as_mut_slice());
    match packed {
        Ok(len) if pays(bytes.len(), len) => Unit::Packed(tools.out[..len].to_vec()),
        // It got longer, or not short enough.
        _ => Unit::Plain,
    }
}

impl Packer for Zstandard {
    fn pack(&self, _: u64, bytes: &[u8]) -> Result<Vec<Unit>, FormatError> {
        let all = |tools: &mut Tools| {
            let units = bytes.chunks(self.unit);
            Ok(units.map(|unit| pack_one(unit, self.unit, tools)).collect())
        };
        self.tools.with(|| self.tools(), all)
    }

    fn shared_as(&self) -> Option<String> {
        Some(format!("zstd {} {}", self.unit, self.level))
    }
}

impl fmt::Debug for Zstandard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zstandard")
            .field("unit", &self.unit)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}
