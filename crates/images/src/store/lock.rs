//! Advisory locks (flock) as proof of life: the kernel drops them with their holder, however it
//! dies, so a file that nobody locks belongs to nobody.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::{Context, StoreError};

/// A file that this process holds locked; removed, then unlocked, when dropped.
#[derive(Debug)]
pub(super) struct Locked {
    pub(super) file: File,
    pub(super) path: PathBuf,
    /// The file has been renamed away and stays.
    pub(super) kept: bool,
}

impl Drop for Locked {
    fn drop(&mut self) {
        if !self.kept {
            // What cannot be removed now is removed as an orphan later.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// A new file in `dir` with a name of its own, locked.
pub(super) fn create(dir: &Path) -> Result<Locked, StoreError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = dir.join(format!("{}.{number}", std::process::id()));
        let file = match options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
        {
            // Left by a killed process that had this process id.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            other => other.context("cannot create", &path)?,
        };
        file.lock().context("cannot lock", &path)?;
        // Between its creation and the lock it looked like an orphan.
        if is_linked(&file, &path)? {
            return Ok(Locked {
                file,
                path,
                kept: false,
            });
        }
    }
}

/// Locks the file at `path`, made when it is not there; calls `waiting` if someone else holds it.
pub(super) fn acquire(path: &Path, waiting: impl FnOnce()) -> Result<Locked, StoreError> {
    let mut waiting = Some(waiting);
    loop {
        let file = options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .context("cannot create", path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                if let Some(waiting) = waiting.take() {
                    waiting();
                }
                file.lock().context("cannot lock", path)?;
            }
            Err(TryLockError::Error(error)) => return Err(error).context("cannot lock", path),
        }
        // The one before removed it before unlocking: this lock would exclude nobody.
        if is_linked(&file, path)? {
            return Ok(Locked {
                file,
                path: path.to_path_buf(),
                kept: false,
            });
        }
    }
}

/// Removes the files of `dir` that nobody holds. Best effort: another process may do it as well.
pub(super) fn remove_orphans(dir: &Path) {
    let Ok(files) = std::fs::read_dir(dir) else {
        return;
    };
    for path in files.flatten().map(|file| file.path()) {
        let Ok(file) = OpenOptions::new().read(true).open(&path) else {
            continue;
        };
        if file.try_lock().is_ok() {
            let _ = std::fs::remove_file(&path);
        }
    }
}

pub(super) fn is_linked(file: &File, path: &Path) -> Result<bool, StoreError> {
    Ok(file.metadata().context("cannot look at", path)?.nlink() > 0)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}
