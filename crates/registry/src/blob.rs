//! A blob as a verified stream of bytes.

mod range;
mod stream;

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::client::{Progress, stopped};
use crate::core::Core;
use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result};
use crate::target::Target;
use crate::wait::{Cancel, wait};

/// Pieces that may wait for the reader; each is at most some hundred KiB.
const QUEUE: usize = 4;

/// Which blob.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) target: Target,
    pub(crate) digest: Digest,
    /// Bytes.
    pub(crate) size: u64,
}

/// What the network side tells the reader.
#[derive(Debug)]
pub(crate) enum Piece {
    /// An answer came; what follows is from this mirror, or from the registry.
    From {
        mirror: Option<String>,
    },
    Content(Bytes),
    Failed(Error),
}

/// The network side, running.
#[derive(Debug)]
pub(crate) struct Stream {
    pieces: mpsc::Receiver<Piece>,
    task: AbortHandle,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn start(core: Arc<Core>, wanted: Wanted, runtime: &Handle) -> Stream {
    let (sender, pieces) = mpsc::channel(QUEUE);
    let task = runtime.spawn(async move { stream::fetch(&core, &wanted, &sender).await });
    Stream {
        pieces,
        task: task.abort_handle(),
    }
}

/// Reads one blob; see [`crate::Client::blob`]. Dropping it ends the transfer.
pub struct BlobReader {
    core: Arc<Core>,
    wanted: Wanted,
    stream: Stream,
    cancel: Cancel,
    progress: Option<Progress>,
    hash: Sha256,
    received: u64,
    piece: Bytes,
    mirrors: Vec<String>,
    /// Why reading ended too early, for whoever reads on.
    failed: Option<String>,
}

impl BlobReader {
    /// Waits for the first answer, so that what cannot be had fails here.
    pub(crate) fn open(
        core: Arc<Core>,
        wanted: Wanted,
        stream: Stream,
        cancel: Cancel,
        progress: Option<Progress>,
    ) -> Result<Self> {
        let mut reader = Self {
            core,
            wanted,
            stream,
            cancel,
            progress,
            hash: Sha256::new(),
            received: 0,
            piece: Bytes::new(),
            mirrors: Vec::new(),
            failed: None,
        };
        match reader.next()? {
            Some(Piece::From { mirror }) => reader.mirrors.extend(mirror),
            Some(Piece::Failed(error)) => return Err(error),
            Some(Piece::Content(_)) | None => return Err(stopped(&reader.wanted.target)),
        }
        Ok(reader)
    }

    /// The blob's length in bytes.
    pub fn size(&self) -> u64 {
        self.wanted.size
    }

    fn next(&mut self) -> Result<Option<Piece>> {
        wait(&self.cancel, self.stream.pieces.recv())
            .ok_or_else(|| Error::new(&self.wanted.target, ErrorKind::Cancelled))
    }

    /// Makes `piece` non-empty, or leaves it empty at the verified end.
    fn fill(&mut self) -> Result<()> {
        while self.piece.is_empty() {
            match self.next()? {
                Some(Piece::From { mirror }) => {
                    self.mirrors
                        .extend(mirror.filter(|mirror| !self.mirrors.contains(mirror)));
                }
                Some(Piece::Failed(error)) => return Err(error),
                Some(Piece::Content(bytes)) => {
                    self.hash.update(&bytes);
                    self.received += bytes.len() as u64;
                    if let Some(progress) = &self.progress {
                        progress(bytes.len() as u64);
                    }
                    if self.received == self.wanted.size {
                        self.verify()?;
                    }
                    self.piece = bytes;
                }
                None if self.received == self.wanted.size => {
                    // Content of no length has no last piece.
                    return if self.wanted.size == 0 {
                        self.verify()
                    } else {
                        Ok(())
                    };
                }
                None => return Err(stopped(&self.wanted.target)),
            }
        }
        Ok(())
    }

    fn verify(&self) -> Result<()> {
        let actual = Digest::from_bytes(self.hash.clone().finalize().into());
        let expected = self.wanted.digest;
        if actual == expected {
            return Ok(());
        }
        for mirror in &self.mirrors {
            self.core.distrust(mirror);
        }
        let note = if self.mirrors.is_empty() {
            "; the registry or something on the way damaged it, try again"
        } else {
            "; a mirror sent it and will not be asked again, try again"
        };
        let kind = ErrorKind::DigestMismatch {
            expected,
            actual,
            note,
        };
        Err(Error::new(&self.wanted.target, kind))
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(why) = &self.failed {
            return Err(io::Error::other(why.clone()));
        }
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.cancel.is_cancelled() {
            return Err(Error::new(&self.wanted.target, ErrorKind::Cancelled).into());
        }
        if let Err(error) = self.fill() {
            self.failed = Some(error.to_string());
            self.piece = Bytes::new();
            return Err(error.into());
        }
        let count = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

impl fmt::Debug for BlobReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobReader")
            .field("target", &self.wanted.target)
            .field("size", &self.wanted.size)
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}
