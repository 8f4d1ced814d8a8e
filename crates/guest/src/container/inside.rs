//! Paths inside a container's root. The image chooses the symbolic links there, so they are
//! followed as the container would see them, never out of it.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, mkdirat, openat2};
use rustix::io::Errno;

use crate::error::{Doing, Error, Result};

/// Makes the folder `path` (relative) and its parents inside `root`, and opens it.
pub(crate) fn make_folder(root: &Path, path: &Path) -> Result<OwnedFd> {
    let what = || format!("make {} in {}", path.display(), root.display());
    let root = openat2(CWD, root, FOLDER, Mode::empty(), ResolveFlags::empty()).doing(what)?;
    let mut folder = open(&root, Path::new(".")).doing(what)?;
    let mut so_far = PathBuf::new();
    for part in path.components() {
        let name = match part {
            Component::Normal(name) => name,
            Component::CurDir => continue,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(Error::invalid(
                    format!("path {}", path.display()),
                    "a path inside a container has no `..` and no slash in front",
                ));
            }
        };
        match mkdirat(&folder, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            result => result.doing(what)?,
        }
        so_far.push(name);
        folder = open(&root, &so_far).doing(what)?;
    }
    Ok(folder)
}

/// A path that means this open folder, for calls that take none.
pub(crate) fn path_of(folder: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()))
}

const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

fn open(root: &OwnedFd, path: &Path) -> rustix::io::Result<OwnedFd> {
    openat2(
        root.as_fd(),
        path,
        FOLDER,
        Mode::empty(),
        ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_stay_inside() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir_all(root.join("etc")).unwrap();
        fs::create_dir(dir.path().join("outside")).unwrap();
        symlink(dir.path().join("outside"), root.join("absolute")).unwrap();
        symlink("../outside", root.join("up")).unwrap();
        symlink("/etc", root.join("conf")).unwrap();

        make_folder(&root, Path::new("conf/new/deep")).unwrap();
        assert!(root.join("etc/new/deep").is_dir());
        let _ = make_folder(&root, Path::new("absolute/x"));
        let _ = make_folder(&root, Path::new("up/x"));
        assert_eq!(fs::read_dir(dir.path().join("outside")).unwrap().count(), 0);
        assert!(make_folder(&root, Path::new("../x")).is_err());
        assert!(make_folder(&root, Path::new("/x")).is_err());
    }
}
