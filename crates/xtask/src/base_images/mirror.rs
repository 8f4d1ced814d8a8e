//! The Debian mirrors this machine already uses, and apt asked through them
//! for one fixed suite in a state of its own: the system's lists, pins and
//! other sources play no part, and no root is needed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};

use super::architecture::Architecture;
use super::lock::{Archive, Locked, Wanted};
use crate::process;

/// The Debian release the base images are made from.
const SUITE: &str = "bookworm";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// URLs without a trailing slash, by archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mirrors(BTreeMap<Archive, Vec<String>>);

impl Mirrors {
    /// Reads the machine's apt sources through apt itself.
    pub(super) fn find() -> Result<Self> {
        let mut command = Command::new("apt-get");
        // A fresh machine has no lists yet, and no release information.
        command.args(["indextargets", "--no-release-info"]);
        command.args(["--format", "$(REPO_URI)", "Created-By: Packages"]);
        let text = process::output(&mut command)
            .context("base images are made from Debian packages: run this on Debian")?;
        Self::parse(&String::from_utf8_lossy(&text))
    }

    fn parse(text: &str) -> Result<Self> {
        let mut mirrors: BTreeMap<Archive, Vec<String>> = BTreeMap::new();
        for line in text.lines() {
            let url = line.trim().trim_end_matches('/');
            let Some(archive) = url.rsplit('/').next().and_then(Archive::of_folder) else {
                continue;
            };
            let urls = mirrors.entry(archive).or_default();
            if !urls.iter().any(|known| known == url) {
                urls.push(url.to_owned());
            }
        }
        for archive in [Archive::Main, Archive::Security] {
            if !mirrors.contains_key(&archive) {
                bail!(
                    "no apt source ends in /{0}: add Debian's {0} archive to /etc/apt/sources.list.d",
                    archive.folder()
                );
            }
        }
        Ok(Self(mirrors))
    }

    /// The full URL on the first mirror of the archive.
    pub(super) fn url(&self, locked: &Locked) -> Result<String> {
        let base = self
            .0
            .get(&locked.archive)
            .and_then(|urls| urls.first())
            .ok_or_else(|| anyhow!("no mirror of {}", locked.archive.folder()))?;
        Ok(format!("{base}/{}", locked.path))
    }

    /// Splits a URL on one of the mirrors into archive and path.
    fn split<'a>(&self, url: &'a str) -> Option<(Archive, &'a str)> {
        self.0.iter().find_map(|(archive, urls)| {
            urls.iter()
                .find_map(|base| url.strip_prefix(base)?.strip_prefix('/'))
                .map(|path| (*archive, path))
        })
    }

    fn sources(&self) -> String {
        let mut text = String::new();
        for (archive, urls) in &self.0 {
            let suites: &[&str] = match archive {
                Archive::Main => &["", "-updates"],
                Archive::Security => &["-security"],
            };
            for suffix in suites {
                for url in urls {
                    text += &format!("deb [signed-by={KEYRING}] {url} {SUITE}{suffix} main\n");
                }
            }
        }
        text
    }
}

/// apt for one architecture, with its lists in a folder of ours.
#[derive(Debug)]
pub(super) struct Apt<'a> {
    mirrors: &'a Mirrors,
    folder: PathBuf,
    architecture: Architecture,
}

impl<'a> Apt<'a> {
    /// Fetches the package lists; apt checks their signatures.
    pub(super) fn update(
        mirrors: &'a Mirrors,
        cache: &Path,
        architecture: Architecture,
    ) -> Result<Self> {
        let folder = cache.join(format!("apt-{SUITE}-{}", architecture.name()));
        for part in ["state/lists/partial", "cache/archives/partial", "empty"] {
            let part = folder.join(part);
            std::fs::create_dir_all(&part)
                .with_context(|| format!("cannot make {}", part.display()))?;
        }
        std::fs::write(folder.join("status"), "").context("cannot write apt's status file")?;
        std::fs::write(folder.join("sources.list"), mirrors.sources())
            .context("cannot write apt's sources")?;
        let apt = Self {
            mirrors,
            folder,
            architecture,
        };
        eprintln!(
            "xtask: fetching Debian's package lists for {}",
            architecture.name()
        );
        process::output(
            apt.command("apt-get")
                .args(["-q", "--error-on=any", "update"]),
        )?;
        Ok(apt)
    }

    fn command(&self, program: &str) -> Command {
        let folder = self.folder.display();
        let mut command = Command::new(program);
        for option in [
            format!("Dir::State={folder}/state"),
            format!("Dir::State::status={folder}/status"),
            format!("Dir::Cache={folder}/cache"),
            format!("Dir::Etc::sourcelist={folder}/sources.list"),
            format!("Dir::Etc::sourceparts={folder}/empty"),
            format!("Dir::Etc::preferences={folder}/empty/none"),
            format!("Dir::Etc::preferencesparts={folder}/empty"),
            format!("APT::Architecture={}", self.architecture.name()),
            format!("APT::Architectures={}", self.architecture.name()),
            "APT::Sandbox::User=root".to_owned(),
            "Acquire::Languages=none".to_owned(),
        ] {
            command.args(["-o", &option]);
        }
        // Where `download` would find, and so not print, files of the same name.
        command
            .current_dir(self.folder.join("empty"))
            .env("LC_ALL", "C");
        command
    }

    /// The newest version of each package.
    pub(super) fn newest(&self, wanted: &[Wanted]) -> Result<Vec<(Wanted, Locked)>> {
        let mut by_real_name = BTreeMap::new();
        for one in wanted {
            by_real_name.insert(self.real_name(one.name)?, *one);
        }
        let text = process::output(
            self.command("apt-get")
                .args(["--print-uris", "download"])
                .args(by_real_name.keys()),
        )?;
        let text = String::from_utf8_lossy(&text);
        let mut found = Vec::new();
        for line in text.lines().filter(|line| line.starts_with('\'')) {
            let (name, locked) = self
                .parse_uri(line)
                .with_context(|| format!("cannot read apt's answer: {line}"))?;
            if let Some(wanted) = by_real_name.remove(&name) {
                found.push((wanted, locked));
            }
        }
        if let Some(name) = by_real_name.keys().next() {
            bail!(
                "Debian {SUITE} has no package {name} for {}",
                self.architecture.name()
            );
        }
        Ok(found)
    }

    /// A package of a series has its version in its name: the series is
    /// followed through the package that depends on the newest.
    fn real_name(&self, name: &str) -> Result<String> {
        let Some((dependant, prefix)) = series(name) else {
            return Ok(name.to_owned());
        };
        let dependant = if dependant == name {
            name.to_owned()
        } else {
            self.real_name(dependant)?
        };
        let text = process::output(self.command("apt-cache").args([
            "depends",
            "--no-recommends",
            "--no-suggests",
            &dependant,
        ]))?;
        String::from_utf8_lossy(&text)
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Depends: "))
            .find(|depends| depends.starts_with(prefix))
            .map(str::to_owned)
            .ok_or_else(|| anyhow!("{dependant} depends on no {prefix}…"))
    }

    /// `'URL' NAME_VERSION_ARCH.deb SIZE SHA256:HASH`
    fn parse_uri(&self, line: &str) -> Result<(String, Locked)> {
        let mut words = line.split_whitespace();
        let (Some(url), Some(file), Some(_size), Some(hash)) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            bail!("too few words");
        };
        let url = url.trim_matches('\'');
        let (archive, path) = self
            .mirrors
            .split(url)
            .ok_or_else(|| anyhow!("a URL on no known mirror"))?;
        let mut parts = file.split('_');
        let (Some(name), Some(version)) = (parts.next(), parts.next()) else {
            bail!("a file name without version");
        };
        let sha256 = hash
            .strip_prefix("SHA256:")
            .ok_or_else(|| anyhow!("no SHA-256"))?;
        Ok((
            name.to_owned(),
            Locked {
                version: version.replace("%3a", ":"),
                sha256: sha256.to_owned(),
                archive,
                path: path.to_owned(),
            },
        ))
    }
}

/// For the name of a series: who depends on its newest package, and how that
/// package's name begins.
fn series(name: &str) -> Option<(&str, &'static str)> {
    match name {
        "libstd-rust-web" => Some(("libstd-rust-web-dev", "libstd-rust-web-")),
        "libllvm-rust-web" => Some(("libstd-rust-web", "libllvm")),
        _ if name.starts_with("linux-image-") => Some((name, "linux-image-")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCES: &str = "http://mirror.example/debian/\nhttp://mirror.example/debian/\n\
        http://mirror.example/debian-security/\nhttps://other.example/apt/\n";

    #[test]
    fn mirrors_are_taken_from_the_machines_own_sources() {
        let mirrors = Mirrors::parse(SOURCES).unwrap();
        assert_eq!(
            mirrors.split("http://mirror.example/debian-security/pool/x.deb"),
            Some((Archive::Security, "pool/x.deb"))
        );
        assert_eq!(mirrors.split("https://other.example/apt/pool/x.deb"), None);
        assert_eq!(mirrors.sources().lines().count(), 3);
        assert!(mirrors.sources().lines().all(|line| line.contains(KEYRING)));
    }

    #[test]
    fn a_machine_without_the_security_archive_is_told_so() {
        let error = Mirrors::parse("http://m/debian").unwrap_err().to_string();
        assert!(error.contains("debian-security"), "{error}");
    }

    #[test]
    fn a_series_is_followed_from_a_name_without_version() {
        assert_eq!(series("libc6"), None);
        let kernel = "linux-image-cloud-arm64";
        assert_eq!(series(kernel), Some((kernel, "linux-image-")));
        let (dependant, _) = series("libllvm-rust-web").unwrap();
        assert_eq!(series(dependant).unwrap().0, "libstd-rust-web-dev");
    }

    #[test]
    fn apts_answers_are_read() {
        let mirrors = Mirrors::parse(SOURCES).unwrap();
        let apt = Apt {
            mirrors: &mirrors,
            folder: PathBuf::new(),
            architecture: Architecture::Amd64,
        };
        let (name, locked) = apt
            .parse_uri(
                "'http://mirror.example/debian/pool/main/b/b_1%2b1_amd64.deb' \
                 b_1%3a1+1_amd64.deb 928188 SHA256:00ff",
            )
            .unwrap();
        assert_eq!((name.as_str(), locked.version.as_str()), ("b", "1:1+1"));
        assert_eq!(locked.path, "pool/main/b/b_1%2b1_amd64.deb");
        assert_eq!(
            mirrors.url(&locked).unwrap(),
            "http://mirror.example/debian/pool/main/b/b_1%2b1_amd64.deb"
        );
        assert!(
            apt.parse_uri("'http://elsewhere/x.deb' x_1_a.deb 1 SHA256:0")
                .is_err()
        );
        assert!(apt.parse_uri("'x'").is_err());
    }
}
