//! The specs that are measured.

use std::path::Path;

use anyhow::{Context, Result};

use super::case::Case;
use super::images;
use crate::workspace::Workspace;

/// `examples/local`, as it is.
pub(super) fn local(workspace: &Workspace) -> Result<Case> {
    let path = workspace.root.join("examples/local/node.yml");
    let yaml = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Case {
        name: "examples/local",
        yaml,
        line: "This page is a file",
        service: images::NGINX.to_owned(),
        newer: images::NEWER_NGINX.to_owned(),
        other: images::SSHD.to_owned(),
    })
}

/// Ten made-up images of 128 MB in all.
pub(super) fn made_up() -> Case {
    let mut yaml = "kernel:\n  image: ghcr.io/nodeimage/kernel:6.1\n  cmdline: console=ttyS0\n\
        init:\n  - builtin:init\n  - ghcr.io/nodeimage/runc:1.1\nservices:\n"
        .to_owned();
    for number in 1..=images::COUNT {
        let image = images::name(number, 1);
        yaml += &format!("  - name: service-{number}\n    image: {image}\n");
    }
    yaml += "files:\n  - path: etc/motd\n    contents: |\n      Made up.\n    mode: \"0644\"\n";
    Case {
        name: "ten images of 128 MB",
        yaml,
        line: "Made up.",
        service: images::name(images::COUNT / 2, 1),
        newer: images::name(images::COUNT / 2, 2),
        other: images::name(images::COUNT + 1, 1),
    }
}

/// Where an image is read.
pub(super) fn layout_of<'a>(reference: &str, base: &'a Path, made: &'a Path) -> &'a Path {
    if reference.starts_with("bench.example/") {
        made
    } else {
        base
    }
}

/// The references in a spec of ours, each once: words after `image:`, and
/// those of the `init:` list.
pub(super) fn references(yaml: &str) -> Vec<String> {
    let mut found: Vec<String> = yaml
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let line = line.strip_prefix("- ").unwrap_or(line);
            let line = line.strip_prefix("image: ").unwrap_or(line);
            let named = ["builtin:", "ghcr.io/", "bench.example/"];
            named
                .iter()
                .any(|start| line.starts_with(start))
                .then(|| line.to_owned())
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_in_the_specs() {
        let case = made_up();
        let found = references(&case.yaml);
        assert_eq!(found.len(), 3 + images::COUNT as usize);
        assert!(case.yaml.contains(case.line) && case.yaml.contains(&case.service));
        assert_eq!(references("# - image: ghcr.io/x:1\n"), [""; 0]);
    }

    #[test]
    fn the_example_can_be_changed() {
        let case = local(&Workspace::find().unwrap()).unwrap();
        assert!(case.yaml.contains(case.line) && case.yaml.contains(&case.service));
        assert_eq!(references(&case.yaml).len(), 6);
    }
}
