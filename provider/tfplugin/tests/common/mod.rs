//! A toy cloud, a toy provider, and Terraform.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "helpers of tests, each of which uses another part"
)]

#[path = "../fixture-provider/toy/mod.rs"]
pub mod toy;

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tfplugin::testing::{Reattach, Terraform};

pub const ADDRESS: &str = "registry.terraform.io/acme/toy";

pub struct World {
    pub cloud: TempDir,
    pub terraform: Terraform,
    _server: Option<Reattach>,
    _plugins: TempDir,
}

impl World {
    /// With the provider in this process.
    pub fn reattached() -> Self {
        let server = Reattach::start(ADDRESS, toy::Toy);
        let mut world = Self::empty();
        world.terraform.reattach(&server);
        world._server = Some(server);
        world
    }

    /// With the provider started by Terraform.
    pub fn spawned() -> Self {
        let mut world = Self::empty();
        let plugin = world._plugins.path().join("terraform-provider-toy");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_fixture-provider"), plugin).unwrap();
        let plugins = world._plugins.path().to_owned();
        world.terraform.dev_override("acme/toy", &plugins);
        // So that sockets left behind are seen.
        let sockets = world.sockets();
        std::fs::create_dir(&sockets).unwrap();
        world.terraform.env("TMPDIR", sockets);
        world
    }

    fn empty() -> Self {
        Self {
            cloud: tempfile::tempdir().unwrap(),
            terraform: Terraform::new(),
            _server: None,
            _plugins: tempfile::tempdir().unwrap(),
        }
    }

    pub fn sockets(&self) -> PathBuf {
        self._plugins.path().join("sockets")
    }

    pub fn config(&self, text: &str) {
        let dir = self.cloud.path().display().to_string();
        let head = format!(
            "terraform {{\n  required_providers {{\n    toy = {{ source = \"acme/toy\" }}\n  }}\n}}\n\
             provider \"toy\" {{ dir = {dir:?} }}\n"
        );
        self.terraform.write("main.tf", head + text);
    }

    /// The configuration of the provider is left to the text.
    pub fn whole_config(&self, text: &str) {
        let head =
            "terraform {\n  required_providers {\n    toy = { source = \"acme/toy\" }\n  }\n}\n";
        self.terraform.write("main.tf", head.to_owned() + text);
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.cloud.path().join("log")).unwrap_or_default()
    }

    pub fn object(&self, name: &str) -> PathBuf {
        self.cloud.path().join(name)
    }
}

pub fn entries(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}
