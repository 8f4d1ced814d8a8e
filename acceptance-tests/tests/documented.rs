//! What the documentation tells people to type works as written.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use acceptance_tests::cli::{Sandbox, base_images, example, executable, sources};
use anyhow::{Context, Result, bail, ensure};
use tfplugin::testing::Terraform;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// README, CONTRIBUTING and the hand-written pages.
fn pages() -> Result<Vec<(PathBuf, String)>> {
    let mut paths = vec![root().join("README.md"), root().join("CONTRIBUTING.md")];
    for entry in std::fs::read_dir(root().join("docs"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|ext| ext == "md") {
            paths.push(path);
        }
    }
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            Ok((path, text))
        })
        .collect()
}

/// The blocks of a language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let starts = text.match_indices(&fence).map(|(at, _)| at + fence.len());
    starts
        .filter_map(|start| text[start..].split_once("\n```").map(|(block, _)| block))
        .collect()
}

/// The commands of all `sh` blocks, without comments.
fn commands() -> Result<Vec<(PathBuf, String)>> {
    let mut commands = Vec::new();
    for (path, text) in pages()? {
        for block in blocks(&text, "sh") {
            for line in block.lines() {
                let line = line.split(" #").next().unwrap_or_default().trim();
                if !line.is_empty() && !line.starts_with('#') {
                    commands.push((path.clone(), line.to_owned()));
                }
            }
        }
    }
    Ok(commands)
}

#[test]
fn every_nodeimage_command_runs_as_written() -> Result<()> {
    let sandbox = Sandbox::new()?;
    sandbox.write("examples/local/node.yml", example()?)?;
    let images = format!("oci:{}", base_images()?.display());
    sandbox.write("examples/local/nodeimage.toml", sources(&images))?;
    let mut ran = 0;
    for (path, command) in commands()? {
        let Some(arguments) = command.strip_prefix("nodeimage ") else {
            continue;
        };
        let call = sandbox.nodeimage(arguments)?;
        call.success()
            .with_context(|| format!("{}: {command}", path.display()))?;
        ran += 1;
    }
    ensure!(ran >= 3, "only {ran} commands of nodeimage are documented");
    Ok(())
}

#[test]
fn every_other_command_is_known() -> Result<()> {
    let xtask = executable()?.with_file_name("xtask");
    let help = Command::new(&xtask)
        .arg("--help")
        .output()
        .with_context(|| format!("cannot run {}: run `cargo xtask test`", xtask.display()))?;
    let help = String::from_utf8(help.stdout)?;
    let known: BTreeSet<&str> = help
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next())
        .collect();
    for (path, command) in commands()? {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words.as_slice() {
            ["nodeimage", ..] | ["cargo", "build", "--package", "nodeimage"] => {}
            ["alias", rest] if rest.starts_with("nodeimage=") => {}
            // `.ci/run` and this test run under some of them; all of them must exist.
            ["cargo", "xtask", name, ..] if known.contains(name) => {}
            _ => bail!(
                "{}: `{command}` is documented, and nothing proves it",
                path.display()
            ),
        }
    }
    for (path, text) in pages()? {
        for rest in text.split("cargo xtask ").skip(1) {
            let name: String = rest
                .trim_start()
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '-')
                .collect();
            ensure!(
                known.contains(name.as_str()),
                "{}: there is no `cargo xtask {name}`",
                path.display()
            );
        }
    }
    Ok(())
}

#[test]
fn the_terraform_of_the_readme_plans() -> Result<()> {
    let readme = std::fs::read_to_string(root().join("README.md"))?;
    let hcl = blocks(&readme, "hcl").join("\n");
    ensure!(
        hcl.contains("nodeimage_image"),
        "the README has no Terraform"
    );
    let sandbox = Sandbox::with_example()?;
    sandbox.nodeimage("lock node.yml")?.success()?;
    let plugin = sandbox.path("plugin/terraform-provider-nodeimage");
    std::fs::create_dir_all(sandbox.path("plugin"))?;
    std::os::unix::fs::symlink(executable()?, plugin)?;
    let mut terraform = Terraform::new();
    terraform.dev_override("nodeimage/nodeimage", &sandbox.path("plugin"));
    terraform.env("XDG_CACHE_HOME", sandbox.path("cache"));
    for name in ["node.yml", "node.lock", "nodeimage.toml"] {
        terraform.write(name, std::fs::read(sandbox.path(name))?);
    }
    let head = "terraform {\n  required_providers {\n    nodeimage = {\n      \
                source = \"nodeimage/nodeimage\"\n    }\n  }\n}\n";
    terraform.write("main.tf", format!("{head}{hcl}"));
    let plan = terraform.plan("documented");
    let (_, change) = Terraform::planned(&plan, "nodeimage_image.node");
    let id = change["after"]["id"].as_str().unwrap_or_default();
    ensure!(
        id.starts_with("sha256:"),
        "the id is not known when planning: {change}"
    );
    ensure!(
        !sandbox.path("cache/nodeimage").exists(),
        "the plan touched the store"
    );
    Ok(())
}
