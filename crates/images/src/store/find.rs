//! Entries whose keys begin alike: people type the first digits of an id.

use nodeimage_disk::Sha256;

use super::error::{Context, StoreError};
use super::{Bucket, Store};

impl Store {
    /// The keys of a bucket whose hexadecimal form begins with `prefix` (lower case), sorted. The
    /// entries are neither opened nor marked as used.
    pub fn keys(&self, bucket: Bucket, prefix: &str) -> Result<Vec<Sha256>, StoreError> {
        let dir = self.inner.root.join(bucket.dir());
        let mut keys = Vec::new();
        for file in std::fs::read_dir(&dir).context("cannot list", &dir)? {
            let name = file.context("cannot list", &dir)?.file_name();
            let mut key: Sha256 = [0; 32];
            let begins = name
                .as_encoded_bytes()
                .strip_prefix(prefix.as_bytes())
                .is_some();
            if begins && hex::decode_to_slice(name.as_encoded_bytes(), &mut key).is_ok() {
                keys.push(key);
            }
        }
        keys.sort_unstable();
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StoreLimits;

    #[test]
    fn by_the_first_digits() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), StoreLimits::default()).unwrap();
        let (mut one, mut two) = ([0xab; 32], [0xab; 32]);
        (one[1], two[1]) = (1, 2);
        for key in [two, one] {
            store.replace(Bucket::Specs, &key, b"x", b"").unwrap();
        }
        std::fs::write(dir.path().join("specs-v1/abXX"), b"not ours").unwrap();
        let find = |prefix: &str| store.keys(Bucket::Specs, prefix).unwrap();
        assert_eq!(find(""), [one, two]);
        assert_eq!(find("ab"), [one, two]);
        assert_eq!(find("ab02"), [two]);
        assert!(find("AB").is_empty());
        assert!(store.keys(Bucket::Journal, "").unwrap().is_empty());
    }
}
