//! One layer's blob into one entry of the store.

use std::io::Read;

use super::blob::BlobReader;
use super::codec::{self, Decoder};
use super::tee::Tee;
use super::{IndexWriter, LayerProblem};
use crate::limits::Limits;
use crate::progress::Progress;
use crate::store::{Check, Writer};
use crate::tarfile::Scanner;
use nodeimage_spec::Digest;

/// A layer to unpack.
#[derive(Debug)]
pub(crate) struct Unpack<'a> {
    pub(crate) media_type: &'a str,
    /// Of the blob.
    pub(crate) digest: Digest,
    /// Of the blob, in bytes.
    pub(crate) size: u64,
    /// Of the uncompressed tar.
    pub(crate) diff_id: Digest,
    pub(crate) limits: &'a Limits,
    pub(crate) progress: &'a dyn Progress,
    /// Name of the layer in progress events.
    pub(crate) item: &'a str,
}

/// Reads `source` to its end into `writer`: data is the plain tar, meta its index.
pub(crate) fn unpack(
    layer: &Unpack<'_>,
    source: Box<dyn Read + Send>,
    writer: &mut Writer,
) -> Result<(), LayerProblem> {
    if !codec::is_layer(layer.media_type) {
        return Err(LayerProblem::MediaType(
            layer.media_type.chars().take(200).collect(),
        ));
    }
    writer.set_check(Check::Given)?;
    let decoder = Decoder::new(BlobReader::new(source, layer.digest, layer.size))?;
    let tee = Tee::new(decoder, writer, layer.limits, layer.progress, layer.item);
    let mut scanner = Scanner::new(tee);
    let mut index = IndexWriter::new(*layer.limits);
    loop {
        match scanner.next() {
            Ok(Some(entry)) => index.push(&entry)?,
            Ok(None) => break,
            Err(error) => return Err(scanner.into_input().explain(error)),
        }
    }
    let (diff_id, blob) = scanner.into_input().finish()?;
    blob.finish()?;
    if diff_id != layer.diff_id {
        return Err(LayerProblem::DiffId {
            expected: layer.diff_id,
            got: diff_id,
        });
    }
    writer.set_sha256(*diff_id.bytes());
    writer.set_meta(index.finish());
    Ok(())
}
