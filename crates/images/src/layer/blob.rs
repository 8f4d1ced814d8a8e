//! The compressed side: counts and hashes a blob as it is read.

use std::io::{self, Read};

use sha2::Digest as _;

use super::LayerProblem;
use nodeimage_spec::Digest;

/// Reads a blob that must have `size` bytes and the digest `digest`.
pub(crate) struct BlobReader {
    source: Box<dyn Read + Send>,
    hash: sha2::Sha256,
    pub(super) read: u64,
    size: u64,
    digest: Digest,
    /// What went wrong below: a decoder hides it in an error of its own.
    pub(super) failure: Option<LayerProblem>,
}

impl std::fmt::Debug for BlobReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlobReader")
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

impl BlobReader {
    pub(crate) fn new(source: Box<dyn Read + Send>, digest: Digest, size: u64) -> Self {
        let hash = sha2::Sha256::new();
        Self {
            source,
            hash,
            read: 0,
            size,
            digest,
            failure: None,
        }
    }

    /// Reads what the decoder left and compares.
    pub(crate) fn finish(mut self) -> Result<(), LayerProblem> {
        let rest = io::copy(&mut self, &mut io::sink());
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        rest.map_err(LayerProblem::Read)?;
        let got = Digest::new(self.hash.finalize().into());
        if got == self.digest {
            Ok(())
        } else {
            Err(LayerProblem::Digest(got))
        }
    }

    fn fail(&mut self, kind: io::ErrorKind, problem: LayerProblem) -> io::Result<usize> {
        self.failure = Some(problem);
        Err(kind.into())
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        match self.source.read(buffer) {
            Ok(0) if self.read < self.size => {
                let problem = LayerProblem::Short {
                    got: self.read,
                    expected: self.size,
                };
                self.fail(io::ErrorKind::UnexpectedEof, problem)
            }
            Ok(n) => {
                self.read += n as u64;
                if self.read > self.size {
                    let problem = LayerProblem::Long(self.size);
                    return self.fail(io::ErrorKind::InvalidData, problem);
                }
                self.hash.update(&buffer[..n]);
                Ok(n)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => self.fail(error.kind(), LayerProblem::Read(error)),
        }
    }
}
