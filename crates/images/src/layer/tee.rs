//! The uncompressed side: every piece that the decoder yields is hashed and stored before the tar
//! scanner sees it.

use std::io::{self, Read, Write};

use sha2::Digest as _;

use super::LayerProblem;
use super::blob::BlobReader;
use super::codec::Decoder;
use crate::limits::Limits;
use crate::progress::{Event, Progress};
use crate::store::Writer;
use crate::tarfile::{Input, TarError};
use nodeimage_spec::Digest;

/// Bytes decoded, hashed and written at once.
const PIECE: usize = 256 * 1024;

pub(super) struct Tee<'a> {
    decoder: Decoder,
    writer: &'a mut Writer,
    limits: &'a Limits,
    progress: &'a dyn Progress,
    item: &'a str,
    hash: sha2::Sha256,
    piece: Vec<u8>,
    /// The unread part of the piece.
    ready: std::ops::Range<usize>,
    position: u64,
    stored: u64,
    reported: u64,
    ended: bool,
    failure: Option<LayerProblem>,
}

impl<'a> Tee<'a> {
    pub(super) fn new(
        decoder: Decoder,
        writer: &'a mut Writer,
        limits: &'a Limits,
        progress: &'a dyn Progress,
        item: &'a str,
    ) -> Self {
        Self {
            decoder,
            writer,
            limits,
            progress,
            item,
            hash: sha2::Sha256::new(),
            piece: vec![0; PIECE],
            ready: 0..0,
            position: 0,
            stored: 0,
            reported: 0,
            ended: false,
            failure: None,
        }
    }

    /// What is behind a failed read, if it is not the archive's fault.
    pub(super) fn explain(self, error: TarError) -> LayerProblem {
        match (self.failure, error) {
            (Some(failure), _) => failure,
            (None, TarError::Io(error)) => self.decoder.explain(error),
            (None, error) => LayerProblem::Tar(error),
        }
    }

    /// Stores what follows the archive's end, and returns the diff_id and the blob.
    pub(super) fn finish(mut self) -> Result<(Digest, BlobReader), LayerProblem> {
        while !self.ended {
            self.ready = 0..0;
            if let Err(error) = self.fill() {
                return Err(self.explain(error.into()));
            }
        }
        Ok((
            Digest::new(self.hash.finalize().into()),
            self.decoder.into_blob(),
        ))
    }

    /// Decodes the next piece.
    fn fill(&mut self) -> io::Result<()> {
        if self.progress.cancelled() {
            return self.fail(LayerProblem::Cancelled);
        }
        let mut len = 0;
        while len < self.piece.len() && !self.ended {
            match self.decoder.read(&mut self.piece[len..]) {
                Ok(0) => self.ended = true,
                Ok(n) => len += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.stored += len as u64;
        self.check_size()?;
        let piece = &self.piece[..len];
        self.hash.update(piece);
        if let Err(error) = self.writer.append(piece) {
            return self.fail(error.into());
        }
        let fetched = self.decoder.blob().read;
        let event = Event::Bytes {
            item: self.item,
            fetched: fetched - self.reported,
            unpacked: len as u64,
        };
        self.reported = fetched;
        self.progress.event(event);
        self.ready = 0..len;
        Ok(())
    }

    fn check_size(&mut self) -> io::Result<()> {
        let limit = self.limits.layer_bytes;
        if self.stored > limit {
            let what = "its size in bytes";
            return self.fail(LayerProblem::Limit {
                what,
                limit,
                key: "layer_bytes",
            });
        }
        let limit = self.limits.layer_ratio;
        let fetched = self.decoder.blob().read;
        if self.stored > Limits::RATIO_FROM && self.stored / limit.max(1) > fetched {
            let what = "the ratio of its size to its blob's";
            return self.fail(LayerProblem::Limit {
                what,
                limit,
                key: "layer_ratio",
            });
        }
        Ok(())
    }

    fn fail<T>(&mut self, problem: LayerProblem) -> io::Result<T> {
        self.failure = Some(problem);
        Err(io::ErrorKind::Other.into())
    }
}

impl Input for Tee<'_> {
    fn position(&self) -> u64 {
        self.position
    }

    fn read(&mut self, mut buffer: &mut [u8]) -> Result<(), TarError> {
        while !buffer.is_empty() {
            if self.at_end()? {
                return Err(TarError::Truncated);
            }
            let n = buffer.len().min(self.ready.len());
            buffer.write_all(&self.piece[self.ready.start..self.ready.start + n])?;
            self.ready.start += n;
            self.position += n as u64;
        }
        Ok(())
    }

    fn skip(&mut self, mut len: u64) -> Result<(), TarError> {
        while len > 0 {
            if self.at_end()? {
                return Err(TarError::Truncated);
            }
            let n = len.min(self.ready.len() as u64);
            self.ready.start += n as usize;
            self.position += n;
            len -= n;
        }
        Ok(())
    }

    fn at_end(&mut self) -> Result<bool, TarError> {
        while self.ready.is_empty() && !self.ended {
            self.fill()?;
        }
        Ok(self.ready.is_empty())
    }
}
