//! The real `terraform`, in a working folder, with the provider installed from
//! a release by a filesystem mirror, as a user without the registry would.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::dist::{self, Dist};
use crate::process;
use crate::setup;

/// Where the registry, and so a mirror, has the provider.
const ADDRESS: &str = "registry.terraform.io/nodeimage/nodeimage";

/// Write-only attributes and ephemeral values came with it.
const OLDEST: (u64, u64) = (1, 11);

/// `terraform` on PATH, when it is new enough.
///
/// # Errors
/// When it is there but too old, or cannot say its version.
pub(crate) fn find() -> Result<Option<PathBuf>> {
    let Some(program) = setup::program("terraform") else {
        return Ok(None);
    };
    let mut command = quiet(&program);
    command.args(["version", "-json"]);
    let answer: Value = serde_json::from_slice(&process::output(&mut command)?)
        .context("cannot read terraform's version")?;
    let version = answer["terraform_version"].as_str().unwrap_or_default();
    match parse_version(version) {
        Some(found) if found >= OLDEST => Ok(Some(program)),
        _ => bail!(
            "{} is version {version:?}: terraform ≥ 1.11 is needed",
            program.display()
        ),
    }
}

/// The same, for those who cannot go on without it.
pub(crate) fn demand() -> Result<PathBuf> {
    match find()? {
        Some(program) => Ok(program),
        None => bail!("the tests need terraform ≥ 1.11 on PATH"),
    }
}

fn parse_version(text: &str) -> Option<(u64, u64)> {
    let mut numbers = text.split(['.', '-']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Terraform without the user's settings, and without a look for newer ones.
fn quiet(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("TF_") || name.starts_with("NODEIMAGE_") {
            command.env_remove(&*name);
        }
    }
    command
        .env("CHECKPOINT_DISABLE", "1")
        .env("TF_IN_AUTOMATION", "1")
        .env("TF_INPUT", "0")
        .env("TF_CLI_CONFIG_FILE", "/dev/null");
    command
}

/// A working folder that terraform is used in.
#[derive(Debug)]
pub(crate) struct Terraform {
    program: PathBuf,
    folder: PathBuf,
    settings: PathBuf,
    cache: PathBuf,
}

impl Terraform {
    /// For the configuration in `folder`. The mirror and terraform's settings
    /// go beside it; `cache` is a folder in which the provider keeps its store.
    pub(crate) fn new(program: PathBuf, dist: &Dist, folder: &Path, cache: &Path) -> Result<Self> {
        let mirror = folder.with_extension("mirror");
        let place = mirror.join(ADDRESS);
        std::fs::create_dir_all(&place)
            .with_context(|| format!("cannot make {}", place.display()))?;
        let name = dist::zip_name(&dist.version);
        std::fs::copy(&dist.zip, place.join(name)).context("cannot fill the mirror")?;
        let settings = folder.with_extension("tfrc");
        std::fs::write(&settings, mirror_settings(&mirror))
            .with_context(|| format!("cannot write {}", settings.display()))?;
        Ok(Self {
            program,
            folder: folder.to_owned(),
            settings,
            cache: cache.to_owned(),
        })
    }

    /// `terraform` with these arguments, ready to run.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = quiet(&self.program);
        command
            .args(arguments)
            .current_dir(&self.folder)
            .env("TF_CLI_CONFIG_FILE", &self.settings)
            .env("XDG_CACHE_HOME", &self.cache);
        command
    }

    /// Installs the provider from the mirror.
    pub(crate) fn init(&self) -> Result<()> {
        process::output(&mut self.command(&["init", "-no-color"])).map(|_| ())
    }

    /// Makes what the configuration says, then checks that there is nothing
    /// left to do.
    pub(crate) fn apply(&self) -> Result<()> {
        process::output(&mut self.command(&["apply", "-auto-approve", "-no-color"]))?;
        let mut plan = self.command(&["plan", "-detailed-exitcode", "-no-color"]);
        process::output(&mut plan)
            .map(|_| ())
            .context("a plan after the apply is not empty")
    }

    /// The attributes of every resource of one type, from the state.
    pub(crate) fn resources(&self, kind: &str) -> Result<Vec<Value>> {
        let text = process::output(&mut self.command(&["show", "-json"]))?;
        let state: Value = serde_json::from_slice(&text).context("cannot read the state")?;
        Ok(attributes(&state, kind))
    }
}

fn attributes(state: &Value, kind: &str) -> Vec<Value> {
    state["values"]["root_module"]["resources"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|resource| resource["type"] == kind)
        .map(|resource| resource["values"].clone())
        .collect()
}

/// Terraform's settings: every provider comes from the mirror.
fn mirror_settings(mirror: &Path) -> String {
    format!(
        "provider_installation {{\n  filesystem_mirror {{\n    path = {}\n  }}\n}}\n",
        quoted(&mirror.to_string_lossy())
    )
}

/// A string as HCL has it: JSON's escapes, and none of its templates.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text)
        .to_string()
        .replace("${", "$${")
        .replace("%{", "%%{")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(parse_version("1.11.4").unwrap() >= OLDEST);
        assert!(parse_version("1.9.8").unwrap() < OLDEST);
        assert_eq!(parse_version("2.0.0-rc1"), Some((2, 0)));
        assert_eq!(parse_version(""), None);
    }

    #[test]
    fn odd_folders_are_quoted() {
        let text = mirror_settings(Path::new("/a \"b\"/${c}"));
        assert!(text.contains(r#"path = "/a \"b\"/$${c}""#), "{text}");
    }

    #[test]
    fn attributes_are_those_of_the_type() {
        let state = json!({"values": {"root_module": {"resources": [
            {"type": "nodeimage_image", "values": {"id": "a"}},
            {"type": "other", "values": {"id": "b"}},
        ]}}});
        assert_eq!(attributes(&state, "nodeimage_image"), [json!({"id": "a"})]);
        assert!(attributes(&json!({}), "nodeimage_image").is_empty());
    }
}
