//! A socket in a directory of its own that no one else may enter.

use std::fs::Permissions;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// `sockaddr_un` has room for 108 bytes with the final zero, 104 on macOS.
const MAX_PATH: usize = 103;

/// A path for a socket; it and its directory are removed with this value.
#[derive(Debug)]
pub(crate) struct Socket {
    path: PathBuf,
    // Removed when dropped.
    _dir: TempDir,
}

impl Socket {
    pub(crate) fn new() -> io::Result<Self> {
        Self::below(&std::env::temp_dir())
    }

    /// Below `dir`, or where paths are shorter if `dir`'s is too long, isn't
    /// there, or isn't UTF-8 (the handshake is text).
    fn below(dir: &Path) -> io::Result<Self> {
        let mut last = io::Error::other("no directory for a socket: set TMPDIR to a short path");
        for dir in [
            dir,
            Path::new("/tmp"),
            Path::new("/var/tmp"),
            Path::new("/dev/shm"),
        ] {
            match Self::try_below(dir) {
                Ok(Some(socket)) => return Ok(socket),
                Ok(None) => {}
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn try_below(dir: &Path) -> io::Result<Option<Self>> {
        // "/tfp123456/s"
        if dir.as_os_str().as_bytes().len() + 12 > MAX_PATH || dir.to_str().is_none() {
            return Ok(None);
        }
        let dir = tempfile::Builder::new()
            .prefix("tfp")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(dir)?;
        let path = std::path::absolute(dir.path().join("s"))?;
        if path.as_os_str().as_bytes().len() > MAX_PATH {
            return Ok(None);
        }
        Ok(Some(Self { path, _dir: dir }))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_long_or_missing_directory_is_not_used() {
        let long = tempfile::tempdir().unwrap();
        let long = long.path().join("x".repeat(100));
        std::fs::create_dir(&long).unwrap();
        for dir in [long.as_path(), Path::new("/does/not/exist")] {
            let socket = Socket::below(dir).unwrap();
            assert!(!socket.path().starts_with(dir));
            UnixListener::bind(socket.path()).unwrap();
        }
    }

    #[test]
    fn private_and_gone_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let socket = Socket::below(dir.path()).unwrap();
        assert!(socket.path().starts_with(dir.path()));
        let parent = socket.path().parent().unwrap().to_owned();
        let mode = std::fs::metadata(&parent).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let _listener = UnixListener::bind(socket.path()).unwrap();
        drop(socket);
        assert!(!parent.exists());
    }
}
