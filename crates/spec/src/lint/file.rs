//! Traps of the `files` section.

use std::collections::BTreeSet;

use super::Context;
use crate::check::parse_mode;
use crate::fault::{Fault, quoted};
use crate::model::FileEntry;

/// Mounted over while the machine starts.
const SHADOWED: [&str; 6] = ["dev", "proc", "run", "sys", "tmp", "var"];

/// Directories that every user has to get into.
const OPEN: [&str; 17] = [
    "bin",
    "boot",
    "etc",
    "etc/ssl",
    "etc/ssl/certs",
    "home",
    "lib",
    "lib64",
    "mnt",
    "opt",
    "sbin",
    "srv",
    "usr",
    "usr/bin",
    "usr/lib",
    "usr/local",
    "usr/share",
];

/// Read and search for everybody.
const OPEN_MODE: u32 = 0o555;

fn normal(path: &str) -> String {
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !matches!(*part, "" | "."))
        .collect();
    parts.join("/")
}

fn mode(file: &FileEntry) -> u32 {
    let default = if file.directory == Some(true) {
        0o700
    } else {
        0o600
    };
    file.mode.as_deref().and_then(parse_mode).unwrap_or(default)
}

/// The mode of the parents that a file makes: search for each class that has any right.
fn parent_mode(mode: u32) -> u32 {
    [0o700, 0o070, 0o007]
        .into_iter()
        .filter(|class| mode & class != 0)
        .fold(mode, |mode, class| mode | (class & 0o111))
}

pub(super) fn tighten_parents(context: &Context<'_>, found: &mut Vec<Fault>) {
    let mut made = BTreeSet::new();
    for (index, file) in context.parsed.spec.files.iter().enumerate() {
        let path = normal(&file.path);
        let mode = mode(file);
        let parents_mode = parent_mode(mode);
        let parents = path.match_indices('/').map(|(end, _)| &path[..end]);
        let fresh: Vec<&str> = parents
            .filter(|parent| made.insert((*parent).to_owned()))
            .collect();
        if file.directory == Some(true) {
            made.insert(path.clone());
        }
        let closed = fresh
            .iter()
            .find(|parent| OPEN.contains(parent) && parents_mode & OPEN_MODE != OPEN_MODE);
        let Some(parent) = closed else {
            continue;
        };
        let message = format!(
            "{} sets the mode of /{parent} to {parents_mode:04o}",
            quoted(&file.path)
        );
        let help = format!(
            "put an entry `path: {parent}`, `directory: true`, `mode: \"0755\"` before it, or give the file a mode that all may read"
        );
        found.push(Fault::new(format!("files[{index}]"), message).help(help));
    }
}

pub(super) fn shadowed(context: &Context<'_>, found: &mut Vec<Fault>) {
    for (index, file) in context.parsed.spec.files.iter().enumerate() {
        let path = normal(&file.path);
        let Some((top, _)) = path.split_once('/') else {
            continue;
        };
        if SHADOWED.contains(&top) {
            let message = format!(
                "{} vanishes at boot, when /{top} is mounted",
                quoted(&file.path)
            );
            let help = "put it elsewhere, such as /etc, or let an onboot container write it";
            found.push(Fault::new(format!("files[{index}].path"), message).help(help));
        }
    }
}

pub(super) fn two_kinds(context: &Context<'_>, found: &mut Vec<Fault>) {
    for path in &context.parsed.ignored_contents {
        let message =
            "the entry gives two kinds of content; a directory wins over a link, a link over text";
        found.push(Fault::new(path, message).help("remove the one that is not meant"));
    }
}
