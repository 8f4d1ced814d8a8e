//! Moving a tree from one file system to another, file by file: each is removed as soon as its
//! copy is complete, so that the move needs the memory of the largest file and no more.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, chownat, fchmod,
    ftruncate, linkat, mkdirat, mknodat, openat, readlinkat, statat, symlinkat, unlinkat,
    utimensat,
};
use rustix::io::Errno;

use super::size::PER_ENTRY;
use crate::error::{Doing, Error, Result};

/// Faults kept in full; the others are counted.
const FAULTS_KEPT: usize = 10;

/// The size of a tree.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Measure {
    /// Memory it takes in a tmpfs.
    pub(super) bytes: u64,
    /// Files, folders, links and devices.
    pub(super) entries: u64,
}

/// What could not be moved.
#[derive(Debug, Default)]
pub(super) struct Faults {
    first: Vec<Error>,
    more: usize,
}

impl Faults {
    /// The first ones.
    pub(super) fn first(&self) -> &[Error] {
        &self.first
    }

    /// How many there are besides.
    pub(super) fn more(&self) -> usize {
        self.more
    }

    fn note(&mut self, result: Result<()>) {
        match result {
            Ok(()) => {}
            Err(error) if self.first.len() < FAULTS_KEPT => self.first.push(error),
            Err(_) => self.more += 1,
        }
    }
}

/// Measures what [`move_all`] would move.
pub(super) fn measure(from: BorrowedFd<'_>, skip: &str) -> Measure {
    let mut measure = Measure::default();
    let mut seen: BTreeMap<u64, ()> = BTreeMap::new();
    let Ok(root) = status(from, Path::new(".")) else {
        return measure;
    };
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for name in names(from, &folder).unwrap_or_default() {
            let path = folder.join(&name);
            if path == Path::new(skip) {
                continue;
            }
            let Ok(stat) = status(from, &path) else {
                continue;
            };
            if stat.st_dev != root.st_dev {
                continue;
            }
            measure.entries += 1;
            measure.bytes = measure.bytes.saturating_add(PER_ENTRY);
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => folders.push(path),
                FileType::RegularFile
                    if stat.st_nlink < 2 || seen.insert(stat.st_ino, ()).is_none() =>
                {
                    let size = u64::try_from(stat.st_size).unwrap_or(0);
                    measure.bytes = measure.bytes.saturating_add(size.next_multiple_of(4096));
                }
                _ => {}
            }
        }
    }
    measure
}

/// Moves everything below `from`, except `skip` and what other file systems hold, to `to`.
pub(super) fn move_all(from: BorrowedFd<'_>, to: BorrowedFd<'_>, skip: &str) -> Faults {
    let mut faults = Faults::default();
    let root = match status(from, Path::new(".")) {
        Ok(root) => root,
        Err(error) => {
            faults.note(Err(error));
            return faults;
        }
    };
    let mut mover = Mover {
        from,
        to,
        device: root.st_dev,
        links: BTreeMap::new(),
    };
    let mut open = vec![Folder::open(from, PathBuf::new(), root, &mut faults)];
    while let Some(folder) = open.last_mut() {
        let Some(name) = folder.names.pop() else {
            if let Some(done) = open.pop() {
                faults.note(mover.finish(&done));
            }
            continue;
        };
        let path = folder.path.join(&name);
        if path == Path::new(skip) {
            continue;
        }
        match mover.entry(&path) {
            Ok(Some(stat)) => open.push(Folder::open(from, path, stat, &mut faults)),
            Ok(None) => {}
            Err(error) => faults.note(Err(error)),
        }
    }
    faults
}

/// A folder whose entries are being moved.
struct Folder {
    path: PathBuf,
    stat: Stat,
    names: Vec<OsString>,
}

impl Folder {
    fn open(from: BorrowedFd<'_>, path: PathBuf, stat: Stat, faults: &mut Faults) -> Self {
        let names = names(from, &path).unwrap_or_else(|error| {
            faults.note(Err(error));
            Vec::new()
        });
        Self { path, stat, names }
    }
}

struct Mover<'a> {
    from: BorrowedFd<'a>,
    to: BorrowedFd<'a>,
    device: u64,
    /// First new path of a file with several names, by its old inode.
    links: BTreeMap<u64, PathBuf>,
}

impl Mover<'_> {
    /// Moves one entry; a folder is made and returned, to be filled and then finished.
    fn entry(&mut self, path: &Path) -> Result<Option<Stat>> {
        let what = || format!("move /{}", path.display());
        let stat = status(self.from, path)?;
        if stat.st_dev != self.device {
            // A mount: its place is kept, its content is mounted anew.
            return mkdirat(self.to, path, Mode::from_raw_mode(0o755))
                .map(|()| None)
                .doing(what);
        }
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::Directory {
            mkdirat(self.to, path, Mode::RWXU).doing(what)?;
            return Ok(Some(stat));
        }
        match self.links.get(&stat.st_ino) {
            Some(first) => linkat(self.to, first, self.to, path, AtFlags::empty()).doing(what)?,
            None => self.copy(path, &stat, kind).doing(what)?,
        }
        unlinkat(self.from, path, AtFlags::empty()).doing(what)?;
        Ok(None)
    }

    fn copy(&mut self, path: &Path, stat: &Stat, kind: FileType) -> io::Result<()> {
        match kind {
            FileType::RegularFile => self.file(path, stat)?,
            FileType::Symlink => {
                let target = readlinkat(self.from, path, Vec::new())?;
                symlinkat(target, self.to, path)?;
                self.own(path, stat)?;
            }
            _ => {
                let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
                mknodat(self.to, path, kind, mode, stat.st_rdev)?;
                self.own(path, stat)?;
                // mknod obeys the umask, and a change of owner takes set-id bits away.
                rustix::fs::chmodat(self.to, path, mode, AtFlags::empty())?;
                self.times(path, stat)?;
                return Ok(());
            }
        }
        self.times(path, stat)?;
        if stat.st_nlink > 1 {
            self.links.insert(stat.st_ino, path.to_path_buf());
        }
        Ok(())
    }

    fn file(&self, path: &Path, stat: &Stat) -> io::Result<()> {
        let flags = OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mut old = File::from(openat(
            self.from,
            path,
            OFlags::RDONLY | flags,
            Mode::empty(),
        )?);
        let mut new = File::from(openat(
            self.to,
            path,
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | flags,
            Mode::RUSR | Mode::WUSR,
        )?);
        if let Err(error) = io::copy(&mut old, &mut new) {
            // Half a file is worse than none.
            let _ = unlinkat(self.to, path, AtFlags::empty());
            return Err(error);
        }
        self.own(path, stat)?;
        fchmod(&new, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
        if stat.st_nlink > 1 {
            // Its other names keep the old content in memory. Refused for a program that runs.
            if let Ok(old) = openat(self.from, path, OFlags::WRONLY | flags, Mode::empty()) {
                let _ = ftruncate(old, 0);
            }
        }
        Ok(())
    }

    /// Gives a filled folder its owner, mode and times, and removes the old one.
    fn finish(&self, folder: &Folder) -> Result<()> {
        let top = folder.path.as_os_str().is_empty();
        let path = if top { Path::new(".") } else { &folder.path };
        let what = || format!("move /{}", folder.path.display());
        self.own(path, &folder.stat).doing(what)?;
        let mode = Mode::from_raw_mode(folder.stat.st_mode & 0o7777);
        rustix::fs::chmodat(self.to, path, mode, AtFlags::empty()).doing(what)?;
        self.times(path, &folder.stat).doing(what)?;
        if !top {
            // Not empty when something in it is mounted, or was told as a fault.
            let _ = unlinkat(self.from, path, AtFlags::REMOVEDIR);
        }
        Ok(())
    }

    fn own(&self, path: &Path, stat: &Stat) -> io::Result<()> {
        chownat(
            self.to,
            path,
            Some(Uid::from_raw(stat.st_uid)),
            Some(Gid::from_raw(stat.st_gid)),
            AtFlags::SYMLINK_NOFOLLOW,
        )
        .map_err(io::Error::from)
    }

    fn times(&self, path: &Path, stat: &Stat) -> io::Result<()> {
        let time = |seconds, nanoseconds: u64| Timespec {
            tv_sec: seconds,
            tv_nsec: nanoseconds.try_into().unwrap_or(0),
        };
        let times = Timestamps {
            last_access: time(stat.st_atime, stat.st_atime_nsec),
            last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
        };
        utimensat(self.to, path, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(io::Error::from)
    }
}

fn status(at: BorrowedFd<'_>, path: &Path) -> Result<Stat> {
    statat(at, path, AtFlags::SYMLINK_NOFOLLOW).doing(|| format!("look at /{}", path.display()))
}

fn names(at: BorrowedFd<'_>, path: &Path) -> Result<Vec<OsString>> {
    read_names(at, path).doing(|| format!("read folder /{}", path.display()))
}

fn read_names(at: BorrowedFd<'_>, path: &Path) -> std::result::Result<Vec<OsString>, Errno> {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = openat(at, path, flags, Mode::empty())?;
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name));
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::fd::AsFd;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn everything_moves_and_keeps_what_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        fs::create_dir_all(a.join("deep/er")).unwrap();
        fs::create_dir(a.join("skip")).unwrap();
        fs::write(a.join("skip/kept"), "x").unwrap();
        fs::create_dir(&b).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_492_533_000);
        fs::write(a.join("file"), vec![7; 100_000]).unwrap();
        fs::set_permissions(a.join("file"), Permissions::from_mode(0o4751)).unwrap();
        File::open(a.join("file"))
            .unwrap()
            .set_modified(time)
            .unwrap();
        fs::hard_link(a.join("file"), a.join("deep/er/again")).unwrap();
        symlink("../file", a.join("deep/link")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, a.join("fifo"), Mode::from_raw_mode(0o622)).unwrap();
        fs::set_permissions(a.join("fifo"), Permissions::from_mode(0o622)).unwrap();
        fs::set_permissions(a.join("deep"), Permissions::from_mode(0o1755)).unwrap();
        File::open(a.join("deep"))
            .unwrap()
            .set_modified(time)
            .unwrap();
        fs::set_permissions(&a, Permissions::from_mode(0o711)).unwrap();

        let (old, new) = (File::open(&a).unwrap(), File::open(&b).unwrap());
        let measure = measure(old.as_fd(), "skip");
        assert_eq!(measure.entries, 6);
        assert_eq!(measure.bytes, 6 * PER_ENTRY + 102_400);
        let faults = move_all(old.as_fd(), new.as_fd(), "skip");
        assert!(faults.first().is_empty(), "{faults:?}");

        let file = fs::metadata(b.join("file")).unwrap();
        assert_eq!(file.mode() & 0o7777, 0o4751);
        assert_eq!(file.modified().unwrap(), time);
        assert_eq!(fs::read(b.join("file")).unwrap(), vec![7; 100_000]);
        assert_eq!(
            fs::metadata(b.join("deep/er/again")).unwrap().ino(),
            file.ino()
        );
        assert_eq!(
            fs::read_link(b.join("deep/link")).unwrap(),
            Path::new("../file")
        );
        let fifo = fs::metadata(b.join("fifo")).unwrap();
        assert_eq!(fifo.mode() & 0o7777, 0o622);
        let deep = fs::metadata(b.join("deep")).unwrap();
        assert_eq!(deep.mode() & 0o7777, 0o1755);
        assert_eq!(deep.modified().unwrap(), time);
        assert_eq!(fs::metadata(&b).unwrap().mode() & 0o7777, 0o711);
        let left: Vec<_> = fs::read_dir(&a).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }

    #[test]
    fn one_fault_does_not_stop_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        fs::create_dir(&a).unwrap();
        fs::create_dir(&b).unwrap();
        for name in ["one", "two", "three"] {
            fs::write(a.join(name), name).unwrap();
        }
        fs::write(b.join("two"), "in the way").unwrap();
        let (old, new) = (File::open(&a).unwrap(), File::open(&b).unwrap());
        let faults = move_all(old.as_fd(), new.as_fd(), "");
        assert_eq!(faults.first().len(), 1);
        assert_eq!(fs::read_to_string(b.join("one")).unwrap(), "one");
        assert_eq!(fs::read_to_string(b.join("three")).unwrap(), "three");
        assert_eq!(fs::read_to_string(a.join("two")).unwrap(), "two");
    }
}
