//! The package files on this machine: downloaded once, checked against the
//! lock every time, and moved on when Debian has dropped a locked version.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::architecture::Architecture;
use super::cross;
use super::lock::{Lock, Locked, Wanted};
use super::mirror::{Apt, Mirrors};
use crate::process;

/// Every wanted package file, checked.
#[derive(Clone, Debug)]
pub(super) struct Packages(BTreeMap<Wanted, PathBuf>);

impl Packages {
    pub(super) fn path(&self, wanted: Wanted) -> Result<&Path> {
        match self.0.get(&wanted) {
            Some(path) => Ok(path),
            None => bail!("no recipe declares the package {}", wanted.name),
        }
    }
}

/// Brings every wanted package here as `lock` says. Versions that are new to
/// the lock, or have vanished from the mirror, are written to it, as are the
/// newest ones of `stale`.
pub(super) fn fetch(
    wanted: &[Wanted],
    mut stale: Vec<Wanted>,
    lock: &mut Lock,
    cache: &Path,
) -> Result<Packages> {
    let store = Store::open(cache)?;
    stale.extend(wanted.iter().filter(|one| lock.get(**one).is_none()));
    // Not asked for when all is in the cache.
    let mut mirrors = None;
    let mut words = String::new();
    // The second round is for what has vanished and was locked anew.
    for _round in 0..2 {
        if !stale.is_empty() {
            cross::together(&mut stale, wanted);
            relock(&stale, lock, known(&mut mirrors)?, cache)?;
        }
        let absent = store.absent(wanted, lock)?;
        if !absent.is_empty() {
            words = store.download(&absent, known(&mut mirrors)?)?;
        }
        stale = absent.into_iter().map(|(one, _)| one).collect();
        stale = store
            .absent(&stale, lock)?
            .into_iter()
            .map(|(one, _)| one)
            .collect();
        if stale.is_empty() {
            return store.all(wanted, lock);
        }
    }
    bail!("cannot download the packages:\n{words}");
}

fn known(mirrors: &mut Option<Mirrors>) -> Result<&Mirrors> {
    match mirrors {
        Some(mirrors) => Ok(mirrors),
        none => Ok(none.insert(Mirrors::find()?)),
    }
}

/// Takes the newest version of each, and says what changed.
fn relock(stale: &[Wanted], lock: &mut Lock, mirrors: &Mirrors, cache: &Path) -> Result<()> {
    for architecture in Architecture::ALL {
        let of_this: Vec<Wanted> = stale
            .iter()
            .copied()
            .filter(|one| one.architecture == architecture)
            .collect();
        if of_this.is_empty() {
            continue;
        }
        let apt = Apt::update(mirrors, cache, architecture)?;
        for (one, newest) in apt.newest(&of_this)? {
            let (name, version) = (one.name, newest.version.clone());
            let architecture = architecture.name();
            match lock.set(one, newest.clone()) {
                Some(old) if old == newest => {}
                Some(old) if old.version == version => bail!(
                    "{name} {version} has another SHA-256 on the mirror than in the lock file: \
                     do not trust the mirror, or delete the line from the lock file if you do"
                ),
                Some(old) => eprintln!(
                    "xtask: WARNING: {name} {} ({architecture}) is replaced by {version}",
                    old.version
                ),
                None => {
                    eprintln!("xtask: {name} {version} ({architecture}) is new in the lock file")
                }
            }
        }
    }
    Ok(())
}

/// The download cache: one file per package version.
struct Store {
    folder: PathBuf,
}

impl Store {
    fn open(cache: &Path) -> Result<Self> {
        let folder = cache.join("debs");
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self { folder })
    }

    fn place(&self, wanted: Wanted, locked: &Locked) -> PathBuf {
        self.folder.join(format!(
            "{}_{}_{}.deb",
            wanted.name,
            locked.version.replace(':', "%3a"),
            wanted.architecture.name()
        ))
    }

    /// The file, if it is here and is what the lock says. A wrong one goes.
    fn find(&self, wanted: Wanted, locked: &Locked) -> Result<Option<PathBuf>> {
        let path = self.place(wanted, locked);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        if hex::encode(Sha256::digest(&bytes)) == locked.sha256 {
            return Ok(Some(path));
        }
        std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        Ok(None)
    }

    /// What of `wanted` is not here.
    fn absent<'a>(&self, wanted: &[Wanted], lock: &'a Lock) -> Result<Vec<(Wanted, &'a Locked)>> {
        let mut absent = Vec::new();
        for one in wanted {
            let locked = lock.require(*one)?;
            if self.find(*one, locked)?.is_none() {
                absent.push((*one, locked));
            }
        }
        Ok(absent)
    }

    fn all(&self, wanted: &[Wanted], lock: &Lock) -> Result<Packages> {
        let mut all = BTreeMap::new();
        for one in wanted {
            all.insert(*one, self.place(*one, lock.require(*one)?));
        }
        Ok(Packages(all))
    }

    /// Downloads what it can; what is still absent afterwards has failed, for
    /// the reasons in the answer.
    fn download(&self, absent: &[(Wanted, &Locked)], mirrors: &Mirrors) -> Result<String> {
        eprintln!("xtask: downloading {} Debian packages", absent.len());
        // Written aside, so that a killed run leaves nothing half.
        let aside = tempfile::tempdir_in(&self.folder).context("cannot make a download folder")?;
        let mut command = Command::new("/usr/lib/apt/apt-helper");
        command
            .args(["-q", "-o", "APT::Sandbox::User=root", "download-file"])
            .env("LC_ALL", "C");
        let mut arriving = Vec::new();
        for (number, (wanted, locked)) in absent.iter().enumerate() {
            let arrival = aside.path().join(format!("{number}.deb"));
            command
                .arg(mirrors.url(locked)?)
                .arg(&arrival)
                .arg(format!("SHA256:{}", locked.sha256));
            arriving.push((arrival, self.place(*wanted, locked)));
        }
        let output = command
            .output()
            .context("base images are made from Debian packages: run this on Debian")?;
        for (arrival, place) in arriving {
            if arrival.exists() {
                std::fs::rename(&arrival, &place)
                    .with_context(|| format!("cannot write {}", place.display()))?;
            }
        }
        Ok(process::tail(&output.stderr))
    }
}

#[cfg(test)]
mod tests {
    use super::super::lock::Archive;
    use super::*;

    #[test]
    fn a_file_that_is_not_what_the_lock_says_is_thrown_away() {
        let cache = tempfile::tempdir().unwrap();
        let store = Store::open(cache.path()).unwrap();
        let wanted = Wanted {
            architecture: Architecture::Amd64,
            name: "a",
        };
        let locked = Locked {
            version: "1:2".to_owned(),
            sha256: hex::encode(Sha256::digest(b"good")),
            archive: Archive::Main,
            path: "pool/a.deb".to_owned(),
        };
        assert_eq!(store.find(wanted, &locked).unwrap(), None);
        let place = store.place(wanted, &locked);
        assert!(place.ends_with("debs/a_1%3a2_amd64.deb"));
        std::fs::write(&place, "good").unwrap();
        assert_eq!(store.find(wanted, &locked).unwrap(), Some(place.clone()));
        std::fs::write(&place, "evil").unwrap();
        assert_eq!(store.find(wanted, &locked).unwrap(), None);
        assert!(!place.exists());
    }
}
