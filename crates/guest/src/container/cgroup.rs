//! Cgroups that a container wants to exist.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::error::{Doing, Error, Result};

const ROOT: &str = "/sys/fs/cgroup";

/// Makes `name`, with the controllers its parents can give, in every hierarchy.
pub(super) fn make(name: &str) -> Result<()> {
    let relative = relative(name)?;
    let root = Path::new(ROOT);
    if root.join("cgroup.controllers").exists() {
        return unified(root, &relative);
    }
    let hierarchies = fs::read_dir(root).doing(|| format!("read {ROOT}"))?;
    for hierarchy in hierarchies.flatten().map(|entry| entry.path()) {
        if hierarchy.is_dir() && !hierarchy.is_symlink() {
            version_1(&hierarchy, &relative)?;
        }
    }
    Ok(())
}

fn relative(name: &str) -> Result<PathBuf> {
    let path = Path::new(name.trim_start_matches('/'));
    let plain = path
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if plain && !path.as_os_str().is_empty() {
        Ok(path.to_path_buf())
    } else {
        Err(Error::invalid(
            format!("cgroup {name:?}"),
            "use a path without `..`",
        ))
    }
}

/// Version 2: what a cgroup may control, its parents must pass on.
fn unified(root: &Path, relative: &Path) -> Result<()> {
    let mut folder = root.to_path_buf();
    for part in relative.components() {
        pass_on(&folder);
        folder.push(part);
        make_folder(&folder)?;
    }
    Ok(())
}

/// One by one: a controller that cannot be passed on must not keep the others back.
fn pass_on(folder: &Path) {
    let controllers = fs::read_to_string(folder.join("cgroup.controllers")).unwrap_or_default();
    for controller in controllers.split_whitespace() {
        let _ = fs::write(
            folder.join("cgroup.subtree_control"),
            format!("+{controller}"),
        );
    }
}

/// Version 1: a cpuset takes nobody in until it has processors and memory.
fn version_1(hierarchy: &Path, relative: &Path) -> Result<()> {
    let mut folder = hierarchy.to_path_buf();
    for part in relative.components() {
        let parent = folder.clone();
        folder.push(part);
        make_folder(&folder)?;
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if let Ok(value) = fs::read(parent.join(file)) {
                let _ = fs::write(folder.join(file), value);
            }
        }
    }
    Ok(())
}

fn make_folder(path: &Path) -> Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        result => result.doing(|| format!("make the cgroup {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_the_hierarchy() {
        assert_eq!(relative("/a/b").unwrap(), Path::new("a/b"));
        for bad in ["", "/", "../x", "a/../../b"] {
            assert!(relative(bad).is_err(), "{bad:?}");
        }
    }
}
