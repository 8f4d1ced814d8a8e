//! Writes one entry aside and puts it in place when it is complete.

use std::io::{self, Write};
use std::path::Path;

use nodeimage_disk::{BLOCK, Sha256};
use sha2::Digest as _;

use super::entry::{self, Proof, Trailer};
use super::error::{Context, StoreError};
use super::lock::{self, Locked};
use super::sync_dir;

/// Writes reach the file in pieces of this size.
const BUFFER: usize = 256 * 1024;

/// How the data of an entry is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// sha256 of the whole, computed while it is written. The default.
    Whole,
    /// sha256 of each 512 KiB, kept with the entry ([`Entry::file`](super::Entry::file)).
    Blocks,
    /// sha256 of the whole, which the caller computes anyway and gives with
    /// [`Writer::set_sha256`].
    Given,
}

/// An entry being written; it takes any number of bytes through [`Write`].
#[derive(Debug)]
pub struct Writer {
    locked: Locked,
    buffer: Vec<u8>,
    len: u64,
    meta: Vec<u8>,
    check: Check,
    given: Option<Sha256>,
    hash: sha2::Sha256,
    block_hashes: Vec<u8>,
    failure: Option<StoreError>,
}

impl Writer {
    pub(super) fn create(tmp: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            locked: lock::create(tmp)?,
            buffer: Vec::new(),
            len: 0,
            meta: Vec::new(),
            check: Check::Whole,
            given: None,
            hash: sha2::Sha256::new(),
            block_hashes: Vec::new(),
            failure: None,
        })
    }

    /// Chooses how the data is proved; before the first byte.
    pub fn set_check(&mut self, check: Check) -> Result<(), StoreError> {
        if self.len > 0 {
            return Err(self.misuse("the check must be chosen before the first byte"));
        }
        self.check = check;
        Ok(())
    }

    /// The sha256 of all the data, for [`Check::Given`]; the caller has seen every byte.
    pub fn set_sha256(&mut self, sha256: Sha256) {
        self.given = Some(sha256);
    }

    /// What to keep beside the data.
    pub fn set_meta(&mut self, meta: Vec<u8>) {
        self.meta = meta;
    }

    /// Bytes written up to now.
    pub fn written(&self) -> u64 {
        self.len
    }

    /// Appends to the data.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.write_all(bytes).map_err(|error| {
            let path = self.locked.path.clone();
            self.take_failure()
                .unwrap_or_else(|| StoreError::new("cannot write", &path, error))
        })
    }

    /// The file system's error behind a failed write.
    pub(super) fn take_failure(&mut self) -> Option<StoreError> {
        self.failure.take()
    }

    /// Completes the entry and renames it to `path`; returns its size on disk.
    pub(super) fn commit(mut self, path: &Path) -> Result<u64, StoreError> {
        self.finish().or_else(|error| {
            let tmp = self.locked.path.clone();
            Err(self.take_failure().unwrap_or(error)).map_err(|mut error: StoreError| {
                error.path = tmp;
                error
            })
        })?;
        let size = self.len + self.meta.len() as u64 + self.block_hashes.len() as u64;
        self.locked
            .file
            .sync_data()
            .context("cannot sync", &self.locked.path)?;
        std::fs::rename(&self.locked.path, path).context("cannot put in place", path)?;
        self.locked.kept = true;
        if let Some(dir) = path.parent() {
            sync_dir(dir)?;
        }
        Ok(size)
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        let proof = match self.check {
            Check::Whole => Proof::Whole(std::mem::take(&mut self.hash).finalize().into()),
            Check::Given => Proof::Whole(
                self.given
                    .ok_or_else(|| self.misuse("the sha256 of the data was never given"))?,
            ),
            Check::Blocks => {
                let rest = self.len % BLOCK;
                if rest > 0 {
                    // The last block is hashed as if zeros followed.
                    let zeros = vec![0; (BLOCK - rest) as usize];
                    self.hash.update(&zeros);
                    let hash = std::mem::take(&mut self.hash).finalize();
                    self.block_hashes.extend_from_slice(&hash);
                }
                Proof::Blocks
            }
        };
        let mut trailer = Trailer {
            data: self.len,
            hashes: (self.block_hashes.len() / 32) as u64,
            meta: self.meta.len() as u64,
            proof,
            seal: [0; 32],
        };
        trailer.seal = entry::seal(&self.block_hashes, &self.meta, &trailer);
        let path = self.locked.path.clone();
        self.flush()
            .and_then(|()| self.locked.file.write_all(&self.block_hashes))
            .and_then(|()| self.locked.file.write_all(&self.meta))
            .and_then(|()| self.locked.file.write_all(&trailer.encode()))
            .context("cannot write", &path)
    }

    fn misuse(&self, rule: &'static str) -> StoreError {
        StoreError::misuse(&self.locked.path, rule)
    }

    fn hash(&mut self, mut bytes: &[u8]) {
        match self.check {
            Check::Given => {}
            Check::Whole => self.hash.update(bytes),
            Check::Blocks => {
                let mut at = self.len % BLOCK;
                while !bytes.is_empty() {
                    let take = bytes.len().min((BLOCK - at) as usize);
                    let (now, later) = bytes.split_at(take);
                    self.hash.update(now);
                    at += take as u64;
                    if at == BLOCK {
                        let hash = std::mem::take(&mut self.hash).finalize();
                        self.block_hashes.extend_from_slice(&hash);
                        at = 0;
                    }
                    bytes = later;
                }
            }
        }
    }

    fn failed(&mut self, error: io::Error) -> io::Error {
        let kind = error.kind();
        self.failure = Some(StoreError::new("cannot write", &self.locked.path, error));
        kind.into()
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hash(bytes);
        self.len += bytes.len() as u64;
        if self.buffer.len() + bytes.len() > BUFFER {
            self.flush()?;
        }
        if bytes.len() < BUFFER {
            self.buffer.extend_from_slice(bytes);
        } else if let Err(error) = self.locked.file.write_all(bytes) {
            return Err(self.failed(error));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.locked.file.write_all(&self.buffer);
        self.buffer.clear();
        result.map_err(|error| self.failed(error))
    }
}
