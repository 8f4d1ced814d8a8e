//! A file that gets its name only when it is complete.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file being written next to where it will stand.
pub(crate) struct Aside {
    file: BufWriter<NamedTempFile>,
    path: PathBuf,
}

impl Aside {
    /// Begins; the name in use, if any, keeps its old file until [`Aside::commit`].
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let dir = path
            .parent()
            .filter(|dir| !dir.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let file = tempfile::Builder::new()
            .prefix(".nodeimage-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .tempfile_in(dir)?;
        Ok(Self {
            file: BufWriter::with_capacity(256 * 1024, file),
            path: path.to_owned(),
        })
    }

    /// Gives the file its name.
    pub(crate) fn commit(self) -> io::Result<u64> {
        let file = self
            .file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        let len = file.as_file().metadata()?.len();
        let dir = self.path.parent().filter(|dir| !dir.as_os_str().is_empty());
        let dir = File::open(dir.unwrap_or(Path::new(".")))?;
        file.persist(&self.path).map_err(|error| error.error)?;
        dir.sync_all()?;
        Ok(len)
    }
}

impl Write for Aside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
