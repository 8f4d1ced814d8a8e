//! Reading compressed clusters.

use libdeflater::Decompressor;
use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

use super::header::Compression;

/// Largest window of a frame: clusters have 2^21 bytes at most.
const MAX_WINDOW_LOG: u32 = 23;

/// Decompresses one cluster at a time.
pub(super) enum Inflater {
    Deflate(Decompressor),
    Zstd(Decoder<'static>),
}

impl Inflater {
    pub(super) fn new(compression: Compression) -> Result<Self, String> {
        let zstd = || {
            let mut decoder = Decoder::new()?;
            decoder.set_parameter(DParameter::WindowLogMax(MAX_WINDOW_LOG))?;
            Ok(decoder)
        };
        match compression {
            Compression::Deflate => Ok(Self::Deflate(Decompressor::new())),
            Compression::Zstd => zstd()
                .map(Self::Zstd)
                .map_err(|error: std::io::Error| error.to_string()),
        }
    }

    /// Fills `cluster`. What follows the stream in `packed` (sectors are whole) is not looked at.
    pub(super) fn inflate(&mut self, packed: &[u8], cluster: &mut [u8]) -> Result<(), String> {
        let len = match self {
            Self::Deflate(tool) => tool
                .deflate_decompress(packed, cluster)
                .map_err(|error| error.to_string())?,
            Self::Zstd(tool) => unzstd(tool, packed, cluster).map_err(|it| it.to_string())?,
        };
        if len == cluster.len() {
            Ok(())
        } else {
            Err(format!("it holds {len} bytes and no whole cluster"))
        }
    }
}

fn unzstd(
    tool: &mut Decoder<'static>,
    packed: &[u8],
    cluster: &mut [u8],
) -> std::io::Result<usize> {
    tool.reinit()?;
    let mut input = InBuffer::around(packed);
    let mut output = OutBuffer::around(cluster);
    while output.pos() < output.capacity() {
        let before = (input.pos(), output.pos());
        tool.run(&mut input, &mut output)?;
        if before == (input.pos(), output.pos()) {
            break;
        }
    }
    Ok(output.pos())
}
