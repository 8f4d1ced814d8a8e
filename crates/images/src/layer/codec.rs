//! The compressions of a layer, told apart by their first bytes as container tools do: media types
//! are often wrong, and the content is checked against its diff_id anyway.

use std::io::{self, BufReader, Chain, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

use super::LayerProblem;
use super::blob::BlobReader;

/// The blob, its first bytes put back.
type Source = BufReader<Chain<Cursor<Vec<u8>>, BlobReader>>;

const BUFFER: usize = 256 * 1024;
/// Largest zstd window that is accepted, as a power of two: 128 MiB, what `zstd -d` accepts.
const WINDOW_LOG: u32 = 27;

/// Media types of layers that can be read.
pub(super) fn is_layer(media_type: &str) -> bool {
    const KINDS: [&str; 5] = [
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.foreign.diff.tar",
        "application/vnd.docker.container.image.rootfs.diff.tar",
    ];
    KINDS.iter().any(|kind| {
        let rest = media_type.strip_prefix(kind);
        rest.is_some_and(|rest| matches!(rest, "" | "+gzip" | "+zstd" | ".gzip" | ".zstd"))
    })
}

/// A decoder over a blob.
pub(super) enum Decoder {
    Plain(Source),
    Gzip(Box<MultiGzDecoder<Source>>),
    Zstd(zstd::Decoder<'static, Source>),
}

impl Decoder {
    /// Reads the first bytes and decides.
    pub(super) fn new(mut blob: BlobReader) -> Result<Self, LayerProblem> {
        let mut magic = Vec::with_capacity(4);
        let peeked = (&mut blob).take(4).read_to_end(&mut magic);
        if let Some(failure) = blob.failure.take() {
            return Err(failure);
        }
        peeked.map_err(LayerProblem::Read)?;
        let gzip = magic.starts_with(&[0x1f, 0x8b]);
        // A zstd frame, or a skippable one before it.
        let zstd = magic == [0x28, 0xb5, 0x2f, 0xfd]
            || (magic.len() == 4 && magic[0] & 0xf0 == 0x50 && magic[1..] == [0x2a, 0x4d, 0x18]);
        let source = BufReader::with_capacity(BUFFER, Cursor::new(magic).chain(blob));
        if gzip {
            return Ok(Self::Gzip(Box::new(MultiGzDecoder::new(source))));
        }
        if !zstd {
            return Ok(Self::Plain(source));
        }
        let fail = |error| LayerProblem::Codec {
            codec: "zstd",
            error,
        };
        let mut decoder = zstd::Decoder::with_buffer(source).map_err(fail)?;
        decoder.window_log_max(WINDOW_LOG).map_err(fail)?;
        Ok(Self::Zstd(decoder))
    }

    fn codec(&self) -> &'static str {
        match self {
            Self::Plain(_) => "tar",
            Self::Gzip(_) => "gzip",
            Self::Zstd(_) => "zstd",
        }
    }

    pub(super) fn blob(&self) -> &BlobReader {
        let source = match self {
            Self::Plain(source) => source,
            Self::Gzip(decoder) => decoder.get_ref(),
            Self::Zstd(decoder) => decoder.get_ref(),
        };
        source.get_ref().get_ref().1
    }

    pub(super) fn into_blob(self) -> BlobReader {
        let source = match self {
            Self::Plain(source) => source,
            Self::Gzip(decoder) => decoder.into_inner(),
            Self::Zstd(decoder) => decoder.finish(),
        };
        source.into_inner().into_inner().1
    }

    /// What a failed read means: the blob's own failure before the decoder's complaint.
    pub(super) fn explain(self, error: io::Error) -> LayerProblem {
        let codec = self.codec();
        let mut blob = self.into_blob();
        match blob.failure.take() {
            Some(failure) => failure,
            None => match blob.finish() {
                // The data is what the manifest names, so it was made broken.
                Ok(()) => LayerProblem::Codec { codec, error },
                Err(problem) => problem,
            },
        }
    }
}

impl Read for Decoder {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(source) => source.read(buffer),
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer),
        }
    }
}
