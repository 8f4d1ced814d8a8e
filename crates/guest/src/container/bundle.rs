//! The bundles of the image.

use std::fs;
use std::path::{Path, PathBuf};

use crate::console::say;

/// Sections of containers that this init runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    /// One after the other, before the services.
    Onboot,
    /// All at once, supervised.
    Services,
    /// One after the other, when the machine stops.
    Onshutdown,
}

impl Section {
    /// The folder's name below /containers.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Onboot => "onboot",
            Self::Services => "services",
            Self::Onshutdown => "onshutdown",
        }
    }
}

/// One container of the image.
#[derive(Debug, Clone)]
pub(crate) struct Bundle {
    /// Its folder.
    pub(crate) path: PathBuf,
    /// The folder's name, which is the container's: `000-dhcpcd`, `nginx`.
    pub(crate) name: String,
}

impl Bundle {
    /// Where its root is mounted.
    pub(crate) fn rootfs(&self) -> PathBuf {
        self.path.join("rootfs")
    }
}

/// The bundles of a section in the order of their names (bytes).
pub(crate) fn list(section: Section) -> Vec<Bundle> {
    list_in(&Path::new("/containers").join(section.folder()))
}

fn list_in(folder: &Path) -> Vec<Bundle> {
    let mut bundles: Vec<Bundle> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| match entry.file_name().into_string() {
            Ok(name) => Some(Bundle {
                path: entry.path(),
                name,
            }),
            Err(name) => {
                say!("nodeimage: {}: its name is not UTF-8", name.display());
                None
            }
        })
        .collect();
    bundles.sort_by(|a, b| a.name.cmp(&b.name));
    bundles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_in_order_of_bytes() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["010-b", "002-a", "Z", "a"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        fs::write(dir.path().join("file"), "").unwrap();
        let names: Vec<_> = list_in(dir.path()).into_iter().map(|b| b.name).collect();
        assert_eq!(names, ["002-a", "010-b", "Z", "a"]);
        assert!(list_in(&dir.path().join("none")).is_empty());
    }
}
