//! No compression: the zero units of a block are found, the others stay.

use crate::{FormatError, Packer, Unit, zero};

/// Cuts blocks into units of so many bytes, which are zero or plain.
#[derive(Clone, Copy, Debug)]
pub struct Stored {
    unit: usize,
}

impl Stored {
    /// Units of `unit` bytes, at least one.
    pub fn new(unit: usize) -> Self {
        Self { unit: unit.max(1) }
    }
}

impl Packer for Stored {
    fn pack(&self, _: u64, bytes: &[u8]) -> Result<Vec<Unit>, FormatError> {
        let unit = |bytes: &[u8]| {
            if zero::is_zero(bytes) {
                Unit::Zero
            } else {
                Unit::Plain
            }
        };
        Ok(bytes.chunks(self.unit).map(unit).collect())
    }

    fn shared_as(&self) -> Option<String> {
        Some(format!("stored {}", self.unit))
    }
}
