//! The lock file of the base images: which Debian packages, to the byte.
//!
//! One line per package, sorted: architecture, package, version, SHA-256,
//! archive, path below the archive's root. A package of a series
//! (`linux-image-cloud-amd64`) is named by the series: its own name has a
//! version in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};

use super::architecture::Architecture;

/// The two archives that Debian mirrors carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Archive {
    Main,
    Security,
}

impl Archive {
    /// The folder at the end of a mirror's URL.
    pub(super) const fn folder(self) -> &'static str {
        match self {
            Self::Main => "debian",
            Self::Security => "debian-security",
        }
    }

    pub(super) fn of_folder(folder: &str) -> Option<Self> {
        [Self::Main, Self::Security]
            .into_iter()
            .find(|archive| archive.folder() == folder)
    }
}

/// A package as recipes ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Wanted {
    pub(super) architecture: Architecture,
    pub(super) name: &'static str,
}

/// One exact package file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Locked {
    pub(super) version: String,
    /// Lower-case hexadecimal.
    pub(super) sha256: String,
    pub(super) archive: Archive,
    /// Below the archive's root, percent-encoded as apt prints it.
    pub(super) path: String,
}

/// All packages, by (architecture, name).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lock(BTreeMap<(String, String), Locked>);

const HEADER: &str = "\
# The Debian packages that the base images are made from.
# Written by `cargo xtask base-images`; commit it when it changes.
# architecture package version sha256 archive path
";

impl Lock {
    pub(super) fn read(path: &Path) -> Result<Self> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text).with_context(|| format!("in {}", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    pub(super) fn get(&self, wanted: Wanted) -> Option<&Locked> {
        self.0.get(&key(wanted))
    }

    pub(super) fn require(&self, wanted: Wanted) -> Result<&Locked> {
        self.get(wanted)
            .ok_or_else(|| anyhow!("the package {} is in no lock", wanted.name))
    }

    pub(super) fn set(&mut self, wanted: Wanted, locked: Locked) -> Option<Locked> {
        self.0.insert(key(wanted), locked)
    }

    /// Forgets the packages that no recipe asks for any more.
    pub(super) fn keep(&mut self, wanted: &[Wanted]) {
        let wanted: BTreeSet<_> = wanted.iter().copied().map(key).collect();
        self.0.retain(|key, _| wanted.contains(key));
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut lock = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            if line.starts_with('#') || line.is_empty() {
                continue;
            }
            let (key, locked) = parse_line(line).with_context(|| {
                format!(
                    "line {}: delete it, or make the file anew with \
                     cargo xtask base-images --refresh",
                    number + 1
                )
            })?;
            if lock.insert(key, locked).is_some() {
                bail!("line {}: the package is listed twice", number + 1);
            }
        }
        Ok(Self(lock))
    }

    pub(super) fn to_text(&self) -> String {
        let mut text = HEADER.to_owned();
        for ((architecture, name), locked) in &self.0 {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{architecture} {name} {} {} {} {}",
                locked.version,
                locked.sha256,
                locked.archive.folder(),
                locked.path
            );
        }
        text
    }
}

fn key(wanted: Wanted) -> (String, String) {
    let Wanted { architecture, name } = wanted;
    (architecture.name().to_owned(), name.to_owned())
}

fn parse_line(line: &str) -> Result<((String, String), Locked)> {
    let words: Vec<&str> = line.split(' ').collect();
    let [architecture, name, version, sha256, archive, path] = words[..] else {
        bail!("{} words instead of 6", words.len());
    };
    if sha256.len() != 64 || hex::decode(sha256).is_err() {
        bail!("the fourth word is no SHA-256");
    }
    if path.starts_with('/') || path.split('/').any(|part| part.is_empty() || part == "..") {
        bail!("the path must lie below the archive's root");
    }
    let archive =
        Archive::of_folder(archive).ok_or_else(|| anyhow!("unknown archive {archive}"))?;
    Ok((
        (architecture.to_owned(), name.to_owned()),
        Locked {
            version: version.to_owned(),
            sha256: sha256.to_ascii_lowercase(),
            archive,
            path: path.to_owned(),
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "3d3fdbe91d4660c873e14b092c213fe81c1da6362daa236eb25d0171eb108744";

    fn line(name: &str) -> String {
        format!("amd64 {name} 1:1.35.0-4 {HASH} debian pool/main/b/busybox/b_1.deb\n")
    }

    #[test]
    fn text_is_sorted_and_survives_a_round_trip() {
        let lock = Lock::parse(&(line("zlib1g") + &line("busybox"))).unwrap();
        let text = lock.to_text();
        assert_eq!(text, HEADER.to_owned() + &line("busybox") + &line("zlib1g"));
        assert_eq!(Lock::parse(&text).unwrap(), lock);
    }

    #[test]
    fn what_no_recipe_wants_is_dropped() {
        let mut lock = Lock::parse(&(line("a") + &line("b"))).unwrap();
        let wanted = Wanted {
            architecture: Architecture::Amd64,
            name: "a",
        };
        lock.keep(&[wanted]);
        assert_eq!(lock.to_text(), HEADER.to_owned() + &line("a"));
        assert_eq!(lock.get(wanted).unwrap().version, "1:1.35.0-4");
    }

    #[test]
    fn bad_lines_are_named() {
        for bad in [
            "amd64 a 1".to_owned(),
            line("a").replace(HASH, "12"),
            line("a").replace("pool/main", "../main"),
            line("a").replace(" debian ", " ubuntu "),
            line("a") + &line("a"),
        ] {
            let error = format!("{:#}", Lock::parse(&bad).unwrap_err());
            assert!(error.contains("line "), "{error}");
        }
    }
}
