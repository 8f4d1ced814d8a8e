//! A copy of `examples/local`, and its disk made by a release.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::dist::Dist;
use crate::process;
use crate::terraform::Terraform;
use crate::workspace::Workspace;

/// The copy and what works on it.
#[derive(Debug)]
pub(crate) struct Demo {
    program: PathBuf,
    work: PathBuf,
    cache: PathBuf,
}

/// A disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) disk: PathBuf,
    pub(crate) disk_digest: String,
}

impl Demo {
    /// Copies the example, and says where its images are. The boot and init
    /// images are the release's own.
    pub(crate) fn prepare(
        workspace: &Workspace,
        layout: &Path,
        folder: &Path,
        program: PathBuf,
    ) -> Result<Self> {
        let work = folder.join("work");
        std::fs::create_dir_all(&work).context("cannot make the demo's work folder")?;
        let example = workspace.root.join("examples/local");
        copy(&example, &work)?;
        let mut sources = toml::Table::new();
        let oci = format!("oci:{}", layout.display());
        sources.insert("ghcr.io/nodeimage".to_owned(), oci.into());
        let mut config = toml::Table::new();
        config.insert("sources".to_owned(), sources.into());
        std::fs::write(work.join("nodeimage.toml"), config.to_string())
            .context("cannot write nodeimage.toml")?;
        Ok(Self {
            program,
            work,
            cache: folder.join("cache"),
        })
    }

    fn nodeimage(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(&self.work)
            .env("XDG_CACHE_HOME", &self.cache)
            .env_remove("NODEIMAGE_CACHE")
            .env_remove("NODEIMAGE_CONFIG")
            // Terraform's own, if this runs below it.
            .env_remove("TF_PLUGIN_MAGIC_COOKIE");
        command
    }

    /// Writes `node.lock`.
    pub(crate) fn lock(&self) -> Result<()> {
        process::output(&mut self.nodeimage(&["lock", "node.yml"])).map(|_| ())
    }

    /// Makes the disk with the command line.
    pub(crate) fn build(&self) -> Result<Made> {
        let lines = process::output(&mut self.nodeimage(&["--json", "build", "node.yml"]))?;
        let built = event(&lines, "built")?;
        let path = built["files"][0]["path"].as_str();
        made(&self.work, path, &built)
    }

    /// The same folder with terraform.
    pub(crate) fn terraform(&self, program: PathBuf, dist: &Dist) -> Result<Terraform> {
        if !self.work.join("main.tf").is_file() {
            bail!("examples/local has no main.tf: use --cli");
        }
        Terraform::new(program, dist, &self.work, &self.cache)
    }

    /// What terraform has made, from its state.
    pub(crate) fn made_by(&self, terraform: &Terraform) -> Result<Made> {
        let files = terraform.resources("nodeimage_file")?;
        let raw = files
            .iter()
            .find(|file| file["format"] == "raw")
            .ok_or_else(|| anyhow!("the state has no nodeimage_file of format raw"))?;
        made(&self.work, raw["path"].as_str(), raw)
    }

    /// Reads the whole disk.
    pub(crate) fn verify(&self, made: &Made) -> Result<()> {
        let disk = made.disk.to_string_lossy();
        let lines =
            process::output(&mut self.nodeimage(&["--json", "inspect", "--verify", &disk]))?;
        let inspected = event(&lines, "inspected")?;
        if inspected["disk_digest"] != made.disk_digest.as_str() {
            bail!(
                "the disk says its digest is {}, whoever made it said {}",
                inspected["disk_digest"],
                made.disk_digest
            );
        }
        Ok(())
    }
}

/// Every file of the example that the clone has; what commands leave there
/// stays behind.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let listed =
        std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
    for entry in listed {
        let entry = entry.with_context(|| format!("cannot read {}", from.display()))?;
        let path = entry.path();
        let wanted = path
            .extension()
            .is_some_and(|end| end == "yml" || end == "tf");
        if wanted && path.is_file() {
            std::fs::copy(&path, to.join(entry.file_name()))
                .with_context(|| format!("cannot copy {}", path.display()))?;
        }
    }
    Ok(())
}

fn made(work: &Path, path: Option<&str>, facts: &Value) -> Result<Made> {
    match (path, facts["disk_digest"].as_str()) {
        (Some(path), Some(disk_digest)) => Ok(Made {
            // Without the `./` of people.
            disk: work.join(path).components().collect(),
            disk_digest: disk_digest.to_owned(),
        }),
        _ => bail!("no path or no disk_digest of the disk"),
    }
}

/// The event of a name among JSON lines.
fn event(lines: &[u8], name: &str) -> Result<Value> {
    lines
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
        .find(|line| line["event"] == name)
        .ok_or_else(|| anyhow!("nodeimage did not say {name:?}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_made_is_read_from_json_lines() {
        let lines =
            b"{\"event\":\"started\"}\n{\"event\":\"built\",\"disk_digest\":\"sha256:0\"}\n";
        let built = event(lines, "built").unwrap();
        let disk = made(Path::new("/w"), Some("node.img"), &built).unwrap();
        assert_eq!(disk.disk, Path::new("/w/node.img"));
        assert_eq!(disk.disk_digest, "sha256:0");
        assert!(event(lines, "other").is_err());
        assert!(made(Path::new("/w"), None, &built).is_err());
        assert!(made(Path::new("/w"), Some("x"), &json!({})).is_err());
    }

    #[test]
    fn only_the_examples_own_files_are_copied() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for name in ["node.yml", "main.tf", "node.lock", "terraform.tfstate"] {
            std::fs::write(from.path().join(name), name).unwrap();
        }
        std::fs::create_dir(from.path().join("x.tf")).unwrap();
        copy(from.path(), to.path()).unwrap();
        let mut names: Vec<_> = std::fs::read_dir(to.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["main.tf", "node.yml"]);
    }
}
