//! Every image carries the copyright files of its packages, the licence texts
//! they refer to, and a note of where each package's source is.

use std::collections::BTreeSet;

use anyhow::{Context, Result};

use super::tree::{Node, Tree};
use super::union::{Package, Union};

const COMMON: &str = "/usr/share/common-licenses/";

/// Adds the notes for the packages whose indices are in `used`.
pub(super) fn add(
    tree: &mut Tree,
    image: &str,
    union: &Union,
    used: &BTreeSet<usize>,
) -> Result<()> {
    let mut sources = format!(
        "The image {image} holds files of these Debian packages, unchanged unless noted.\n\
         Their sources are in Debian's archive and its snapshots:\n\n"
    );
    let packages: Vec<&Package> = used
        .iter()
        .filter_map(|index| union.packages.get(*index))
        .collect();
    for package in &packages {
        let path = format!("usr/share/doc/{}/copyright", package.name);
        let text = union
            .bytes(&path)
            .with_context(|| format!("the package {} has no copyright file", package.name))?;
        tree.add(&path, Node::file(0o644, text))?;
        for licence in common(&String::from_utf8_lossy(text)) {
            let path = format!("{}{licence}", &COMMON[1..]);
            // Some texts name licences that base-files never had.
            if let Ok(text) = union.bytes(&path) {
                tree.add(&path, Node::file(0o644, text))?;
            }
        }
        sources += &source_line(package);
    }
    if !packages.is_empty() {
        let path = format!("usr/share/doc/nodeimage-{image}/sources");
        tree.add(&path, Node::file(0o644, sources))?;
    }
    Ok(())
}

fn source_line(package: &Package) -> String {
    let Package {
        name,
        version,
        source,
        source_version,
    } = package;
    format!(
        "{name} {version}\n  source {source} {source_version}\n  \
         https://snapshot.debian.org/package/{source}/{source_version}/\n"
    )
}

/// The names below [`COMMON`] that a copyright file mentions.
fn common(text: &str) -> BTreeSet<&str> {
    text.match_indices(COMMON)
        .map(|(at, _)| {
            let rest = &text[at + COMMON.len()..];
            let end = rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+')))
                .unwrap_or(rest.len());
            rest[..end].trim_end_matches('.')
        })
        .filter(|name| !name.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_sources_come_along() {
        let text = "See `/usr/share/common-licenses/GPL-2'. Or /usr/share/common-licenses/Gone.";
        let union = Union::made_of(
            "tool",
            &[
                ("usr", Node::folder(0o755)),
                ("usr/share", Node::folder(0o755)),
                ("usr/share/doc", Node::folder(0o755)),
                ("usr/share/doc/tool", Node::folder(0o755)),
                ("usr/share/doc/tool/copyright", Node::file(0o644, text)),
                ("usr/share/common-licenses", Node::folder(0o755)),
                ("usr/share/common-licenses/GPL-2", Node::file(0o644, "free")),
            ],
        );
        let mut tree = Tree::default();
        add(&mut tree, "x", &union, &BTreeSet::from([0])).unwrap();
        assert!(tree.get("usr/share/doc/tool/copyright").is_some());
        assert!(tree.get("usr/share/common-licenses/GPL-2").is_some());
        assert!(tree.get("usr/share/common-licenses/Gone").is_none());
        let mut expected = Tree::default();
        expected
            .add("s", Node::file(0o644, source_line(&union.packages[0])))
            .unwrap();
        assert!(source_line(&union.packages[0]).contains("/package/tool/1-1/"));
        assert!(tree.get("usr/share/doc/nodeimage-x/sources").is_some());
    }

    #[test]
    fn licence_names_end_before_punctuation() {
        let names = common(
            "/usr/share/common-licenses/GPL-3. /usr/share/common-licenses/LGPL-2.1\n/usr/share/common-licenses/",
        );
        assert_eq!(names, BTreeSet::from(["GPL-3", "LGPL-2.1"]));
    }

    #[test]
    fn a_package_without_copyright_is_refused() {
        let union = Union::made_of("tool", &[]);
        assert!(add(&mut Tree::default(), "x", &union, &BTreeSet::from([0])).is_err());
    }
}
