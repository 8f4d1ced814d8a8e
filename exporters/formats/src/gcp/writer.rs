//! Writing.

use std::sync::Arc;

use nodeimage_disk::BLOCK;

use super::NAME;
use super::crc::{join, shift};
use super::pack::{Piece, Pieces};
use super::tar;
use crate::format::Settings;
use crate::{FormatError, Packer, Plan, Sink, Unit, Writer};

const GIB: u64 = 1 << 30;

/// No file name, no time, an unknown system: the same everywhere.
const FRONT: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// The end of a deflate stream: a block that is empty and the last.
const LAST: [u8; 2] = [3, 0];

/// Bytes of repeated pieces that are written at a time, about.
const BATCH: usize = 256 << 10;

/// Largest disk: a size near 2^64 has no tar around it.
const MAX_SIZE: u64 = 1 << 60;

/// Begins a file.
pub(super) fn new(plan: &Plan, settings: &Settings) -> Result<Box<dyn Writer>, FormatError> {
    let limit = |what: String| FormatError::Limit { format: NAME, what };
    if plan.size > MAX_SIZE {
        return Err(limit("disks of more than 1 EiB do not fit".to_owned()));
    }
    if !plan.size.is_multiple_of(GIB) {
        return Err(limit(format!(
            "Google takes whole GiB only and the disk has {} bytes; make it {} GiB",
            plan.size,
            plan.size.div_ceil(GIB)
        )));
    }
    let pieces = Arc::new(Pieces::new(settings.level));
    let zeros = pieces.piece(&vec![0; BLOCK as usize])?;
    Ok(Box::new(Gcp {
        size: plan.size,
        pieces,
        zeros,
        shift: shift(BLOCK),
        crc: 0,
        next: 0,
        end: 0,
    }))
}

/// A file at work.
struct Gcp {
    size: u64,
    pieces: Arc<Pieces>,
    /// A block of zeros, packed.
    zeros: Unit,
    /// That of a block.
    shift: u32,
    /// The checksum of what is in so far.
    crc: u32,
    /// The next block.
    next: u64,
    /// Where what is written ends.
    end: u64,
}

impl Gcp {
    fn put(&mut self, bytes: &[u8], sink: &mut dyn Sink) -> Result<(), FormatError> {
        sink.write_at(self.end, bytes)?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Bytes of the tar itself.
    fn put_packed(&mut self, bytes: &[u8], sink: &mut dyn Sink) -> Result<(), FormatError> {
        let unit = self.pieces.piece(bytes)?;
        let piece = Piece::of(&unit)?;
        self.crc = join(self.crc, piece.crc, shift(bytes.len() as u64));
        self.put(piece.deflated, sink)
    }

    /// Zeros up to a block.
    fn reach(&mut self, block: u64, sink: &mut dyn Sink) -> Result<(), FormatError> {
        let zeros = self.zeros.clone();
        let piece = Piece::of(&zeros)?;
        let many = (BATCH / piece.deflated.len().max(1)).max(1) as u64;
        let many = many.min(block.saturating_sub(self.next));
        let batch = piece.deflated.repeat(many as usize);
        while self.next < block {
            let count = (block - self.next).min(many);
            for _ in 0..count {
                self.crc = join(self.crc, piece.crc, self.shift);
            }
            self.put(&batch[..count as usize * piece.deflated.len()], sink)?;
            self.next += count;
        }
        Ok(())
    }
}

impl Writer for Gcp {
    fn packer(&self) -> Option<Arc<dyn Packer>> {
        Some(Arc::clone(&self.pieces) as Arc<dyn Packer>)
    }

    fn is_streamable(&self) -> bool {
        true
    }

    fn begin(&mut self, sink: &mut dyn Sink) -> Result<(), FormatError> {
        self.put(&FRONT, sink)?;
        self.put_packed(&tar::header(self.size), sink)
    }

    fn block(
        &mut self,
        block: u64,
        _: &[u8],
        units: &[Unit],
        sink: &mut dyn Sink,
    ) -> Result<(), FormatError> {
        if self.next < block {
            self.reach(block, sink)?;
        }
        for unit in units {
            let piece = Piece::of(unit)?;
            self.crc = join(self.crc, piece.crc, self.shift);
            self.put(piece.deflated, sink)?;
        }
        self.next = block + 1;
        Ok(())
    }

    fn finish(&mut self, sink: &mut dyn Sink) -> Result<(), FormatError> {
        self.reach(self.size / BLOCK, sink)?;
        let padding = tar::padding(self.size);
        self.put_packed(&vec![0; padding as usize], sink)?;
        self.put(&LAST, sink)?;
        self.put(&self.crc.to_le_bytes(), sink)?;
        // Modulo 2^32.
        let len = (512 + self.size + padding) as u32;
        self.put(&len.to_le_bytes(), sink)
    }
}
