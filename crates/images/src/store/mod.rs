//! The store: a cache of whatever was expensive to make, shared by every process of a user.
//!
//! ```text
//! ROOT/<bucket>/<hex key>   one file per entry ([`entry`]), renamed into place when complete
//! ROOT/tmp/                 entries being written; each is locked (flock) by its writer
//! ROOT/locks/               one lock file per entry being built; gone when it is built
//! ROOT/leases/              one locked file per open store: "what was used since is in use"
//! ```
//!
//! An entry is never changed once it stands under its name, so readers take no lock. Files left
//! by a killed process are those nobody holds a lock on; the next process removes them. Losing
//! the store, or any file of it, costs time and never correctness.

mod bucket;
mod entry;
mod error;
mod evict;
mod find;
mod lock;
mod maintain;
mod writer;

pub use bucket::Bucket;
pub use entry::Entry;
pub use error::{StoreError, StoreErrorKind};
pub use maintain::{BucketStats, Stats, Verified};
pub use writer::{Check, Writer};

use std::collections::HashSet;
use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use nodeimage_disk::Sha256;

use entry::Found;
use error::Context;
use lock::Locked;

/// How large the store may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreLimits {
    /// Bytes of disk for all entries; above it the least recently used ones go. What a running
    /// process has used stays, whatever the size. `None`: no limit.
    pub bytes: Option<u64>,
}

impl Default for StoreLimits {
    /// 20 GiB.
    fn default() -> Self {
        Self {
            bytes: Some(20 << 30),
        }
    }
}

/// An open store. Clones are the same store; entries it has handed out are in use until the last
/// clone is gone.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    limits: StoreLimits,
    /// Held until the end: what was used since its time is in use.
    _lease: Locked,
    /// Bytes written since the size was last looked at; `u64::MAX` before the first look.
    unswept: AtomicU64,
    /// Entries whose data this process has written or hashed.
    sound: Mutex<HashSet<(Bucket, Sha256)>>,
}

impl Store {
    /// Opens the store at `root`, made with mode 0700 when it is not there, and removes what
    /// killed processes left.
    pub fn open(root: impl Into<PathBuf>, limits: StoreLimits) -> Result<Self, StoreError> {
        let root = root.into();
        for name in ["tmp", "locks", "leases"]
            .into_iter()
            .chain(Bucket::ALL.map(Bucket::dir))
        {
            make_dir(&root.join(name))?;
        }
        for name in ["tmp", "locks", "leases"] {
            lock::remove_orphans(&root.join(name));
        }
        let lease = lock::create(&root.join("leases"))?;
        let inner = Inner {
            root,
            limits,
            _lease: lease,
            unswept: AtomicU64::new(u64::MAX),
            sound: Mutex::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Where the store lies.
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    /// The size it keeps to.
    pub fn limits(&self) -> StoreLimits {
        self.inner.limits
    }

    /// The entry under `key`, marked as used. One whose frame is damaged is removed and counts as
    /// absent; its data is not read.
    pub fn get(&self, bucket: Bucket, key: &Sha256) -> Result<Option<Entry>, StoreError> {
        let path = self.path(bucket, key);
        match entry::open(&path, true)? {
            Found::Entry(entry) => Ok(Some(entry)),
            Found::Nothing => Ok(None),
            Found::Damaged => {
                self.remove(bucket, key)?;
                Ok(None)
            }
        }
    }

    /// Like [`Store::get`], and the data is hashed, once per process. A damaged entry is removed
    /// and counts as absent.
    pub fn get_sound(&self, bucket: Bucket, key: &Sha256) -> Result<Option<Entry>, StoreError> {
        let Some(entry) = self.get(bucket, key)? else {
            return Ok(None);
        };
        if self.is_sound(bucket, key) {
            return Ok(Some(entry));
        }
        if !entry.verify()? {
            self.remove(bucket, key)?;
            return Ok(None);
        }
        self.set_sound(bucket, key);
        Ok(Some(entry))
    }

    /// The entry under `key`, made by `build` when it is not there. Of all threads and processes
    /// that want it at the same time one builds; the others wait and take what it made, or build
    /// it themselves when it failed. When `build` fails nothing stays behind. The data of an entry
    /// that stands is not read: call [`Store::get_sound`] before where that matters. `build` must
    /// not ask for the key it builds.
    pub fn once<E: From<StoreError>>(
        &self,
        bucket: Bucket,
        key: &Sha256,
        build: impl FnOnce(&mut Writer) -> Result<(), E>,
    ) -> Result<Entry, E> {
        self.once_or_wait(bucket, key, || {}, build)
    }

    /// [`Store::once`], and `waiting` is called when another one is building it.
    pub fn once_or_wait<E: From<StoreError>>(
        &self,
        bucket: Bucket,
        key: &Sha256,
        waiting: impl FnOnce(),
        build: impl FnOnce(&mut Writer) -> Result<(), E>,
    ) -> Result<Entry, E> {
        if let Some(entry) = self.get(bucket, key)? {
            return Ok(entry);
        }
        let name = format!("{}.{}", bucket.dir(), hex::encode(key));
        let _lock = lock::acquire(&self.inner.root.join("locks").join(name), waiting)?;
        if let Some(entry) = self.get(bucket, key)? {
            return Ok(entry);
        }
        self.write(bucket, key, build)
    }

    /// Puts an entry in place of whatever stands under `key`.
    pub fn replace(
        &self,
        bucket: Bucket,
        key: &Sha256,
        data: &[u8],
        meta: &[u8],
    ) -> Result<Entry, StoreError> {
        self.write(bucket, key, |writer| {
            writer.set_meta(meta.to_vec());
            writer.append(data)
        })
    }

    /// Removes an entry; nothing happens when it is not there.
    pub fn remove(&self, bucket: Bucket, key: &Sha256) -> Result<(), StoreError> {
        let path = self.path(bucket, key);
        self.sound().remove(&(bucket, *key));
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).context("cannot remove", &path)
            }
            _ => Ok(()),
        }
    }

    fn write<E: From<StoreError>>(
        &self,
        bucket: Bucket,
        key: &Sha256,
        build: impl FnOnce(&mut Writer) -> Result<(), E>,
    ) -> Result<Entry, E> {
        let mut writer = Writer::create(&self.inner.root.join("tmp"))?;
        if let Err(error) = build(&mut writer) {
            // A full disk is the cause, whatever the builder made of it.
            return Err(writer.take_failure().map_or(error, E::from));
        }
        let written = writer.commit(&self.path(bucket, key))?;
        self.set_sound(bucket, key);
        let found = entry::open(&self.path(bucket, key), true)?;
        // The entry stands, whether or not others could be evicted for it.
        let _ = self.sweep_after(written);
        match found {
            Found::Entry(entry) => Ok(entry),
            Found::Nothing | Found::Damaged => {
                Err(StoreError::vanished(&self.path(bucket, key)).into())
            }
        }
    }

    fn path(&self, bucket: Bucket, key: &Sha256) -> PathBuf {
        self.inner.root.join(bucket.dir()).join(hex::encode(key))
    }

    fn is_sound(&self, bucket: Bucket, key: &Sha256) -> bool {
        self.sound().contains(&(bucket, *key))
    }

    fn set_sound(&self, bucket: Bucket, key: &Sha256) {
        self.sound().insert((bucket, *key));
    }

    fn sound(&self) -> std::sync::MutexGuard<'_, HashSet<(Bucket, Sha256)>> {
        self.inner
            .sound
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn make_dir(path: &Path) -> Result<(), StoreError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .context("cannot make the directory", path)
}

/// Makes a rename or unlink in `dir` survive a power cut.
fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .context("cannot sync the directory", dir)
}
