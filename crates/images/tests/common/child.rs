//! This test program once more, as another process.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const DIR: &str = "NODEIMAGE_TEST_DIR";

/// The directory a child works in.
pub fn dir() -> std::path::PathBuf {
    std::env::var_os(DIR).expect("run by another test").into()
}

/// A command that runs the ignored test `name` of this program on `dir`.
pub fn command(name: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", name, "--nocapture"]);
    command.env(DIR, dir).stdout(Stdio::piped());
    command
}

/// Starts it and waits for the line `ready`.
pub fn start(name: &str, dir: &Path, ready: &str) -> Child {
    let mut child = command(name, dir).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let found = lines
        .map_while(Result::ok)
        .any(|line| line.ends_with(ready));
    assert!(found, "{name} ended early");
    child
}

pub fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}
