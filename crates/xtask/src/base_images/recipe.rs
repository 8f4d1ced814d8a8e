//! What a recipe is, and how it becomes an image's tree.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};

use super::architecture::Architecture;
use super::init::Inits;
use super::layout::Config;
use super::lock::Wanted;
use super::packages::Packages;
use super::selection::Group;
use super::tree::{Node, Tree};
use super::union::Union;
use super::{libraries, licences};

/// The label in which LinuxKit images carry defaults for their YAML entry.
const LINUXKIT_LABEL: &str = "org.mobyproject.config";

/// Where licence texts come from; declared for every image.
const LICENCES: Wanted = Wanted {
    architecture: Architecture::Amd64,
    name: "base-files",
};

/// A package that an image takes files from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The package of the image's own architecture.
    Own(&'static str),
    /// This very package, whatever the image is for.
    Fixed(Wanted),
    /// The package of the name that belongs to the architecture: Debian has
    /// it in some names.
    Either {
        amd64: &'static str,
        arm64: &'static str,
    },
}

impl Part {
    const fn wanted(self, architecture: Architecture) -> Wanted {
        let name = match (self, architecture) {
            (Self::Fixed(wanted), _) => return wanted,
            (Self::Own(name), _)
            | (Self::Either { amd64: name, .. }, Architecture::Amd64)
            | (Self::Either { arm64: name, .. }, Architecture::Arm64) => name,
        };
        Wanted { architecture, name }
    }
}

/// One image, as a table entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recipe {
    /// Who needs it.
    pub(super) group: Group,
    /// Holds the same for every machine, and so is always there for all.
    pub(super) neutral: bool,
    pub(super) name: &'static str,
    pub(super) tag: &'static str,
    /// The package whose upstream version the tag shortens.
    pub(super) versioned_by: Option<Part>,
    /// Further references.
    pub(super) aliases: &'static [&'static str],
    /// What files come from.
    pub(super) packages: &'static [Part],
    /// Packages whose programs only make files (see [`super::host_tool`]).
    pub(super) tools: &'static [Wanted],
    /// Files of the packages: path there, path in the image.
    pub(super) take: &'static [(&'static str, &'static str)],
    /// Files of ours: path, mode, text.
    pub(super) files: &'static [(&'static str, u32, &'static str)],
    pub(super) folders: &'static [(&'static str, u32)],
    /// Symbolic links: path, target.
    pub(super) links: &'static [(&'static str, &'static str)],
    /// Makes what no table can say.
    pub(super) make: Option<Make>,
    pub(super) environment: &'static [&'static str],
    pub(super) command: &'static [&'static str],
    /// JSON, for the label.
    pub(super) linuxkit: Option<&'static str>,
    pub(super) labels: &'static [(&'static str, &'static str)],
}

pub(super) type Make = fn(&mut Making<'_>) -> Result<()>;

/// What a [`Make`] function works with.
#[derive(Debug)]
pub(super) struct Making<'a> {
    pub(super) architecture: Architecture,
    pub(super) inits: &'a Inits,
    pub(super) packages: &'a Packages,
    pub(super) recipe: &'a Recipe,
    pub(super) union: &'a Union,
    pub(super) tree: Tree,
    /// Indices of the packages that files came from.
    pub(super) used: BTreeSet<usize>,
}

impl Making<'_> {
    /// Takes a file (links followed) from the packages.
    pub(super) fn take(&mut self, from: &str, to: &str) -> Result<()> {
        let found = self
            .union
            .resolve(from)
            .and_then(|real| self.union.get(&real));
        let Some((node, package)) = found else {
            bail!("no declared package has {from}");
        };
        self.used.insert(package);
        self.tree.add(to, node.clone())
    }
}

/// A recipe with nothing in it, to be filled in by `..EMPTY`.
pub(super) const EMPTY: Recipe = Recipe {
    group: Group::Examples,
    neutral: false,
    name: "",
    tag: "",
    versioned_by: None,
    aliases: &[],
    packages: &[],
    tools: &[],
    take: &[],
    files: &[],
    folders: &[],
    links: &[],
    make: None,
    environment: &[],
    command: &[],
    linuxkit: None,
    labels: &[],
};

impl Recipe {
    /// The packages that the image for a machine takes files from.
    pub(super) fn packages_for(&self, architecture: Architecture) -> Vec<Wanted> {
        let own = self.packages.iter().map(|one| one.wanted(architecture));
        own.collect()
    }

    /// Every package file that making the image for a machine reads.
    pub(super) fn wanted(&self, architecture: Architecture) -> Vec<Wanted> {
        let mut wanted = self.packages_for(architecture);
        if !wanted.is_empty() {
            wanted.push(LICENCES);
        }
        wanted.extend(self.tools);
        wanted
    }

    /// The references the image is known by.
    pub(super) fn references(&self) -> Vec<String> {
        let own = format!("ghcr.io/nodeimage/{}:{}", self.name, self.tag);
        let aliases = self.aliases.iter().map(|alias| (*alias).to_owned());
        std::iter::once(own).chain(aliases).collect()
    }

    pub(super) fn config(&self) -> Config {
        let mut labels: BTreeMap<String, String> = self
            .labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        if let Some(json) = self.linuxkit {
            labels.insert(LINUXKIT_LABEL.to_owned(), json.to_owned());
        }
        Config {
            environment: self
                .environment
                .iter()
                .map(|text| (*text).to_owned())
                .collect(),
            command: self.command.iter().map(|text| (*text).to_owned()).collect(),
            labels,
        }
    }

    /// All files of the image for a machine.
    pub(super) fn tree(
        &self,
        architecture: Architecture,
        inits: &Inits,
        packages: &Packages,
    ) -> Result<Tree> {
        let mut sources = self.packages_for(architecture);
        if !sources.is_empty() {
            sources.push(LICENCES);
        }
        let union = Union::read(&sources, packages)?;
        self.check_version(architecture, &union)?;
        let mut making = Making {
            architecture,
            inits,
            packages,
            recipe: self,
            union: &union,
            tree: Tree::default(),
            used: BTreeSet::new(),
        };
        for (from, to) in self.take {
            making.take(from, to)?;
        }
        for (path, mode, text) in self.files {
            making.tree.add(path, Node::file(*mode, *text))?;
        }
        for (path, mode) in self.folders {
            making.tree.add(path, Node::folder(*mode))?;
        }
        for (path, target) in self.links {
            making.tree.add(path, Node::link(*target))?;
        }
        if let Some(make) = self.make {
            make(&mut making)?;
        }
        let Making {
            mut tree, mut used, ..
        } = making;
        libraries::complete(&mut tree, architecture, &union, &mut used)?;
        for (index, package) in union.packages.iter().enumerate() {
            if index < self.packages.len() && !used.contains(&index) {
                bail!("no file of the package {} is used: drop it", package.name);
            }
        }
        licences::add(&mut tree, self.name, &union, &used).context("cannot gather the licences")?;
        Ok(tree)
    }

    /// A tag that no longer fits its content would be a lie.
    fn check_version(&self, architecture: Architecture, union: &Union) -> Result<()> {
        let Some(from) = self.versioned_by else {
            return Ok(());
        };
        let name = from.wanted(architecture).name;
        let version = self
            .packages
            .iter()
            .position(|one| *one == from)
            .and_then(|index| union.packages.get(index))
            .map(|package| package.version.as_str());
        match version {
            Some(version) if fits(version, self.tag) => Ok(()),
            Some(version) => bail!(
                "{name} is now at {version}: give the recipe a tag that fits, instead of {}",
                self.tag
            ),
            None => bail!("the recipe does not declare {name}"),
        }
    }
}

/// Whether the upstream part of a Debian version begins with the tag's numbers.
fn fits(version: &str, tag: &str) -> bool {
    let upstream = version
        .split_once(':')
        .map_or(version, |(_epoch, rest)| rest);
    upstream
        .strip_prefix(tag)
        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_shorten_upstream_versions() {
        assert!(fits("1:1.35.0-4+deb12u1", "1.35"));
        assert!(fits("6.1.192-2", "6.1"));
        assert!(fits("20250419~deb12u2", "20250419"));
        assert!(!fits("6.12.1-1", "6.1"));
        assert!(!fits("1.3.5", "1.35"));
    }
}
