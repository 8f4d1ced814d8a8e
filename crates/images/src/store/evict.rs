//! Keeps the store to its size: the least recently used entries go first.
//!
//! In use is what was used since the oldest process with the store open opened it: its lease says
//! when. The times are the file system's own, of files in the same file system, so no clock of
//! ours is involved.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use super::error::{Context, StoreError};
use super::{Store, lock};

/// Seconds and nanoseconds of a file's last modification.
type Time = (i64, i64);

/// One file in a bucket, of this version or another.
#[derive(Debug)]
pub(super) struct Item {
    used: Time,
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
}

impl Store {
    /// Counts `written` bytes and looks at the size when it is time to.
    pub(super) fn sweep_after(&self, written: u64) -> Result<(), StoreError> {
        let Some(limit) = self.inner.limits.bytes else {
            return Ok(());
        };
        let before = self.inner.unswept.load(Ordering::Relaxed);
        let unswept = before.saturating_add(written);
        if unswept < limit / 32 {
            self.inner.unswept.fetch_add(written, Ordering::Relaxed);
            return Ok(());
        }
        self.inner.unswept.store(0, Ordering::Relaxed);
        self.evict(limit, limit - limit / 10).map(|_| ())
    }

    /// Removes entries, the least recently used first, until all take at most `bytes` of disk.
    /// What a running process uses stays. Returns the bytes freed.
    pub fn prune(&self, bytes: u64) -> Result<u64, StoreError> {
        self.evict(bytes, bytes)
    }

    /// When more than `above` bytes are there, removes until at most `down_to` are.
    fn evict(&self, above: u64, down_to: u64) -> Result<u64, StoreError> {
        // Its lease tells this moment; what is used from here on is newer.
        let now = lock::create(&self.inner.root.join("leases"))?;
        let mut items = self.items()?;
        let mut total: u64 = items.iter().map(|item| item.bytes).sum();
        if total <= above {
            return Ok(0);
        }
        let in_use_since = self.oldest_lease(&now)?;
        items.sort_by(|a, b| (a.used, &a.path).cmp(&(b.used, &b.path)));
        let mut freed = 0;
        for item in items {
            if total <= down_to || item.used >= in_use_since {
                break;
            }
            let Ok(file) = File::open(&item.path) else {
                continue;
            };
            // Held: someone is opening it right now.
            if file.try_lock().is_err() {
                continue;
            }
            let unused = file.metadata().is_ok_and(|meta| time(&meta) < in_use_since);
            if unused && std::fs::remove_file(&item.path).is_ok() {
                total -= item.bytes;
                freed += item.bytes;
            }
        }
        Ok(freed)
    }

    /// Every file of every bucket, also those of other versions of this program.
    pub(super) fn items(&self) -> Result<Vec<Item>, StoreError> {
        let root = &self.inner.root;
        let mut items = Vec::new();
        for bucket in std::fs::read_dir(root)
            .context("cannot list", root)?
            .flatten()
        {
            if !bucket.file_name().to_string_lossy().contains("-v") {
                continue;
            }
            let Ok(files) = std::fs::read_dir(bucket.path()) else {
                continue;
            };
            for file in files.flatten() {
                let Ok(meta) = file.metadata() else { continue };
                if meta.is_file() {
                    let bytes = meta.blocks().saturating_mul(512);
                    items.push(Item {
                        used: time(&meta),
                        path: file.path(),
                        bytes,
                    });
                }
            }
        }
        Ok(items)
    }

    /// The start of the oldest store that is open, in this process or another.
    fn oldest_lease(&self, now: &lock::Locked) -> Result<Time, StoreError> {
        let dir = self.inner.root.join("leases");
        let mut oldest = time(&now.file.metadata().context("cannot look at", &now.path)?);
        for path in std::fs::read_dir(&dir)
            .context("cannot list", &dir)?
            .flatten()
        {
            let Ok(file) = File::open(path.path()) else {
                continue;
            };
            if file.try_lock().is_ok() {
                continue; // nobody's; removed when a store is next opened
            }
            if let Ok(meta) = file.metadata() {
                oldest = oldest.min(time(&meta));
            }
        }
        Ok(oldest)
    }
}

fn time(meta: &Metadata) -> Time {
    (meta.mtime(), meta.mtime_nsec())
}
