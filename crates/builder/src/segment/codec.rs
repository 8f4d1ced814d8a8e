//! How a segment is compressed: one frame, one thread, bytes that depend on the input alone.
//!
//! libzstd's multi-thread mode and zlib's streaming depend on how the work is cut, so neither is
//! used: zstd gets the exact length in advance and one thread, the others fixed-size pieces.
//! Parallelism comes from having many segments.
//!
//! Frames stand behind one another in an initrd, with zeros or nothing in between, so each must end
//! where the kernel's decompressor takes its end to be (`init/initramfs.c`, `lib/decompress_*.c`).

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use lzma_rust2::{CheckType, XzOptions, XzWriter};
use serde::{Deserialize, Serialize};

use super::lz4::Legacy;
use super::pieces::Pieces;

/// zstd level: 2 takes half the time of 3 for 2 % more bytes.
const ZSTD_LEVEL: i32 = 2;
/// The kernel refuses windows of 256 MiB and more.
const ZSTD_WINDOW_LOG: u32 = 23;
const GZIP_LEVEL: u32 = 6;
/// xz preset: two thirds of the time and half of the memory of 6 for 4 % more bytes. Its dictionary,
/// which the kernel allocates as well, is 4 MiB.
const XZ_PRESET: u32 = 4;
const MIB: u64 = 1 << 20;

/// The compression of initrd segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// zstd, for kernels from 5.9 on.
    Zstd,
    /// gzip, for every kernel.
    Gzip,
    /// lz4's legacy frame, the one that the kernel unpacks.
    Lz4,
    /// xz with CRC32 and LZMA2 alone, for every kernel.
    Xz,
    /// Uncompressed.
    None,
}

impl Codec {
    /// All, for tests of what holds for each.
    pub const ALL: [Self; 5] = [Self::Zstd, Self::Gzip, Self::Lz4, Self::Xz, Self::None];

    /// Its name, as options and messages have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
            Self::Lz4 => "lz4",
            Self::Xz => "xz",
            Self::None => "none",
        }
    }

    /// Memory of one running compressor in bytes, roughly.
    pub(crate) const fn memory(self) -> u64 {
        match self {
            Self::Zstd => 16 * MIB,
            Self::Gzip | Self::None => MIB,
            Self::Lz4 => 18 * MIB,
            Self::Xz => 48 * MIB,
        }
    }

    /// Name, version and level: part of every segment's cache key.
    pub fn id(self) -> &'static str {
        match self {
            Self::Zstd => "zstd-1.5.7-2",
            Self::Gzip => "zlib-rs-0.6-6",
            Self::Lz4 => "lz4_flex-0.14-legacy",
            Self::Xz => "lzma-rust2-0.25-4-crc32",
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
            Self::Lz4 => Encoder::Lz4(Legacy::new(out)),
            Self::Xz => {
                let mut options = XzOptions::with_preset(XZ_PRESET);
                // The kernel knows no CRC64.
                options.set_check_sum_type(CheckType::Crc32);
                let encoder = XzWriter::new(out, options)?;
                Encoder::Xz(Box::new(Pieces::new(encoder)))
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
    /// lz4, legacy.
    Lz4(Legacy<W>),
    /// xz.
    Xz(Box<Pieces<XzWriter<W>>>),
    /// As is.
    None(W),
}

impl<W: Write> std::fmt::Debug for Encoder<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Zstd(_) => "Encoder::Zstd",
            Self::Gzip(_) => "Encoder::Gzip",
            Self::Lz4(_) => "Encoder::Lz4",
            Self::Xz(_) => "Encoder::Xz",
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
            Self::Lz4(legacy) => legacy.finish(),
            Self::Xz(pieces) => pieces.finish()?.finish(),
            Self::None(out) => Ok(out),
        }
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Zstd(out) => out.write(bytes),
            Self::Gzip(out) => out.write(bytes),
            Self::Lz4(out) => out.write(bytes),
            Self::Xz(out) => out.write(bytes),
            Self::None(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        // Flushing a compressor changes its bytes; `finish` is the only end.
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
        for codec in Codec::ALL {
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

    /// The bytes of these codecs since recipe 1, too.
    #[test]
    fn golden_lz4_and_xz() {
        let digest = |codec| {
            use sha2::Digest as _;
            hex::encode(sha2::Sha256::digest(compress(codec, &sample(), 4096)))
        };
        assert_eq!(
            digest(Codec::Lz4),
            "9d571bd88d02fd2fc7c6513464f5ba3a71c0812f93e544129312faafd243c677"
        );
        assert_eq!(
            digest(Codec::Xz),
            "823c054eac9dfc215e56497c59cc9ce8df8815d4f4fefed966e187f126df8716"
        );
    }

    #[test]
    fn xz_is_what_the_kernel_reads() {
        let bytes = sample();
        let xz = compress(Codec::Xz, &bytes, 4096);
        let mut back = Vec::new();
        let mut reader = lzma_rust2::XzReader::new(&xz[..], false);
        reader.read_to_end(&mut back).unwrap();
        assert_eq!(back, bytes);
        // The xz file format, 2.1.1 and 3.1: stream flags, then a block header with one filter.
        assert_eq!(xz[..8], *b"\xfd7zXZ\0\0\x01", "CRC32");
        let [flags, filter, properties, dictionary] = [xz[13], xz[14], xz[15], xz[16]];
        assert_eq!(flags & 3, 0, "one filter");
        assert_eq!((filter, properties), (0x21, 1), "LZMA2");
        assert_eq!(dictionary, 20, "4 MiB");
        assert_eq!(xz.len() % 4, 0);
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
