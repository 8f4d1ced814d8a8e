//! Deflate (RFC 1951) by libdeflate.

use std::fmt;

use libdeflater::{CompressionLvl, Compressor};

use super::incompressible::is_even;
use super::{padded, pays};
use crate::pool::Pool;
use crate::{FormatError, Packer, Unit, zero};

/// Cuts blocks into units and makes a raw deflate stream of each, where that pays. A unit that the
/// disk's end cuts is padded with zeros.
pub struct Deflate {
    format: &'static str,
    unit: usize,
    level: u32,
    tools: Pool<Tools>,
}

struct Tools {
    compressor: Compressor,
    /// Finds repeated strings, or that there are none, at ten times the speed.
    quick: zstd::bulk::Compressor<'static>,
    out: Vec<u8>,
    scratch: Vec<u8>,
}

impl Deflate {
    /// Units of `unit` bytes, at least one, at libdeflate's `level`: 1 to 12.
    ///
    /// # Errors
    /// There is no such level.
    pub fn new(format: &'static str, unit: usize, level: u32) -> Result<Self, FormatError> {
        let packer = Self {
            format,
            unit: unit.max(1),
            level,
            tools: Pool::new(),
        };
        packer.level()?;
        Ok(packer)
    }

    fn level(&self) -> Result<CompressionLvl, FormatError> {
        let level = i32::try_from(self.level).ok();
        let level = level.and_then(|level| CompressionLvl::new(level).ok());
        level.ok_or_else(|| self.failed(format!("there is no level {}", self.level)))
    }

    fn failed(&self, what: impl ToString) -> FormatError {
        FormatError::Codec {
            format: self.format,
            what: what.to_string(),
        }
    }

    fn tools(&self) -> Result<Tools, FormatError> {
        let quick = zstd::bulk::Compressor::new(1).map_err(|error| self.failed(error))?;
        Ok(Tools {
            compressor: Compressor::new(self.level()?),
            quick,
            out: Vec::new(),
            scratch: Vec::new(),
        })
    }

    fn pack_one(&self, bytes: &[u8], tools: &mut Tools) -> Result<Unit, FormatError> {
        if zero::is_zero(bytes) {
            return Ok(Unit::Zero);
        }
        let bytes = padded(bytes, self.unit, &mut tools.scratch);
        tools.out.resize(bytes.len().max(64), 0);
        if is_even(bytes) {
            // No room to save anything in: an error.
            let room = bytes.len() - bytes.len() / 64;
            let tried = tools
                .quick
                .compress_to_buffer(bytes, &mut tools.out[..room]);
            if tried.is_err() {
                return Ok(Unit::Plain);
            }
        }
        let packed = tools.compressor.deflate_compress(bytes, &mut tools.out);
        Ok(match packed {
            Ok(len) if pays(bytes.len(), len) => Unit::Packed(tools.out[..len].to_vec()),
            // It got longer, or not short enough.
            _ => Unit::Plain,
        })
    }
}

impl Packer for Deflate {
    fn pack(&self, _: u64, bytes: &[u8]) -> Result<Vec<Unit>, FormatError> {
        let all = |tools: &mut Tools| {
            let units = bytes.chunks(self.unit);
            units.map(|unit| self.pack_one(unit, tools)).collect()
        };
        self.tools.with(|| self.tools(), all)
    }

    fn shared_as(&self) -> Option<String> {
        Some(format!("deflate {} {}", self.unit, self.level))
    }
}

impl fmt::Debug for Deflate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflate")
            .field("unit", &self.unit)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}
