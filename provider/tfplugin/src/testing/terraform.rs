//! The real `terraform`, in a directory of its own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value as Json;
use tempfile::TempDir;

use super::Reattach;

/// What a plan does to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    NoOp,
    /// Creates it.
    Create,
    /// Changes it in place.
    Update,
    /// Deletes and creates it, in whichever order.
    Replace,
    /// Deletes it.
    Delete,
    /// Reads a data source while applying.
    Read,
}

/// What a command printed.
#[derive(Clone, Debug)]
pub struct Output {
    /// Its exit status; none if a signal ended it.
    pub status: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Standard output and standard error, line ends and box drawing reduced to
    /// single spaces: Terraform wraps text at 78 columns.
    pub fn flowed(&self) -> String {
        let both = format!("{} {}", self.stdout, self.stderr).replace(['│', '╷', '╵'], " ");
        both.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// A working directory with a configuration and its state.
///
/// Commands see nothing of the user's settings: an empty CLI configuration,
/// no checkpoint, no colour. Dropped, it destroys nothing: see
/// [`Terraform::destroy`].
#[derive(Debug)]
pub struct Terraform {
    program: PathBuf,
    dir: TempDir,
    environment: BTreeMap<OsString, OsString>,
}

impl Default for Terraform {
    fn default() -> Self {
        Self::new()
    }
}

impl Terraform {
    /// An empty directory; the program is `terraform` on PATH, or what
    /// TF_ACC_TERRAFORM_PATH names.
    pub fn new() -> Self {
        let program = std::env::var_os("TF_ACC_TERRAFORM_PATH").unwrap_or("terraform".into());
        let dir = tempfile::Builder::new()
            .prefix("tf-test")
            .tempdir()
            .expect("no temporary directory");
        let mut terraform = Self {
            program: program.into(),
            dir,
            environment: BTreeMap::new(),
        };
        let settings = terraform.write("cli/terraform.rc", "");
        let state = terraform.path().join("work");
        std::fs::create_dir(state).expect("can't make the working directory");
        terraform.env("TF_CLI_CONFIG_FILE", settings);
        terraform.env("CHECKPOINT_DISABLE", "1");
        terraform.env("TF_IN_AUTOMATION", "1");
        terraform.env("TF_INPUT", "0");
        terraform
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The working directory.
    pub fn dir(&self) -> PathBuf {
        self.path().join("work")
    }

    /// Sets an environment variable for the commands that follow.
    pub fn env(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> &mut Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Unsets it.
    pub fn unset(&mut self, name: &str) -> &mut Self {
        self.environment.remove(&OsString::from(name));
        self
    }

    /// Uses a provider in this process; no `init` is needed then.
    pub fn reattach(&mut self, server: &Reattach) -> &mut Self {
        self.env("TF_REATTACH_PROVIDERS", server.environment())
    }

    /// Uses the plugin binary in `dir` for `source` (`acme/toy`); no `init` is
    /// needed then.
    pub fn dev_override(&mut self, source: &str, dir: &Path) -> &mut Self {
        let mut text = String::from("provider_installation {\n  dev_overrides {\n");
        let _ = writeln!(text, "    {source:?} = {:?}", dir.display().to_string());
        text.push_str("  }\n  direct {}\n}\n");
        self.cli_config(&text)
    }

    /// Installs providers from the mirror in `dir` alone; run `init` then.
    pub fn filesystem_mirror(&mut self, dir: &Path) -> &mut Self {
        let dir = dir.display().to_string();
        self.cli_config(&format!(
            "provider_installation {{\n  filesystem_mirror {{\n    path = {dir:?}\n  }}\n}}\n"
        ))
    }

    fn cli_config(&mut self, text: &str) -> &mut Self {
        std::fs::write(self.path().join("cli/terraform.rc"), text).expect("can't write settings");
        self
    }

    /// Writes a file of the configuration; returns its path.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = match name.strip_prefix("cli/") {
            Some(_) => self.path().join(name),
            None => self.dir().join(name),
        };
        let parent = path.parent().expect("a file has a directory");
        std::fs::create_dir_all(parent).expect("can't make a directory");
        std::fs::write(&path, text).expect("can't write the configuration");
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|n| n.starts_with("TF_")) {
                command.env_remove(name);
            }
        }
        command
            .arg(arguments[0])
            .args(if takes_no_color(arguments[0]) {
                &["-no-color"][..]
            } else {
                &[]
            })
            .args(&arguments[1..])
            .current_dir(self.dir())
            .envs(&self.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts a command and leaves it running, in a process group of its own
    /// (so that a signal to the group reaches Terraform's plugins too).
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        use std::os::unix::process::CommandExt;
        self.command(arguments)
            .process_group(0)
            .spawn()
            .expect("can't start terraform")
    }

    /// Runs a command, whatever comes of it.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let output = self
            .command(arguments)
            .output()
            .expect("can't start terraform: the acceptance tests need it on PATH");
        Output {
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs a command that must succeed.
    #[track_caller]
    pub fn ok(&self, arguments: &[&str]) -> Output {
        let output = self.run(arguments);
        assert!(
            output.status == Some(0),
            "terraform {}: {:?}\n{}\n{}",
            arguments.join(" "),
            output.status,
            output.stdout,
            output.stderr
        );
        output
    }

    /// Runs a command that must fail; returns what it said, flowed.
    #[track_caller]
    pub fn fails(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(
            output.status == Some(1),
            "terraform {}: {:?} instead of an error\n{}",
            arguments.join(" "),
            output.status,
            output.stdout
        );
        output.flowed()
    }

    /// Applies the configuration.
    #[track_caller]
    pub fn apply(&self) -> Output {
        self.ok(&["apply", "-auto-approve"])
    }

    /// Deletes everything; nothing may be left in the state.
    #[track_caller]
    pub fn destroy(&self) -> Output {
        let output = self.ok(&["destroy", "-auto-approve"]);
        let left = self.ok(&["state", "list"]).stdout;
        assert!(left.trim().is_empty(), "left in the state:\n{left}");
        output
    }

    /// Nothing is to be done, neither by the state alone nor by what is there.
    #[track_caller]
    pub fn assert_no_changes(&self) {
        for refresh in ["-refresh=false", "-refresh=true"] {
            let output = self.run(&["plan", "-detailed-exitcode", refresh]);
            assert!(
                output.status == Some(0),
                "plan {refresh} isn't empty: {:?}\n{}\n{}",
                output.status,
                output.stdout,
                output.stderr
            );
        }
    }

    /// A plan as JSON, saved as `name` in the working directory.
    #[track_caller]
    pub fn plan(&self, name: &str) -> Json {
        self.ok(&["plan", "-out", name]);
        self.show(&[name])
    }

    /// What a plan does to a resource, and the change in full.
    #[track_caller]
    pub fn planned(plan: &Json, address: &str) -> (Action, Json) {
        let changes = plan["resource_changes"].as_array().expect("no changes");
        let change = changes
            .iter()
            .find(|change| change["address"] == address)
            .unwrap_or_else(|| panic!("{address} is not in the plan: {plan}"));
        let actions: Vec<&str> = change["change"]["actions"]
            .as_array()
            .map(|all| all.iter().filter_map(Json::as_str).collect())
            .unwrap_or_default();
        let action = match actions[..] {
            ["no-op"] => Action::NoOp,
            ["create"] => Action::Create,
            ["update"] => Action::Update,
            ["delete"] => Action::Delete,
            ["read"] => Action::Read,
            ["delete", "create"] | ["create", "delete"] => Action::Replace,
            _ => panic!("unknown actions {actions:?}"),
        };
        (action, change["change"].clone())
    }

    /// `terraform show -json`, of the state or a saved plan.
    #[track_caller]
    pub fn show(&self, arguments: &[&str]) -> Json {
        let text = self.ok(&[&["show", "-json"], arguments].concat()).stdout;
        serde_json::from_str(&text).expect("show doesn't print JSON")
    }

    /// The stored attributes of a resource.
    #[track_caller]
    pub fn resource(&self, address: &str) -> Json {
        self.resource_in_state(address)["values"].clone()
    }

    /// A resource of the state, with `tainted` and the like.
    #[track_caller]
    pub fn resource_in_state(&self, address: &str) -> Json {
        let state = self.show(&[]);
        let resources = state["values"]["root_module"]["resources"]
            .as_array()
            .cloned();
        let found = resources
            .unwrap_or_default()
            .into_iter()
            .find(|resource| resource["address"] == address);
        found.unwrap_or_else(|| panic!("{address} is not in the state: {state}"))
    }

    /// The value of an output.
    #[track_caller]
    pub fn output(&self, name: &str) -> Json {
        let text = self.ok(&["output", "-json", name]).stdout;
        serde_json::from_str(&text).expect("output doesn't print JSON")
    }

    /// Imports `id` as `address` into a new directory with the same
    /// configuration. There, the attributes must be those of the state here, but
    /// for `ignore`, and nothing must be left to do. Returns that directory.
    #[track_caller]
    pub fn assert_import(&self, address: &str, id: &str, ignore: &[&str]) -> Self {
        let mut fresh = Self::new();
        for (name, value) in &self.environment {
            if name != "TF_CLI_CONFIG_FILE" {
                fresh.env(name, value);
            }
        }
        let settings = std::fs::read_to_string(self.path().join("cli/terraform.rc"));
        fresh.cli_config(&settings.expect("no settings"));
        for entry in std::fs::read_dir(self.dir()).expect("no working directory") {
            let entry = entry.expect("no working directory");
            let name = entry.file_name().into_string().expect("a file's name");
            if entry.path().is_file() && !name.contains("tfstate") {
                let text = std::fs::read(entry.path()).expect("can't read the configuration");
                fresh.write(&name, text);
            }
        }
        fresh.ok(&["import", address, id]);
        let strip = |mut values: Json| {
            for name in ignore {
                if let Some(values) = values.as_object_mut() {
                    values.remove(*name);
                }
            }
            values
        };
        assert_eq!(
            strip(fresh.resource(address)),
            strip(self.resource(address)),
            "the imported {address} differs"
        );
        fresh
    }
}

fn takes_no_color(command: &str) -> bool {
    matches!(
        command,
        "apply"
            | "destroy"
            | "import"
            | "init"
            | "output"
            | "plan"
            | "refresh"
            | "show"
            | "validate"
    )
}
