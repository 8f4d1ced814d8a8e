//! The provider as a process that Terraform starts.

mod common;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{World, entries};

#[test]
fn apply_saved_plans_across_processes() {
    let world = World::spawned();
    world.config(
        "variable \"t\" { default = \"one\" }\n\
         resource \"toy_image\" \"a\" { config = [var.t] }\n\
         resource \"toy_ami\" \"a\" { image = toy_image.a }\n\
         output \"d\" { value = provider::toy::digest(\"x\") }",
    );
    world.terraform.plan("p");
    world.terraform.ok(&["apply", "p"]);
    world.terraform.assert_no_changes();
    world.terraform.ok(&["plan", "-out=p", "-var=t=two"]);
    world.terraform.ok(&["apply", "p"]);
    assert_eq!(world.terraform.resource("toy_ami.a")["id"], "ami-2");
    world.terraform.destroy();
    assert_eq!(
        entries(&world.sockets()),
        Vec::<String>::new(),
        "sockets are removed"
    );
}

#[test]
fn installed_from_a_mirror() {
    let mut world = World::spawned();
    let mirror = tempfile::tempdir().unwrap();
    let machine = std::env::consts::ARCH
        .replace("x86_64", "amd64")
        .replace("aarch64", "arm64");
    let dir = mirror.path().join(format!(
        "registry.terraform.io/acme/toy/1.2.3/linux_{machine}"
    ));
    std::fs::create_dir_all(&dir).unwrap();
    let binary = dir.join("terraform-provider-toy_v1.2.3");
    std::fs::copy(env!("CARGO_BIN_EXE_fixture-provider"), binary).unwrap();
    world.terraform.filesystem_mirror(mirror.path());
    world.config("resource \"toy_thing\" \"a\" { name = \"a\" }");
    world.terraform.ok(&["init"]);
    world.terraform.apply();
    world.terraform.assert_no_changes();
    world.terraform.destroy();
}

#[test]
fn a_5_mb_configuration() {
    let world = World::spawned();
    world.terraform.write("big.txt", "x".repeat(5 << 20));
    world.config("resource \"toy_image\" \"a\" { config = file(\"big.txt\") }");
    world.terraform.apply();
    world.terraform.assert_no_changes();
    assert_eq!(world.terraform.resource("toy_image.a")["size"], 5 << 20);
}

#[test]
fn a_process_for_each_alias() {
    let world = World::spawned();
    let other = tempfile::tempdir().unwrap();
    world.config(&format!(
        r#"
provider "toy" {{
  alias = "other"
  dir   = {:?}
}}
resource "toy_thing" "a" {{
  count = 12
  name  = "a${{count.index}}"
}}
resource "toy_thing" "b" {{
  provider = toy.other
  name     = "b"
}}
"#,
        other.path().display().to_string()
    ));
    world.terraform.apply();
    world.terraform.assert_no_changes();
    assert_eq!(world.log().matches("register").count(), 12);
    assert!(other.path().join("thing-1").exists());
    world.terraform.destroy();
}

#[test]
fn a_temporary_directory_with_a_long_name() {
    let mut world = World::spawned();
    let long = world.sockets().join("x".repeat(120));
    std::fs::create_dir(&long).unwrap();
    world.terraform.env("TMPDIR", long);
    world.config("resource \"toy_thing\" \"a\" { name = \"a\" }");
    world.terraform.apply();
}

#[test]
fn without_tls_where_terraform_wants_none() {
    let mut world = World::spawned();
    world.terraform.env("TF_DISABLE_PLUGIN_TLS", "1");
    world.config("resource \"toy_thing\" \"a\" { name = \"a\" }");
    world.terraform.apply();
}

#[test]
fn an_interrupt_stops_the_work_in_order() {
    let world = World::spawned();
    world.config("resource \"toy_thing\" \"a\" {\n  name = \"a\"\n  act = \"hang\"\n}");
    let child = world.terraform.spawn(&["apply", "-auto-approve"]);
    let group = rustix::process::Pid::from_child(&child);
    until("the apply hangs", || world.log().contains("hanging"));
    let start = Instant::now();
    // As Ctrl-C: to Terraform and the provider.
    rustix::process::kill_process_group(group, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(start.elapsed() < Duration::from_secs(20));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("The operation was stopped"), "{text}");
    assert!(!text.contains("Plugin did not respond"), "{text}");
    assert!(world.log().contains("stopped: true"), "{}", world.log());
    assert_eq!(world.terraform.ok(&["state", "list"]).stdout, "");
    assert_eq!(entries(&world.sockets()), Vec::<String>::new());
}

#[test]
fn no_orphan_is_left_when_terraform_is_killed() {
    let world = World::spawned();
    world.config("resource \"toy_thing\" \"a\" {\n  name = \"a\"\n  act = \"hang\"\n}");
    let mut child = world.terraform.spawn(&["apply", "-auto-approve"]);
    until("the apply hangs", || world.log().contains("hanging"));
    child.kill().unwrap();
    child.wait().unwrap();
    until("the provider has gone", || {
        entries(&world.sockets()).is_empty()
    });
    assert!(world.log().contains("stopped: true"), "{}", world.log());
}

#[test]
fn a_panic_is_reported_as_a_crash() {
    let world = World::spawned();
    world.config("resource \"toy_thing\" \"a\" {\n  name = \"a\"\n  act = \"panic\"\n}");
    let error = world.terraform.fails(&["apply", "-auto-approve"]);
    assert!(
        error.contains("The provider panicked: the wheels came off"),
        "{error}"
    );
    assert!(
        error.contains("panic: the wheels came off"),
        "Terraform's own report: {error}"
    );
}

#[test]
fn logs_are_terraforms() {
    let mut world = World::spawned();
    world.config("resource \"toy_image\" \"a\" { config = \"a\" }");
    let log = world.sockets().with_file_name("log");
    world
        .terraform
        .env("TF_LOG_PROVIDER", "INFO")
        .env("TF_LOG_PATH", &log);
    world.terraform.apply();
    let text = std::fs::read_to_string(&log).unwrap();
    let line = text
        .lines()
        .find(|line| line.contains("configured"))
        .unwrap();
    assert!(line.contains("[INFO]"), "{line}");
    assert!(line.contains("version=1."), "{line}");
    assert!(line.contains("@module=") && line.contains("toy"), "{line}");
}

#[test]
fn not_started_by_terraform() {
    let run = |environment: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fixture-provider"));
        command
            .envs(environment.iter().copied())
            .stdin(Stdio::null());
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.success(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    let (ok, stdout, _) = run(&[]);
    assert!(ok);
    assert_eq!(stdout, "not started by Terraform\n");
    let cookie = (
        "TF_PLUGIN_MAGIC_COOKIE",
        "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2",
    );
    let (ok, stdout, stderr) = run(&[cookie, ("PLUGIN_PROTOCOL_VERSIONS", "5")]);
    assert!(!ok);
    assert_eq!(stdout, "");
    assert!(
        stderr.contains("speaks plugin protocol 5, this provider only 6"),
        "{stderr}"
    );
    let (ok, _, stderr) = run(&[cookie, ("PLUGIN_PROTOCOL_VERSIONS", "6")]);
    assert!(!ok);
    assert!(stderr.contains("PLUGIN_CLIENT_CERT is missing"), "{stderr}");
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < end, "it never came to pass that {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
