//! `usr-merge` and `usr-merge-linuxkit`: a usr-merged image has `/lib` as a link, kernel.tar and many
//! small images have it as a directory. Whether one can be put where the other leads is tried with
//! the builder's own code.

use std::collections::BTreeSet;

use nodeimage_images::{Images, Tree};
use nodeimage_spec::Fault;
use nodeimage_spec::lint::{Facts, LINTS};

use super::open::{self, Unseen};
use super::trees::{Root, found};
use super::{Linted, skip};
use crate::BuildError;
use crate::rootfs::{Above, Links, RootFacts, kernel_parts};

const REFUSED: &str = "usr-merge";
const DIFFERS: &str = "usr-merge-linuxkit";

/// The top level of an init image.
struct Top<'a> {
    root: &'a Root,
    facts: RootFacts,
}

/// What is put below the root: an init image, or the kernel's tar.
struct Part<'a> {
    /// Its place in the spec.
    path: String,
    /// What it is called.
    name: &'a str,
    dirs: BTreeSet<Vec<u8>>,
    tree: Tree,
}

pub(super) fn look(
    images: &Images,
    linted: &Linted<'_>,
    roots: &[Root],
    trees: &[Tree],
    facts: &mut Facts,
) -> Result<(), BuildError> {
    let is_ours = |id: &str| id == REFUSED || id == DIFFERS;
    let lints = LINTS.iter().filter(|lint| is_ours(lint.id));
    let lints: Vec<&str> = lints
        .filter(|lint| linted.selection.runs(lint))
        .map(|lint| lint.id)
        .collect();
    let mut links = Links::default();
    let mut tops = Vec::new();
    for (root, tree) in roots.iter().zip(trees) {
        let top = RootFacts::of(tree);
        for (name, target) in top.links.iter() {
            links.insert(name.to_vec(), target.to_vec());
        }
        tops.push(Top { root, facts: top });
    }
    if lints.is_empty() || links.iter().next().is_none() {
        return Ok(());
    }
    for (top, tree) in tops.iter().zip(trees) {
        let part = Part {
            path: format!("init[{}]", top.root.index),
            name: &top.root.reference,
            dirs: top.facts.dirs.clone(),
            tree: tree.clone(),
        };
        judge(part, &links, &tops, &mut facts.found);
    }
    let Some(reference) = linted.kernel() else {
        return Ok(());
    };
    match kernel(images, linted, reference)? {
        Ok(Some(tree)) => {
            let part = Part {
                path: "kernel.image".to_owned(),
                name: reference,
                dirs: RootFacts::of(&tree).dirs,
                tree,
            };
            judge(part, &links, &tops, &mut facts.found);
        }
        Ok(None) => {}
        Err(unseen) => skip(facts, reference, lints, unseen),
    }
    Ok(())
}

/// What the kernel's tar puts below the root; nothing without one.
fn kernel(
    images: &Images,
    linted: &Linted<'_>,
    reference: &str,
) -> Result<Result<Option<Tree>, Unseen>, BuildError> {
    let Some(section) = &linted.spec.kernel else {
        return Ok(Ok(None));
    };
    let image = match open::open(images, linted, reference)? {
        Ok(opened) => opened.image,
        Err(unseen) => return Ok(Err(unseen)),
    };
    let tree = match images.tree(&image) {
        Ok(tree) => tree,
        Err(error) => return open::unseen(error).map(Err),
    };
    let parts = match kernel_parts(section, reference, &tree) {
        Ok(parts) => parts,
        Err(error) => return Ok(Err(Unseen(error.to_string()))),
    };
    let Some(tar) = parts.tar else {
        return Ok(Ok(None));
    };
    match images.tar_tree(&tar, reference) {
        Ok(modules) => Ok(Ok(Some(modules))),
        Err(error) => open::unseen(error).map(Err),
    }
}

/// Puts a part where the links lead, as a build does.
fn judge(part: Part<'_>, links: &Links, tops: &[Top<'_>], out: &mut Vec<Fault>) {
    for (name, target) in links.iter().filter(|(name, _)| part.dirs.contains(*name)) {
        let message = format!(
            "`{}` has the directory `{}`, and the init image `{}` a link of that name to `{}`",
            part.name,
            show(name),
            holder(tops, name),
            show(target)
        );
        let help = "linuxkit keeps one of them and loses the other; use images that agree";
        out.push(found(DIFFERS, &part.path, &message, help));
    }
    if let Err((name, reason)) = links.place(part.tree, Above::Make) {
        let message = format!(
            "`{}` has the directory `{name}`, which can't be put where the link of the init image `{}` leads: {reason}",
            part.name,
            holder(tops, name.as_bytes())
        );
        let help = "use images that agree on what is a directory and what a link";
        out.push(found(REFUSED, &part.path, &message, help));
    }
}

/// The image whose link counts: the last one.
fn holder<'a>(tops: &[Top<'a>], name: &[u8]) -> &'a str {
    let mut tops = tops.iter().rev();
    let top = tops.find(|top| top.facts.links.iter().any(|(link, _)| link == name));
    top.map_or("", |top| top.root.reference.as_str())
}

fn show(path: &[u8]) -> String {
    String::from_utf8_lossy(path).escape_debug().to_string()
}
