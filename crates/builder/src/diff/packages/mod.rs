//! Which packages differ, by the databases of apk and dpkg that the images carry.
//!
//! Databases are looked for in the machine's root and in the root of every container. They are
//! bounded and their text is anybody's: what makes no sense is left out, and what is too large is
//! told.

mod apk;
mod dpkg;

use std::collections::{BTreeMap, BTreeSet};

use nodeimage_images::Kind;
use serde::Serialize;

use super::Change;
use super::attributes::shown;
use super::root::Root;

/// Bytes of a database that are read: Debian's with 5,000 packages has 6 MiB.
const MAX_DATABASE: u64 = 64 << 20;
/// Packages of one image that are compared.
const MAX_PACKAGES: usize = 200_000;
/// Characters of a name or version.
const MAX_WORD: usize = 256;

/// Databases by their place in a root.
const APK: [&[u8]; 2] = [b"lib/apk/db/installed", b"usr/lib/apk/db/installed"];
const DPKG: &[u8] = b"var/lib/dpkg/status";
const DPKG_DIR: &[u8] = b"var/lib/dpkg/status.d/";

/// The packages that differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Packages {
    /// Packages before.
    pub from: u64,
    /// Packages afterwards.
    pub to: u64,
    /// Those that were added, removed, or have another version, by name.
    pub list: Vec<PackageChange>,
    /// Databases that could not be read, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
}

/// A package that differs, in all places where it differs alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PackageChange {
    /// Its name; dpkg's with the architecture where several are installed.
    pub name: String,
    /// `apk` or `dpkg`.
    pub manager: &'static str,
    /// What happened.
    pub change: Change,
    /// Version before; several are separated by `, `.
    pub from: Option<String>,
    /// Version afterwards.
    pub to: Option<String>,
    /// Where: `/` for the machine's root, or the container's directory.
    pub places: Vec<String>,
}

/// Place, manager, name → versions.
type Installed = BTreeMap<(String, &'static str, String), BTreeSet<String>>;

impl Packages {
    pub(super) fn between(from: &Root, to: &Root) -> Self {
        let mut unread = BTreeSet::new();
        let old = installed(from, &mut unread);
        let new = installed(to, &mut unread);
        let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
        // Without places, which are put together.
        let mut found: BTreeMap<PackageChange, Vec<String>> = BTreeMap::new();
        for key in keys {
            let (was, is) = (old.get(key), new.get(key));
            if was == is {
                continue;
            }
            let Some(change) = Change::of(was, is) else {
                continue;
            };
            let (place, manager, name) = key;
            let change = PackageChange {
                name: name.clone(),
                manager,
                change,
                from: versions(was),
                to: versions(is),
                places: Vec::new(),
            };
            found.entry(change).or_default().push(place.clone());
        }
        let list = found.into_iter();
        let list = list.map(|(change, places)| PackageChange { places, ..change });
        Self {
            from: count(&old),
            to: count(&new),
            list: list.collect(),
            unread: unread.into_iter().collect(),
        }
    }
}

fn count(installed: &Installed) -> u64 {
    installed
        .values()
        .map(|versions| versions.len() as u64)
        .sum()
}

fn versions(versions: Option<&BTreeSet<String>>) -> Option<String> {
    let versions: Vec<&str> = versions?.iter().map(String::as_str).collect();
    Some(versions.join(", "))
}

/// A package as its database has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Package {
    name: String,
    version: String,
}

fn installed(root: &Root, unread: &mut BTreeSet<String>) -> Installed {
    let mut installed = Installed::new();
    let mut packages = 0_usize;
    for (path, entry) in &root.entries {
        let Kind::File(data) = &entry.file.node.kind else {
            continue;
        };
        let Some((place, manager)) = database(path) else {
            continue;
        };
        let bytes = match data.read(MAX_DATABASE) {
            Ok(bytes) => bytes,
            Err(error) => {
                unread.insert(format!("{}: {error}", shown(path)));
                continue;
            }
        };
        let parse = if manager == "apk" {
            apk::parse
        } else {
            dpkg::parse
        };
        parse(&bytes, &mut |package| {
            packages += 1;
            if packages <= MAX_PACKAGES {
                let key = (place.clone(), manager, package.name);
                installed.entry(key).or_default().insert(package.version);
            }
        });
    }
    if packages > MAX_PACKAGES {
        unread.insert(format!(
            "{packages} packages; {MAX_PACKAGES} of them are compared"
        ));
    }
    installed
}

/// The place and kind of a database.
fn database(path: &[u8]) -> Option<(String, &'static str)> {
    let (place, rest) = split(path)?;
    let manager = if APK.contains(&rest) {
        "apk"
    } else if rest == DPKG {
        "dpkg"
    } else {
        // Images without a package manager have a file for each package; its `.md5sums` is none.
        let name = rest.strip_prefix(DPKG_DIR)?;
        let is_one = !name.contains(&b'/') && !name.ends_with(b".md5sums");
        if !is_one {
            return None;
        }
        "dpkg"
    };
    let place = match place {
        b"" => "/".to_owned(),
        place => shown(place),
    };
    Some((place, manager))
}

/// The root a path lies in, and the path in it. Containers have theirs in `rootfs` or `lower`,
/// volumes in `lower` or `merged`.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if !path.starts_with(b"containers/") {
        return Some((b"", path));
    }
    // A container's name may have slashes, but not many.
    let mut from = b"containers/".len();
    for _ in 0..16 {
        let end = path[from..].iter().position(|byte| *byte == b'/')? + from;
        if matches!(&path[from..end], b"rootfs" | b"lower" | b"merged") {
            return Some((&path[..from - 1], &path[end + 1..]));
        }
        from = end + 1;
    }
    None
}

/// A name or version, if it is one.
fn word(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text.trim_ascii()).ok()?;
    let fits = !text.is_empty() && text.len() <= MAX_WORD;
    (fits && text.chars().all(|c| c.is_ascii_graphic())).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_are_found_in_every_root() {
        let at = |path: &str| database(path.as_bytes());
        let some = |place: &str, manager| Some((place.to_owned(), manager));
        assert_eq!(at("lib/apk/db/installed"), some("/", "apk"));
        assert_eq!(at("usr/lib/apk/db/installed"), some("/", "apk"));
        assert_eq!(
            at("containers/services/web/rootfs/var/lib/dpkg/status"),
            some("containers/services/web", "dpkg")
        );
        assert_eq!(
            at("containers/services/a/b/lower/var/lib/dpkg/status.d/libc6"),
            some("containers/services/a/b", "dpkg")
        );
        for none in [
            "var/lib/dpkg/status-old",
            "var/lib/dpkg/status.d/libc6.md5sums",
            "var/lib/dpkg/status.d/x/y",
            "srv/lib/apk/db/installed",
            "containers/services/web/config.json",
            "containers/services/web/rootfs/srv/lib/apk/db/installed",
        ] {
            assert_eq!(at(none), None, "{none}");
        }
    }
}
