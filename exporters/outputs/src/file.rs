//! An output's file: written aside, buffered, hashed on the way when asked for.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use nodeimage_disk::Sha256;
use nodeimage_formats::Aside;
use sha2::Digest as _;

use crate::OutputError;

/// A file of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Where it stands.
    pub path: PathBuf,
    /// Its length in bytes.
    pub len: u64,
    /// Its sha256, when asked for.
    pub sha256: Option<Sha256>,
}

/// Writes the file at `path`; it has its name only when `write` has succeeded.
pub(crate) fn write_file(
    path: &Path,
    sha256: bool,
    write: impl FnOnce(&mut dyn Write) -> Result<(), OutputError>,
) -> Result<Written, OutputError> {
    let failed = OutputError::write(path);
    let mut file = Counted {
        out: BufWriter::with_capacity(256 * 1024, Aside::create(path)?),
        len: 0,
        hash: sha256.then(sha2::Sha256::new),
    };
    write(&mut file).map_err(|error| error.of(path))?;
    let Counted { out, len, hash } = file;
    let aside = out
        .into_inner()
        .map_err(|error| failed(error.into_error()))?;
    aside.commit()?;
    Ok(Written {
        path: path.to_owned(),
        len,
        sha256: hash.map(|hash| hash.finalize().into()),
    })
}

struct Counted<W> {
    out: W,
    len: u64,
    hash: Option<sha2::Sha256>,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        if let Some(hash) = &mut self.hash {
            hash.update(&bytes[..written]);
        }
        self.len += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_and_hash_are_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        for sha256 in [false, true] {
            let written = write_file(&path, sha256, |out| {
                out.write_all(b"he")
                    .and_then(|()| out.write_all(b"llo"))
                    .map_err(OutputError::write(Path::new("x")))
            })
            .unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), b"hello");
            assert_eq!((&written.path, written.len), (&path, 5));
            let expected = sha2::Sha256::digest(b"hello").into();
            assert_eq!(written.sha256, sha256.then_some(expected));
        }
    }

    #[test]
    fn a_failure_names_the_file_and_leaves_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, "old").unwrap();
        let error = write_file(&path, false, |_| {
            let full = io::Error::from(io::ErrorKind::StorageFull);
            Err(OutputError::write(Path::new("initrd"))(full))
        })
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot write `{}`", path.display())
        );
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
