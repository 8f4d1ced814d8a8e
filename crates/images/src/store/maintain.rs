//! What `nodeimage cache` shows and checks.

use std::path::PathBuf;

use nodeimage_disk::Sha256;

use super::entry::{self, Found};
use super::error::{Context, StoreError};
use super::{Bucket, Store};

/// How full the store is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Each bucket.
    pub buckets: Vec<BucketStats>,
    /// Bytes of disk taken by all entries, those of other versions too.
    pub bytes: u64,
    /// The limit it keeps to.
    pub limit: Option<u64>,
}

/// How full a bucket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketStats {
    /// Its directory's name.
    pub name: String,
    /// Number of entries.
    pub entries: u64,
    /// Bytes of disk they take.
    pub bytes: u64,
}

/// What [`Store::verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Entries that were read.
    pub entries: u64,
    /// Bytes that were hashed.
    pub bytes: u64,
    /// Damaged entries, removed.
    pub removed: Vec<PathBuf>,
}

impl Store {
    /// How full the store is.
    pub fn stats(&self) -> Result<Stats, StoreError> {
        let mut stats = Stats {
            limit: self.inner.limits.bytes,
            ..Stats::default()
        };
        let mut items = self.items()?;
        items.sort_by(|a, b| a.path.cmp(&b.path));
        for item in items {
            let name = item
                .path
                .parent()
                .and_then(|dir| dir.file_name())
                .unwrap_or_default();
            let name = name.to_string_lossy().into_owned();
            stats.bytes += item.bytes;
            match stats
                .buckets
                .last_mut()
                .filter(|bucket| bucket.name == name)
            {
                Some(bucket) => {
                    bucket.entries += 1;
                    bucket.bytes += item.bytes;
                }
                None => {
                    stats.buckets.push(BucketStats {
                        name,
                        entries: 1,
                        bytes: item.bytes,
                    });
                }
            }
        }
        Ok(stats)
    }

    /// Hashes every entry of this version and removes the damaged ones. `each` is called with the
    /// bytes of every entry checked.
    pub fn verify(&self, mut each: impl FnMut(u64)) -> Result<Verified, StoreError> {
        let mut verified = Verified::default();
        for bucket in Bucket::ALL {
            let dir = self.inner.root.join(bucket.dir());
            let files = std::fs::read_dir(&dir).context("cannot list", &dir)?;
            let mut names: Vec<_> = files.flatten().map(|file| file.file_name()).collect();
            names.sort();
            for name in names {
                let path = dir.join(&name);
                let mut key: Sha256 = [0; 32];
                let named = hex::decode_to_slice(name.as_encoded_bytes(), &mut key).is_ok();
                let sound = match entry::open(&path, false)? {
                    Found::Nothing => continue,
                    Found::Damaged => false,
                    Found::Entry(entry) => {
                        let len = entry.file().len;
                        verified.bytes += len;
                        each(len);
                        named && entry.verify()?
                    }
                };
                verified.entries += 1;
                if !sound {
                    std::fs::remove_file(&path).context("cannot remove", &path)?;
                    self.sound().remove(&(bucket, key));
                    verified.removed.push(path);
                }
            }
        }
        Ok(verified)
    }
}
