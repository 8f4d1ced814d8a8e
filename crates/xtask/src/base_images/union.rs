//! The files of several Debian packages as one file system, read straight
//! from the package files: nothing is unpacked to disk.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};

use super::lock::Wanted;
use super::packages::Packages;
use super::tree::{Content, Node, read_tar};
use crate::process;

/// Links followed on the way to one file.
const MAXIMUM_LINKS: usize = 16;

/// A package's name for the licence notes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) source: String,
    pub(super) source_version: String,
}

#[derive(Debug, Default)]
pub(super) struct Union {
    pub(super) packages: Vec<Package>,
    /// Path → node and the package that brings it.
    nodes: BTreeMap<String, (Node, usize)>,
}

impl Union {
    pub(super) fn read(wanted: &[Wanted], packages: &Packages) -> Result<Self> {
        let mut union = Self::default();
        for one in wanted {
            union
                .add(*one, packages)
                .with_context(|| format!("in the package {}", one.name))?;
        }
        Ok(union)
    }

    fn add(&mut self, wanted: Wanted, packages: &Packages) -> Result<()> {
        let file = packages.path(wanted)?;
        let control = process::output(
            Command::new("dpkg-deb")
                .arg("-f")
                .arg(file)
                .args(["Package", "Version", "Source"]),
        )?;
        let index = self.packages.len();
        self.packages
            .push(parse_control(&String::from_utf8_lossy(&control))?);
        let mut child = Command::new("dpkg-deb")
            .arg("--fsys-tarfile")
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run dpkg-deb: run this on Debian")?;
        let output = child
            .stdout
            .take()
            .ok_or_else(|| anyhow!("no pipe from dpkg-deb"))?;
        let nodes = read_tar(std::io::BufReader::with_capacity(1 << 20, output));
        let status = child.wait().context("cannot wait for dpkg-deb")?;
        if !status.success() {
            bail!("dpkg-deb cannot read {} ({status})", file.display());
        }
        for (path, node) in nodes? {
            match self.nodes.get(&path) {
                None => {
                    self.nodes.insert(path, (node, index));
                }
                Some((old, _)) if old.content == node.content => {}
                // One package for two architectures may differ in its documents.
                Some(_) if path.starts_with("usr/share/doc/") => {}
                Some((_, first)) => bail!(
                    "{path} is in the package {} as well",
                    self.packages[*first].name
                ),
            }
        }
        Ok(())
    }

    /// The node at the path itself, and the index of its package.
    pub(super) fn get(&self, path: &str) -> Option<(&Node, usize)> {
        self.nodes.get(path).map(|(node, package)| (node, *package))
    }

    /// Follows links, in folders on the way too, to the path of the real node.
    pub(super) fn resolve(&self, path: &str) -> Option<String> {
        let mut pending: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let mut at = Vec::<String>::new();
        let mut links = 0;
        while let Some(part) = pending.pop() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    at.pop();
                    continue;
                }
                _ => at.push(part),
            }
            let here = at.join("/");
            let (node, _) = self.get(&here)?;
            if let Content::Link(target) = &node.content {
                links += 1;
                if links > MAXIMUM_LINKS {
                    return None;
                }
                at.pop();
                if target.starts_with('/') {
                    at.clear();
                }
                pending.extend(target.split('/').rev().map(str::to_owned));
            }
        }
        Some(at.join("/"))
    }

    /// The bytes of the file at the path, links followed.
    pub(super) fn bytes(&self, path: &str) -> Result<&[u8]> {
        let real = self.resolve(path).unwrap_or_default();
        match self.get(&real) {
            Some((
                Node {
                    content: Content::File(bytes),
                    ..
                },
                _,
            )) => Ok(bytes),
            _ => bail!("no declared package has the file {path}"),
        }
    }

    /// The paths that begin with `prefix`, in order.
    pub(super) fn under<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Node, usize)> {
        self.nodes
            .range(prefix.to_owned()..)
            .take_while(move |(path, _)| path.starts_with(prefix))
            .map(|(path, (node, package))| (path.as_str(), node, *package))
    }

    #[cfg(test)]
    pub(super) fn made_of(package: &str, nodes: &[(&str, Node)]) -> Self {
        Self {
            packages: vec![Package {
                name: package.to_owned(),
                version: "1-1".to_owned(),
                source: package.to_owned(),
                source_version: "1-1".to_owned(),
            }],
            nodes: nodes
                .iter()
                .map(|(path, node)| ((*path).to_owned(), (node.clone(), 0)))
                .collect(),
        }
    }
}

/// `Source:` is absent when it is the package itself, and has a version in
/// brackets when that differs.
fn parse_control(text: &str) -> Result<Package> {
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
            .map(str::trim)
    };
    let name = field("Package").ok_or_else(|| anyhow!("no Package field"))?;
    let version = field("Version").ok_or_else(|| anyhow!("no Version field"))?;
    let (source, source_version) = match field("Source").map(|text| text.split_once(' ')) {
        Some(Some((source, bracketed))) => (source, bracketed.trim_matches(['(', ')'])),
        Some(None) => (field("Source").unwrap_or(name), version),
        None => (name, version),
    };
    Ok(Package {
        name: name.to_owned(),
        version: version.to_owned(),
        source: source.to_owned(),
        source_version: source_version.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_anywhere_in_a_path() {
        let union = Union::made_of(
            "a",
            &[
                ("lib", Node::folder(0o755)),
                ("lib/real.so", Node::file(0o644, "x")),
                ("lib64", Node::folder(0o755)),
                ("lib64/ld.so", Node::link("/lib/real.so")),
                ("doc", Node::link("lib")),
                ("round", Node::link("round")),
            ],
        );
        assert_eq!(union.resolve("lib64/ld.so").unwrap(), "lib/real.so");
        assert_eq!(union.resolve("doc/real.so").unwrap(), "lib/real.so");
        assert_eq!(union.resolve("round"), None);
        assert_eq!(union.resolve("none"), None);
        assert_eq!(union.bytes("doc/real.so").unwrap(), b"x");
        assert!(union.bytes("lib").is_err());
        assert_eq!(union.under("lib/").count(), 1);
    }

    #[test]
    fn the_source_package_is_read_with_its_own_version() {
        let busybox = parse_control(
            "Package: busybox-static\nVersion: 1:1.35.0-4+b1\nSource: busybox (1:1.35.0-4)\n",
        )
        .unwrap();
        assert_eq!(
            (busybox.source.as_str(), busybox.source_version.as_str()),
            ("busybox", "1:1.35.0-4")
        );
        let grub = parse_control("Package: grub-pc-bin\nVersion: 2\nSource: grub2\n").unwrap();
        assert_eq!(
            (grub.source.as_str(), grub.source_version.as_str()),
            ("grub2", "2")
        );
        let runc = parse_control("Package: runc\nVersion: 3\n").unwrap();
        assert_eq!(
            (runc.source.as_str(), runc.source_version.as_str()),
            ("runc", "3")
        );
        assert!(parse_control("Version: 3\n").is_err());
    }
}
