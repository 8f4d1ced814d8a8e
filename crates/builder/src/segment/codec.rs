//! How a segment is compressed: one frame, one thread, bytes that depend on the input alone.
//!
//! libzstd's multi-thread mode and zlib's streaming depend on how the work is cut, so neither is
//! used: zstd gets the exact length in advance and one thread, gzip gets fixed-size pieces.
//! Parallelism comes from having many segments.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

/// zstd level: 2 takes half the time of 3 for 2 % more bytes.
const ZSTD_LEVEL: i32 = 2;
/// The kernel refuses windows of 256 MiB and more.
const ZSTD_WINDOW_LOG: u32 = 23;
const GZIP_LEVEL: u32 = 6;
/// Piece size for deflate, whose output depends on how its input is cut.
const PIECE: usize = 128 * 1024;

/// The compression of initrd segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// zstd, for kernels from 5.9 on.
    Zstd,
    /// gzip, for every kernel.
    Gzip,
    /// Uncompressed.
    None,
}

impl Codec {
    /// Name, version and level: part of every segment's cache key.
    pub fn id(self) -> &'static str {
        match self {
            Self::Zstd => "zstd-1.5.7-2",
            Self::Gzip => "zlib-rs-0.6-6",
            Self::None => "none",
        }
    }

    /// A compressor that writes one frame to `out`; exactly `len` bytes must be fed to it.
    pub fn encoder<W: Write>(self, out: W, len: u64) -> io::Result<Encoder<W>> {
        Ok(match self {
            Self::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(out, ZSTD_LEVEL)?;
                encoder.set_pledged_src_size(Some(len))?;
                encoder.window_log(ZSTD_WINDOW_LOG)?;
                encoder.include_contentsize(true)?;
                encoder.include_checksum(false)?;
                Encoder::Zstd(Pieces::new(encoder))
            }
            Self::Gzip => {
                // GzEncoder::new writes a header without name and time.
                Encoder::Gzip(Pieces::new(GzEncoder::new(
                    out,
                    Compression::new(GZIP_LEVEL),
                )))
            }
            Self::None => Encoder::None(out),
        })
    }
}

/// A running compressor; see [`Codec::encoder`].
pub enum Encoder<W: Write> {
    /// zstd.
    Zstd(Pieces<zstd::stream::write::Encoder<'static, W>>),
    /// gzip.
    Gzip(Pieces<GzEncoder<W>>),
    /// As is.
    None(W),
}

impl<W: Write> std::fmt::Debug for Encoder<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Zstd(_) => "Encoder::Zstd",
            Self::Gzip(_) => "Encoder::Gzip",
            Self::None(_) => "Encoder::None",
        })
    }
}

impl<W: Write> Encoder<W> {
    /// Ends the frame and gives the writer back.
    pub fn finish(self) -> io::Result<W> {
        match self {
            Self::Zstd(pieces) => pieces.finish()?.finish(),
            Self::Gzip(pieces) => pieces.finish()?.finish(),
            Self::None(out) => Ok(out),
        }
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Zstd(out) => out.write(bytes),
            Self::Gzip(out) => out.write(bytes),
            Self::None(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        // Flushing a compressor changes its bytes; `finish` is the only end.
        Ok(())
    }
}

/// Passes its input on in pieces of one fixed size.
#[derive(Debug)]
pub struct Pieces<W: Write> {
    out: W,
    buffer: Vec<u8>,
}

impl<W: Write> Pieces<W> {
    fn new(out: W) -> Self {
        Self {
            out,
            buffer: Vec::with_capacity(PIECE),
        }
    }

    fn finish(mut self) -> io::Result<W> {
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

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn sample() -> Vec<u8> {
        let mut state = 1u32;
        (0..700_000u32)
            .map(|at| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if at % 3 == 0 {
                    (state >> 24) as u8
                } else {
                    (at >> 8) as u8
                }
            })
            .collect()
    }

    fn compress(codec: Codec, bytes: &[u8], cut: usize) -> Vec<u8> {
        let mut encoder = codec.encoder(Vec::new(), bytes.len() as u64).unwrap();
        for piece in bytes.chunks(cut) {
            encoder.write_all(piece).unwrap();
        }
        encoder.finish().unwrap()
    }

    #[test]
    fn bytes_do_not_depend_on_how_writes_are_cut() {
        let bytes = sample();
        for codec in [Codec::Zstd, Codec::Gzip, Codec::None] {
            let whole = compress(codec, &bytes, bytes.len());
            assert_eq!(whole, compress(codec, &bytes, 7777), "{codec:?}");
            assert_eq!(whole, compress(codec, &bytes, 1), "{codec:?}");
        }
    }

    /// The bytes of recipe 1. A change here changes every segment: it needs a new recipe.
    #[test]
    fn golden() {
        let digest = |codec| {
            use sha2::Digest as _;
            hex::encode(sha2::Sha256::digest(compress(codec, &sample(), 4096)))
        };
        assert_eq!(zstd::zstd_safe::version_string(), "1.5.7");
        assert_eq!(
            digest(Codec::Zstd),
            "d79e403e9acd9e3e2651bda05089219e518de698a2a5d9a253475d80536a396c"
        );
        assert_eq!(
            digest(Codec::Gzip),
            "282da1509b2b16574bde7bf71041a0e3f9648ca9bab64592bdc788d913541c41"
        );
    }

    #[test]
    fn round_trip() {
        let bytes = sample();
        let zstd = compress(Codec::Zstd, &bytes, 4096);
        assert_eq!(zstd::decode_all(&zstd[..]).unwrap(), bytes);
        let gzip = compress(Codec::Gzip, &bytes, 4096);
        let mut back = Vec::new();
        flate2::read::GzDecoder::new(&gzip[..])
            .read_to_end(&mut back)
            .unwrap();
        assert_eq!(back, bytes);
    }

    #[test]
    fn a_wrong_length_is_an_error() {
        let mut encoder = Codec::Zstd.encoder(Vec::new(), 10).unwrap();
        encoder.write_all(b"four").unwrap();
        assert!(encoder.finish().is_err());
    }
}
