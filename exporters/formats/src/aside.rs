//! A file that appears under its name only when it is complete.
//!
//! Until then it stands in the same folder as `.NAME.RANDOM.nodeimage-part`, locked (flock). The
//! system drops the lock with the process, however that ends, so whoever writes NAME next tells a
//! dead writer's file from one that is still being written, and removes it.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

const SUFFIX: &str = ".nodeimage-part";
/// Characters of NAME that the other name repeats: there must be room for the rest of it.
const REPEATED: usize = 48;

/// Why a file can't be written.
#[derive(Debug, thiserror::Error)]
pub enum AsideError {
    /// Something other than a regular file has the name.
    #[error("{}: not a regular file; choose another name", .0.display())]
    NotAFile(PathBuf),
    /// The file can't be made, completed or renamed.
    #[error("{}: cannot write the file: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A file on its way to its name. Dropped before it is committed, it is removed.
#[derive(Debug)]
pub struct Aside {
    file: NamedTempFile,
    path: PathBuf,
}

impl Aside {
    /// Begins an empty file beside `path`, and removes what killed writers of `path` left. The name
    /// in use, if any, keeps its old file until [`Aside::commit`].
    pub fn create(path: &Path) -> Result<Self, AsideError> {
        let fail = |source| AsideError::Write {
            path: path.to_owned(),
            source,
        };
        match fs::symlink_metadata(path) {
            Ok(found) if !found.is_file() && !found.is_symlink() => {
                return Err(AsideError::NotAFile(path.to_owned()));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(fail(error)),
        }
        let name = path
            .file_name()
            .ok_or_else(|| AsideError::NotAFile(path.to_owned()))?;
        let prefix = prefix(name);
        remove_orphans(folder(path), &prefix);
        let file = locked(folder(path), &prefix).map_err(fail)?;
        Ok(Self {
            file,
            path: path.to_owned(),
        })
    }

    /// The file, to be written in any order.
    pub fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Opens it once more, to read it.
    ///
    /// # Errors
    /// The system's.
    pub fn reopen(&self) -> io::Result<File> {
        self.file.reopen()
    }

    /// Makes it durable and gives it its name.
    pub fn commit(self) -> Result<File, AsideError> {
        let path = self.path;
        let fail = |source| AsideError::Write {
            path: path.clone(),
            source,
        };
        self.file.as_file().sync_all().map_err(fail)?;
        let file = self
            .file
            .persist(&path)
            .map_err(|error| fail(error.error))?;
        sync_folder(folder(&path)).map_err(fail)?;
        Ok(file)
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

fn prefix(name: &OsStr) -> String {
    let name: String = name.to_string_lossy().chars().take(REPEATED).collect();
    format!(".{name}.")
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn locked(folder: &Path, prefix: &str) -> io::Result<NamedTempFile> {
    loop {
        let file = temporary(folder, prefix)?;
        // Where files can't be locked, others can't lock it either and so leave it alone.
        let _ = file.as_file().try_lock();
        // Between its creation and the lock it looked like an orphan.
        if is_linked(file.as_file())? {
            return Ok(file);
        }
    }
}

/// Best effort: what can't be removed is in nobody's way.
fn remove_orphans(folder: &Path, prefix: &str) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_ours = name.starts_with(prefix) && name.ends_with(SUFFIX);
        if !is_ours || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        let Ok(file) = OpenOptions::new().read(true).open(entry.path()) else {
            continue;
        };
        match file.try_lock() {
            Ok(()) => drop(fs::remove_file(entry.path())),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}

#[cfg(unix)]
fn temporary(folder: &Path, prefix: &str) -> io::Result<NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    // As any new file: the process's umask applies.
    tempfile::Builder::new()
        .prefix(prefix)
        .suffix(SUFFIX)
        .permissions(fs::Permissions::from_mode(0o666))
        .tempfile_in(folder)
}

#[cfg(not(unix))]
fn temporary(folder: &Path, prefix: &str) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(prefix)
        .suffix(SUFFIX)
        .tempfile_in(folder)
}

#[cfg(unix)]
fn is_linked(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    Ok(file.metadata()?.nlink() > 0)
}

#[cfg(not(unix))]
fn is_linked(_: &File) -> io::Result<bool> {
    // An open file can't be removed there.
    Ok(true)
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|it| it.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_dead_writers_file_goes_and_a_live_ones_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.img");
        let orphan = folder.path().join(".node.img.abc123.nodeimage-part");
        fs::write(&orphan, "half").unwrap();
        let foreign = [".node.img.abc123.part", ".other.img.abc.nodeimage-part"];
        for name in foreign {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let mut first = Aside::create(&path).unwrap();
        assert!(!orphan.exists());
        first.write_all(b"first").unwrap();
        let mut second = Aside::create(&path).unwrap();
        assert_eq!(
            names(folder.path()).len(),
            4,
            "both live, foreign ones stay"
        );
        second.write_all(b"second").unwrap();
        first.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"first");
        second.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(names(folder.path()), [foreign[0], foreign[1], "node.img"]);
    }

    #[test]
    fn what_a_killed_process_leaves_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let held = folder.path().join(".x.1.nodeimage-part");
        fs::write(&held, "").unwrap();
        // Another process holds the lock, until it is killed.
        let mut holder = std::process::Command::new("flock")
            .args([held.as_os_str(), "sleep".as_ref(), "60".as_ref()])
            .spawn()
            .unwrap();
        let file = File::open(&held).unwrap();
        while file.try_lock().is_ok() {
            file.unlock().unwrap();
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let path = folder.path().join("x");
        drop(Aside::create(&path).unwrap());
        assert!(held.exists(), "its writer lives");
        let children = format!("/proc/{0}/task/{0}/children", holder.id());
        let sleeper = fs::read_to_string(children).unwrap();
        let sleeper: i32 = sleeper.trim().parse().unwrap();
        holder.kill().unwrap();
        holder.wait().unwrap();
        let killed = std::process::Command::new("kill")
            .args(["-9", &sleeper.to_string()])
            .status();
        assert!(killed.unwrap().success());
        while file.try_lock().is_err() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        file.unlock().unwrap();
        drop(Aside::create(&path).unwrap());
        assert!(!held.exists());
    }

    #[test]
    fn long_names_and_names_without_unicode() {
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().unwrap();
        let long = "ü".repeat(127);
        for name in [OsStr::new(&long), OsStr::from_bytes(b"\xff\xfe.img")] {
            let path = folder.path().join(name);
            Aside::create(&path).unwrap().commit().unwrap();
            assert!(path.is_file());
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn only_files_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path(), Path::new("/dev/null"), Path::new("..")] {
            let error = Aside::create(path).unwrap_err();
            assert!(matches!(error, AsideError::NotAFile(_)), "{error}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
