//! An entry: one file, complete or absent.
//!
//! ```text
//! data          from offset 0 on, so that others read it as a plain file
//! block hashes  sha256 of each 512 KiB of the data (when asked for)
//! meta          whatever the bucket keeps beside its data
//! trailer       128 bytes, little-endian: magic, lengths (data, block hashes, meta), kind of
//!               check, the data's check value, sha256 of everything after the data
//! ```
//!
//! The trailer proves that the frame is whole; the check value proves the data, for the price of
//! reading it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nodeimage_disk::{BLOCK, Sha256, StoredFile};
use rustix::fs::{Timespec, Timestamps, UTIME_NOW};
use sha2::Digest as _;

use super::error::{Context, StoreError};
use super::lock;

pub(super) const TRAILER: usize = 128;
const MAGIC: &[u8; 16] = b"nodeimage-entry1";
/// More block hashes and meta than any entry has: a damaged length must not become memory.
const MAX_EXTRA: u64 = 1 << 30;

/// What proves the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// Its sha256.
    Whole(Sha256),
    /// Its block hashes.
    Blocks,
}

/// An entry of the store, in use as long as the store is open.
#[derive(Clone, Debug)]
pub struct Entry {
    file: Arc<StoredFile>,
    meta: Arc<Vec<u8>>,
    proof: Proof,
}

/// What stands under a name.
pub(super) enum Found {
    Entry(Entry),
    Nothing,
    Damaged,
}

impl Entry {
    /// The data as a file: its bytes are `[0, len)` of the file at `path`, more may follow there.
    pub fn file(&self) -> &Arc<StoredFile> {
        &self.file
    }

    /// What is kept beside the data.
    pub fn meta(&self) -> &[u8] {
        &self.meta
    }

    /// Reads the data from its start.
    pub fn open(&self) -> Result<impl Read + Send + 'static, StoreError> {
        let file = File::open(&self.file.path).context("cannot open", &self.file.path)?;
        Ok(file.take(self.file.len))
    }

    /// The whole data; the caller knows that it is small.
    pub fn read(&self) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        self.open()?
            .read_to_end(&mut bytes)
            .context("cannot read", &self.file.path)?;
        Ok(bytes)
    }

    /// Hashes the data: whether it is what was written.
    pub fn verify(&self) -> Result<bool, StoreError> {
        let mut data = self.open()?;
        let mut read = |buffer: &mut [u8]| -> Result<usize, StoreError> {
            let mut filled = 0;
            while filled < buffer.len() {
                match data.read(&mut buffer[filled..]) {
                    Ok(0) => break,
                    Ok(n) => filled += n,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error).context("cannot read", &self.file.path),
                }
            }
            Ok(filled)
        };
        let mut buffer = vec![0; BLOCK as usize];
        let mut total = 0;
        match self.proof {
            Proof::Whole(expected) => {
                let mut hash = sha2::Sha256::new();
                loop {
                    let n = read(&mut buffer)?;
                    total += n as u64;
                    hash.update(&buffer[..n]);
                    if n < buffer.len() {
                        break;
                    }
                }
                Ok(total == self.file.len && Sha256::from(hash.finalize()) == expected)
            }
            // The frame is whole, so the hashes are those that were written.
            Proof::Blocks => {
                for expected in &self.file.block_hashes {
                    let n = read(&mut buffer)?;
                    total += n as u64;
                    buffer[n..].fill(0);
                    if Sha256::from(sha2::Sha256::digest(&buffer)) != *expected {
                        return Ok(false);
                    }
                }
                Ok(total == self.file.len)
            }
        }
    }
}

/// Opens; only the frame is checked. `used` marks it as used.
pub(super) fn open(path: &Path, used: bool) -> Result<Found, StoreError> {
    loop {
        let file = match OpenOptions::new().read(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
            other => other.context("cannot open", path)?,
        };
        // Who evicts holds the lock alone, looks at the time of use again, and unlinks.
        file.lock_shared().context("cannot lock", path)?;
        if used {
            touch(&file).context("cannot mark as used", path)?;
        }
        // Evicted, or replaced by a newer one.
        if !lock::is_linked(&file, path)? {
            continue;
        }
        file.unlock().context("cannot unlock", path)?;
        return Ok(match parse(file, path).context("cannot read", path)? {
            Some(entry) => Found::Entry(entry),
            None => Found::Damaged,
        });
    }
}

fn touch(file: &File) -> rustix::io::Result<()> {
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_NOW,
    };
    rustix::fs::futimens(
        file,
        &Timestamps {
            last_access: now,
            last_modification: now,
        },
    )
}

fn parse(mut file: File, path: &Path) -> io::Result<Option<Entry>> {
    let size = file.metadata()?.len();
    let Some(frame_end) = size.checked_sub(TRAILER as u64) else {
        return Ok(None);
    };
    let mut trailer = [0; TRAILER];
    file.read_exact_at(&mut trailer, frame_end)?;
    let Some(trailer) = Trailer::decode(&trailer) else {
        return Ok(None);
    };
    let Some(extra) = trailer
        .hashes
        .checked_mul(32)
        .and_then(|n| n.checked_add(trailer.meta))
    else {
        return Ok(None);
    };
    if extra > MAX_EXTRA || trailer.data.checked_add(extra) != Some(frame_end) {
        return Ok(None);
    }
    let mut hashes = vec![0; (extra - trailer.meta) as usize];
    let mut meta = vec![0; trailer.meta as usize];
    file.seek(SeekFrom::Start(trailer.data))?;
    file.read_exact(&mut hashes)?;
    file.read_exact(&mut meta)?;
    if trailer.seal != seal(&hashes, &meta, &trailer) {
        return Ok(None);
    }
    let block_hashes: Vec<Sha256> = hashes.as_chunks::<32>().0.to_vec();
    Ok(Some(Entry {
        file: Arc::new(StoredFile {
            path: PathBuf::from(path),
            len: trailer.data,
            block_hashes,
        }),
        meta: Arc::new(meta),
        proof: trailer.proof,
    }))
}

/// The last bytes of an entry's file.
pub(super) struct Trailer {
    pub(super) data: u64,
    pub(super) hashes: u64,
    pub(super) meta: u64,
    pub(super) proof: Proof,
    pub(super) seal: Sha256,
}

impl Trailer {
    fn frame(&self) -> [u8; TRAILER - 32] {
        let mut bytes = [0; TRAILER - 32];
        bytes[..16].copy_from_slice(MAGIC);
        bytes[16..24].copy_from_slice(&self.data.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.hashes.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.meta.to_le_bytes());
        let (kind, value) = match self.proof {
            Proof::Whole(value) => (1, value),
            Proof::Blocks => (2, [0; 32]),
        };
        bytes[40] = kind;
        bytes[48..80].copy_from_slice(&value);
        bytes
    }

    pub(super) fn encode(&self) -> [u8; TRAILER] {
        let mut bytes = [0; TRAILER];
        bytes[..TRAILER - 32].copy_from_slice(&self.frame());
        bytes[TRAILER - 32..].copy_from_slice(&self.seal);
        bytes
    }

    fn decode(bytes: &[u8; TRAILER]) -> Option<Self> {
        let number = |at: usize| -> Option<u64> {
            Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
        };
        let value: Sha256 = bytes[48..80].try_into().ok()?;
        let proof = match bytes[40] {
            1 => Proof::Whole(value),
            2 => Proof::Blocks,
            _ => return None,
        };
        let trailer = Self {
            data: number(16)?,
            hashes: number(24)?,
            meta: number(32)?,
            proof,
            seal: bytes[TRAILER - 32..].try_into().ok()?,
        };
        bytes.starts_with(MAGIC).then_some(trailer)
    }
}

/// Seals everything behind the data.
pub(super) fn seal(hashes: &[u8], meta: &[u8], trailer: &Trailer) -> Sha256 {
    let mut hash = sha2::Sha256::new();
    hash.update(hashes);
    hash.update(meta);
    hash.update(trailer.frame());
    hash.finalize().into()
}
