//! Where an archive's bytes come from.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::TarError;

/// A run of bytes read once, from front to back.
pub(crate) trait Input {
    /// Bytes that are behind.
    fn position(&self) -> u64;

    /// Fills the buffer.
    fn read(&mut self, buffer: &mut [u8]) -> Result<(), TarError>;

    /// Passes over bytes, all of which must be there.
    fn skip(&mut self, len: u64) -> Result<(), TarError>;

    /// Whether nothing follows.
    fn at_end(&mut self) -> Result<bool, TarError>;

    /// The next 512 bytes; `None` at the end.
    fn block(&mut self) -> Result<Option<[u8; 512]>, TarError> {
        if self.at_end()? {
            return Ok(None);
        }
        let mut block = [0; 512];
        self.read(&mut block)?;
        Ok(Some(block))
    }
}

/// A range of a file, whose data is passed over without reading. Positions count from the start of
/// the range.
#[derive(Debug)]
pub(crate) struct RangeInput<'a> {
    file: &'a File,
    start: u64,
    len: u64,
    at: u64,
    /// Headers are small and close together: read ahead a little.
    buffer: Vec<u8>,
    buffer_at: u64,
}

impl<'a> RangeInput<'a> {
    pub(crate) fn new(file: &'a File, start: u64, len: u64) -> Self {
        Self {
            file,
            start,
            len,
            at: 0,
            buffer: Vec::new(),
            buffer_at: 0,
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let len = (self.len - self.at).min(16 * 1024) as usize;
        self.buffer.resize(len, 0);
        self.buffer_at = self.at;
        let at = self
            .start
            .checked_add(self.at)
            .ok_or(io::ErrorKind::InvalidInput)?;
        self.file.read_exact_at(&mut self.buffer, at)
    }
}

impl Input for RangeInput<'_> {
    fn position(&self) -> u64 {
        self.at
    }

    fn read(&mut self, mut out: &mut [u8]) -> Result<(), TarError> {
        if out.len() as u64 > self.len - self.at {
            return Err(TarError::Truncated);
        }
        while !out.is_empty() {
            let within = self.at.checked_sub(self.buffer_at).map(|n| n as usize);
            let ready = within
                .and_then(|n| self.buffer.get(n..))
                .unwrap_or_default();
            if ready.is_empty() {
                self.fill()?;
                continue;
            }
            let n = ready.len().min(out.len());
            out[..n].copy_from_slice(&ready[..n]);
            self.at += n as u64;
            out = &mut out[n..];
        }
        Ok(())
    }

    fn skip(&mut self, len: u64) -> Result<(), TarError> {
        if len > self.len - self.at {
            return Err(TarError::Truncated);
        }
        self.at += len;
        Ok(())
    }

    fn at_end(&mut self) -> Result<bool, TarError> {
        Ok(self.at == self.len)
    }
}
