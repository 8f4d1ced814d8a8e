//! Disks that stand already: a build that would write the same bytes to the same file leaves it.
//!
//! After writing a disk its file's inode, length and times are kept in the store. If they are still
//! the same, nobody has written to it since: the time of change can't be set back.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nodeimage_disk::Sha256;
use nodeimage_images::store::{Bucket, Store, StoreError};
use sha2::Digest as _;

/// What a file looks like, and which disk it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    key: Sha256,
    record: String,
}

impl Seen {
    /// How the file at `path` looks now, if it is the disk `digest`.
    pub(crate) fn of(path: &Path, digest: &Sha256) -> io::Result<Self> {
        let full = std::path::absolute(path)?;
        let file = fs::metadata(path)?;
        if !file.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let name = full.as_os_str().as_encoded_bytes();
        let key = sha2::Sha256::digest([b"raw disk seen 1 ".as_slice(), name].concat()).into();
        let record = format!(
            "{} {} {} {}.{:09} {}.{:09} {}",
            file.dev(),
            file.ino(),
            file.len(),
            file.mtime(),
            file.mtime_nsec(),
            file.ctime(),
            file.ctime_nsec(),
            hex::encode(digest)
        );
        Ok(Self { key, record })
    }

    /// Whether it looked the same when it was written.
    pub(crate) fn is_known(&self, store: &Store) -> Result<bool, StoreError> {
        match store.get_sound(Bucket::Journal, &self.key)? {
            Some(entry) => Ok(entry.read()? == self.record.as_bytes()),
            None => Ok(false),
        }
    }

    /// Keeps how it looks.
    pub(crate) fn remember(&self, store: &Store) -> Result<(), StoreError> {
        store
            .replace(Bucket::Journal, &self.key, self.record.as_bytes(), b"")
            .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use nodeimage_images::StoreLimits;

    use super::*;

    #[test]
    fn a_file_that_was_touched_is_not_known() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().join("store"), StoreLimits::default()).unwrap();
        let path = dir.path().join("disk");
        fs::write(&path, b"disk").unwrap();
        let digest = [7; 32];
        let seen = Seen::of(&path, &digest).unwrap();
        assert!(!seen.is_known(&store).unwrap());
        seen.remember(&store).unwrap();
        assert!(Seen::of(&path, &digest).unwrap().is_known(&store).unwrap());
        assert!(
            !Seen::of(&path, &[8; 32]).unwrap().is_known(&store).unwrap(),
            "another disk"
        );
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(&path, b"disc").unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(modified).unwrap();
        assert!(
            !Seen::of(&path, &digest).unwrap().is_known(&store).unwrap(),
            "the time set back"
        );
        assert!(Seen::of(&dir.path().join("gone"), &digest).is_err());
    }
}
