//! Reading the `source` of a `files` entry on the builder's side.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use nodeimage_spec::pin::MAX_INLINE;

/// The bytes of `source`: relative to `base`, `~/` in the home directory. An optional one that does
/// not exist is `None`. The error is a sentence.
pub fn read(base: &Path, source: &str, optional: bool) -> Result<Option<Vec<u8>>, String> {
    let path = match source.strip_prefix("~/") {
        Some(rest) => home()
            .ok_or("HOME is not set, so `~/` means nothing")?
            .join(rest),
        None => base.join(source),
    };
    let failed = |error: io::Error| format!("cannot read {}: {error}", path.display());
    let file = match File::open(&path) {
        Err(error) if optional && error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(failed)?,
    };
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(format!("{} is not a regular file", path.display()));
    }
    let mut bytes = Vec::new();
    let limit = MAX_INLINE as u64 + 1;
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 == limit {
        return Err(format!(
            "{} is larger than 1 MiB; put large files into an image",
            path.display()
        ));
    }
    Ok(Some(bytes))
}

#[expect(clippy::disallowed_methods, reason = "LinuxKit expands `~/`")]
fn home() -> Option<PathBuf> {
    std::env::home_dir().filter(|home| home.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_to_the_base_and_bounded() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), b"x").unwrap();
        assert_eq!(
            read(dir.path(), "a", false).unwrap().as_deref(),
            Some(b"x".as_slice())
        );
        assert_eq!(read(dir.path(), "b", true).unwrap(), None);
        assert!(
            read(dir.path(), "b", false)
                .unwrap_err()
                .contains("cannot read")
        );
        assert!(
            read(dir.path(), ".", false)
                .unwrap_err()
                .contains("not a regular file")
        );
        std::fs::write(dir.path().join("big"), vec![0; MAX_INLINE + 1]).unwrap();
        assert!(
            read(dir.path(), "big", false)
                .unwrap_err()
                .contains("1 MiB")
        );
    }
}
