//! `cargo xtask docs`: the pages that follow from the code.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo;
use crate::process;
use crate::workspace::Workspace;

/// Folders whose pages are all generated: one that is not is out of date.
const OURS: [&str; 3] = ["docs/resources", "docs/data-sources", "docs/functions"];

/// Writes the pages, or only compares them.
///
/// # Errors
/// When the program cannot be built, or `check` finds a difference.
pub fn run(workspace: &Workspace, check: bool) -> Result<()> {
    let mut pages = nodeimage_provider::docs(&workspace.root.join("examples"))
        .context("cannot write the provider's pages")?;
    let program = cargo::nodeimage(workspace)?;
    pages.insert("docs/cli.md".to_owned(), command_line(&program)?);
    pages.insert("docs/lint.md".to_owned(), nodeimage_spec::lint::page());
    let old = differing(&workspace.root, &pages)?;
    if check {
        if old.is_empty() {
            return Ok(());
        }
        bail!(
            "out of date: {}. Run: cargo xtask docs",
            Vec::from_iter(old).join(", ")
        );
    }
    for path in old {
        let place = workspace.root.join(&path);
        match pages.get(&path) {
            Some(text) => write(&place, text)?,
            None => std::fs::remove_file(&place)
                .with_context(|| format!("cannot remove {}", place.display()))?,
        }
        println!("{path}");
    }
    Ok(())
}

/// Pages that are missing, are other than they should be, or should not be.
fn differing(root: &Path, pages: &BTreeMap<String, String>) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for (path, text) in pages {
        if !std::fs::read_to_string(root.join(path)).is_ok_and(|old| old == *text) {
            found.insert(path.clone());
        }
    }
    for folder in OURS {
        let Ok(listed) = std::fs::read_dir(root.join(folder)) else {
            continue;
        };
        for entry in listed {
            let name = entry
                .with_context(|| format!("cannot read {folder}"))?
                .file_name();
            let path = format!("{folder}/{}", name.to_string_lossy());
            if path.ends_with(".md") && !pages.contains_key(&path) {
                found.insert(path);
            }
        }
    }
    Ok(found)
}

fn write(place: &Path, text: &str) -> Result<()> {
    let write = || {
        std::fs::create_dir_all(place.parent().unwrap_or(Path::new(".")))?;
        std::fs::write(place, text)
    };
    write().with_context(|| format!("cannot write {}", place.display()))
}

/// What the program says of itself and each of its commands.
fn command_line(program: &Path) -> Result<String> {
    let mut page = "# The command line\n\n<!-- Written by `cargo xtask docs`. -->\n".to_owned();
    let mut pending: Vec<Vec<String>> = vec![Vec::new()];
    while let Some(words) = pending.pop() {
        let text = help(program, &words)?;
        let name = ["nodeimage"]
            .into_iter()
            .chain(words.iter().map(String::as_str));
        let name = Vec::from_iter(name).join(" ");
        page += &format!("\n## {name}\n\n```text\n{}\n```\n", text.trim_end());
        // The last one goes next: in the order of the help.
        for command in commands(&text).into_iter().rev() {
            let mut below = words.clone();
            below.push(command);
            pending.push(below);
        }
    }
    Ok(page)
}

fn help(program: &Path, words: &[String]) -> Result<String> {
    let mut command = Command::new(program);
    command.args(words).arg("--help").env("COLUMNS", "100");
    for (name, _) in std::env::vars_os() {
        // Their values would be in the text.
        if name.to_string_lossy().starts_with("NODEIMAGE_") {
            command.env_remove(&name);
        }
    }
    let text = process::output(command.env_remove("TF_PLUGIN_MAGIC_COOKIE"))?;
    let text = String::from_utf8(text).context("the help text is not UTF-8")?;
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    Ok(lines.join("\n"))
}

/// The commands that a help text lists.
fn commands(help: &str) -> Vec<String> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| line.starts_with(' '))
        // Deeper lines go on with a description.
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_from_the_help() {
        let text = "About\n\nUsage: x\n\nCommands:\n  build  Build\n          it all\n  \
            lock   Lock\n  help   Print\n\nOptions:\n  -h, --help\n";
        assert_eq!(commands(text), ["build", "lock"]);
        assert!(commands("Usage: x\n\nOptions:\n  -h\n").is_empty());
    }

    #[test]
    fn missing_changed_and_left_over_pages_are_found() {
        let root = tempfile::tempdir().unwrap();
        let pages: BTreeMap<String, String> =
            ["docs/cli.md", "docs/resources/a.md", "docs/index.md"]
                .map(|path| (path.to_owned(), "text".to_owned()))
                .into();
        for (path, text) in [
            ("docs/cli.md", "text"),
            ("docs/resources/a.md", "other"),
            ("docs/resources/b.md", "text"),
            ("docs/by-hand.md", "text"),
        ] {
            write(&root.path().join(path), text).unwrap();
        }
        let found = Vec::from_iter(differing(root.path(), &pages).unwrap());
        assert_eq!(
            found,
            [
                "docs/index.md",
                "docs/resources/a.md",
                "docs/resources/b.md"
            ]
        );
    }
}
