//! Compressors whose bytes depend on how their input is cut get it in pieces of one size.

use std::io::{self, Write};

/// Size of a piece in bytes.
const PIECE: usize = 128 * 1024;

/// Passes its input on in pieces of one fixed size.
#[derive(Debug)]
pub struct Pieces<W: Write> {
    out: W,
    buffer: Vec<u8>,
}

impl<W: Write> Pieces<W> {
    pub(super) fn new(out: W) -> Self {
        Self {
            out,
            buffer: Vec::with_capacity(PIECE),
        }
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        if !self.buffer.is_empty() {
            self.out.write_all(&self.buffer)?;
        }
        Ok(self.out)
    }
}

impl<W: Write> Write for Pieces<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let (true, Some(piece)) = (self.buffer.is_empty(), bytes.get(..PIECE)) {
            self.out.write_all(piece)?;
            return Ok(PIECE);
        }
        let take = bytes.len().min(PIECE - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..take]);
        if self.buffer.len() == PIECE {
            self.out.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(take)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
