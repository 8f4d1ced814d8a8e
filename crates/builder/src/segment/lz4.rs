//! lz4's legacy frame (`lz4_Frame_format.md`, "Legacy frame"): magic, then blocks of 8 MiB, each
//! behind its compressed length.
//!
//! The frame has no end of its own. The kernel reads a length behind each block and takes zero for
//! the end (`lib/decompress_unlz4.c`, since Linux 5.9), so one follows here: then anything may stand
//! behind the frame, at once or after any number of zeros.

use std::io::{self, Write};

use lz4_flex::block::{compress_into, get_maximum_output_size};

const MAGIC: u32 = 0x184c_2102;
/// The kernel's buffer holds one block of this size.
const BLOCK: usize = 8 << 20;
const END: u32 = 0;

/// A running compressor.
pub struct Legacy<W: Write> {
    out: W,
    /// The block that is being filled.
    block: Vec<u8>,
    compressed: Vec<u8>,
    begun: bool,
}

impl<W: Write> std::fmt::Debug for Legacy<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Legacy")
            .field("block", &self.block.len())
            .finish_non_exhaustive()
    }
}

impl<W: Write> Legacy<W> {
    pub(super) fn new(out: W) -> Self {
        Self {
            out,
            block: Vec::new(),
            compressed: Vec::new(),
            begun: false,
        }
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        if !self.block.is_empty() || !self.begun {
            self.put()?;
        }
        self.out.write_all(&END.to_le_bytes())?;
        Ok(self.out)
    }

    /// Compresses the block and writes it, the magic before the first.
    fn put(&mut self) -> io::Result<()> {
        if !self.begun {
            self.out.write_all(&MAGIC.to_le_bytes())?;
            self.begun = true;
        }
        self.compressed
            .resize(get_maximum_output_size(self.block.len()), 0);
        let len = compress_into(&self.block, &mut self.compressed).map_err(io::Error::other)?;
        let prefix = u32::try_from(len).map_err(io::Error::other)?;
        self.out.write_all(&prefix.to_le_bytes())?;
        self.out.write_all(&self.compressed[..len])?;
        self.block.clear();
        Ok(())
    }
}

impl<W: Write> Write for Legacy<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let take = bytes.len().min(BLOCK - self.block.len());
        self.block.extend_from_slice(&bytes[..take]);
        if self.block.len() == BLOCK {
            self.put()?;
        }
        Ok(take)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(bytes: &[u8], cut: usize) -> Vec<u8> {
        let mut legacy = Legacy::new(Vec::new());
        for piece in bytes.chunks(cut) {
            legacy.write_all(piece).unwrap();
        }
        legacy.finish().unwrap()
    }

    fn word(input: &[u8]) -> Option<(u32, &[u8])> {
        let (word, rest) = input.split_first_chunk()?;
        Some((u32::from_le_bytes(*word), rest))
    }

    /// Reads as the kernel does: what it unpacks, and how much of the input it takes.
    fn unlz4(whole: &[u8]) -> (Vec<u8>, usize) {
        let (magic, mut input) = word(whole).unwrap();
        assert_eq!(magic, MAGIC);
        let mut out = Vec::new();
        while let Some((len, rest)) = word(input) {
            match len {
                END => break,
                MAGIC => input = rest,
                len => {
                    let (block, rest) = rest.split_at(len as usize);
                    out.extend(lz4_flex::block::decompress(block, BLOCK).unwrap());
                    input = rest;
                }
            }
        }
        (out, whole.len() - input.len())
    }

    #[test]
    fn the_kernel_finds_the_end_whatever_follows() {
        let text = b"an archive of some length ".repeat(700_000);
        for len in [1, 4, BLOCK - 1, BLOCK, BLOCK + 1, text.len()] {
            let text = &text[..len];
            let frame = frame(text, 100_000);
            for behind in [&b""[..], b"\0", b"\0\0\0", b"070701", b"\x1f\x8b\x08\0"] {
                let (unpacked, taken) = unlz4(&[&frame, behind].concat());
                assert!(unpacked == text, "{len}");
                assert_eq!(taken, frame.len() - 4, "the zeros are skipped as padding");
            }
        }
    }

    #[test]
    fn blocks_do_not_depend_on_how_writes_are_cut() {
        let bytes: Vec<u8> = (0..BLOCK as u32 + 70_000)
            .map(|at| (at >> (at % 11)) as u8)
            .collect();
        let whole = frame(&bytes, bytes.len());
        assert!(whole == frame(&bytes, 77_777));
        assert!(whole == frame(&bytes, BLOCK));
    }
}
