//! The binary as a shell sees it: exit codes, streams, files left and right.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{Read, Write};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use acceptance_tests::fixture::{self, Codec, Layout};
use serde_json::Value;
use tempfile::TempDir;

struct Shell {
    dir: TempDir,
}

impl Shell {
    /// A directory with `node.yml`, its images and a lock.
    fn new() -> Self {
        let shell = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        let mut layout = Layout::create(shell.at("images")).unwrap();
        fixture::machine(&mut layout, Codec::None).unwrap();
        let sources =
            "[sources]\n\"builtin\" = \"oci:images\"\n\"fixture.example\" = \"oci:images\"\n";
        shell.write("nodeimage.toml", sources);
        shell.write("node.yml", fixture::MACHINE);
        shell.ok("lock node.yml");
        shell
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.at(name), text).unwrap();
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nodeimage"));
        command
            .current_dir(self.dir.path())
            .env_clear()
            .env("NODEIMAGE_CACHE", self.at("store"))
            .args(line.split_whitespace())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    fn ok(&self, line: &str) -> String {
        let output = self.run(line);
        let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{line}: {said}");
        text(&output.stdout)
    }

    /// The error's text; nothing may stand on standard output.
    fn fails(&self, line: &str) -> String {
        let output = self.run(line);
        assert_eq!(output.status.code(), Some(1), "{line}");
        assert_eq!(text(&output.stdout), "", "{line}");
        text(&output.stderr)
    }

    fn names(&self, dir: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.at(dir)).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn last_json(lines: &str) -> Value {
    let line = lines.lines().last().unwrap();
    let value: Value = serde_json::from_str(line).unwrap();
    assert_eq!(value["schema"], 1);
    value
}

fn sha256sum(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    text(&output.stdout)[..64].to_owned()
}

const ALL: &str = "build --json --sha256 -f raw,tar -f kernel+initrd,raw --dir out node.yml";

#[test]
fn all_formats_at_once_with_their_hashes() {
    let shell = Shell::new();
    let built = last_json(&shell.ok(ALL));
    let files = built["files"].as_array().unwrap();
    let formats: Vec<_> = files
        .iter()
        .map(|it| it["format"].as_str().unwrap())
        .collect();
    let initrd = "kernel+initrd";
    assert_eq!(formats, ["raw", "tar", initrd, initrd, initrd]);
    for file in files {
        let path = shell.at(file["path"].as_str().unwrap());
        assert_eq!(file["sha256"], sha256sum(&path), "{file}");
        assert_eq!(file["size"], path.metadata().unwrap().len());
    }
    let kernel = std::fs::read(shell.at("out/node-kernel")).unwrap();
    assert_eq!(kernel.len(), 700_000, "as its image has it");
    assert_eq!(shell.names("out").len(), 5);
    let inspected = last_json(&shell.ok("inspect --verify --json out/node.img"));
    assert_eq!(inspected["disk_digest"], built["disk_digest"]);
    assert_eq!(inspected["wrong_blocks"], 0);
    let linux = inspected["uki"].as_array().unwrap();
    let linux = linux.iter().find(|it| it["name"] == ".linux").unwrap();
    assert_eq!(linux["size"], 700_000);
    assert_eq!(last_json(&shell.ok(ALL)), built, "warm");
}

#[test]
fn a_damaged_store_is_repaired_for_every_format() {
    let shell = Shell::new();
    let built = last_json(&shell.ok(ALL));
    for format in ["raw", "tar", "kernel+initrd"] {
        for bucket in ["segments-v1", "images-v1", "layers-v1"] {
            for name in shell.names(&format!("store/{bucket}")) {
                let path = shell.at(&format!("store/{bucket}/{name}"));
                let mut bytes = std::fs::read(&path).unwrap();
                bytes[0] ^= 1;
                std::fs::write(&path, bytes).unwrap();
            }
        }
        let again = shell.ok(&format!(
            "build --json --sha256 -f {format} --dir again node.yml"
        ));
        let expected = built["files"].as_array().unwrap().iter();
        let expected = expected.filter(|file| file["format"] == format);
        let hashes = |file: &Value| file["sha256"].clone();
        let again = last_json(&again)["files"].clone();
        let again: Vec<_> = again.as_array().unwrap().iter().map(hashes).collect();
        assert_eq!(again, expected.map(hashes).collect::<Vec<_>>(), "{format}");
    }
}

#[test]
fn an_empty_command_line_takes_the_old_file_away() {
    let shell = Shell::new();
    shell.ok("build -f kernel+initrd node.yml");
    assert!(shell.at("node-cmdline").exists());
    let yaml = fixture::MACHINE.replace("  cmdline: \"console=ttyS0 quiet\"\n", "");
    shell.write("node.yml", &yaml);
    shell.ok("build -f kernel+initrd node.yml");
    assert!(!shell.at("node-cmdline").exists());
}

#[test]
fn a_killed_builds_half_file_is_removed_by_the_next() {
    let shell = Shell::new();
    for name in [
        ".node.img.Ab12.nodeimage-part",
        ".node.lock.Zz.nodeimage-part",
    ] {
        shell.write(name, "half");
    }
    shell.ok("build node.yml");
    shell.ok("lock --update node.yml");
    assert!(
        shell.at(".node.lock.Zz.nodeimage-part").exists(),
        "the lock is as it was"
    );
    std::fs::remove_file(shell.at("node.lock")).unwrap();
    shell.ok("lock node.yml");
    let left = shell
        .names(".")
        .into_iter()
        .filter(|name| name.contains("-part"));
    assert_eq!(left.collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn a_closed_pipe_is_no_error_to_tell() {
    let shell = Shell::new();
    for line in ["cache show", "build node.yml", "build --json node.yml"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = shell.command(line).stdout(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(141), "{line}");
        let errors = text(&output.stderr);
        assert!(
            !errors.contains("panic") && !errors.contains("error"),
            "{errors}"
        );
    }
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = shell
        .command("build --name other node.yml")
        .stderr(writer)
        .output()
        .unwrap();
    assert!(output.status.success(), "progress is not what counts");
}

#[test]
fn standard_input_is_read_once() {
    let shell = Shell::new();
    assert!(
        shell
            .fails("lint - node.yml -")
            .contains("`-` is given twice")
    );
    let mut child = shell
        .command("lint -")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let yaml = "init: [builtin:init]\n";
    child
        .stdin
        .take()
        .unwrap()
        .write_all(yaml.as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn errors_are_one_json_line_too() {
    let shell = Shell::new();
    shell.write("bad.yml", "kernel: 1\nservices: x\n");
    for (line, part) in [
        ("build bad.yml", "bad.yml"),
        ("build none.yml", "none.yml"),
        ("build -f qcow3 node.yml", "qcow3"),
        ("build --size 1T node.yml", "--size"),
        ("build --name a/b node.yml", "--name"),
        ("build --min-memory 16 node.yml", "min_memory"),
        ("build --lock none.lock node.yml", "none.lock"),
        ("lock --check --lock none.lock node.yml", "none.lock"),
        ("lock --update=nginx:1 node.yml", "nginx:1"),
        ("inspect none.img", "none.img"),
        ("inspect .", "no disk of nodeimage"),
        ("cache prune --to x", "--to"),
        ("--config none.toml build node.yml", "none.toml"),
        ("--cache node.yml cache show", "node.yml"),
    ] {
        let output = shell.run(&format!("--json {line}"));
        assert_eq!(output.status.code(), Some(1), "{line}");
        assert_eq!(text(&output.stderr), "", "{line}");
        let lines = text(&output.stdout);
        let error = last_json(&lines);
        assert_eq!(error["event"], "error", "{line}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(part), "{line}: {message}");
        let faults = error["faults"].as_array().unwrap().len();
        assert_eq!(faults > 0, line == "build bad.yml", "{line}");
    }
    let usage = shell.run("--json build");
    assert_eq!(usage.status.code(), Some(2), "wrong usage stays text");
    assert!(text(&usage.stderr).contains("Usage"));
}

#[test]
fn places_that_cannot_be_written_are_named() {
    let shell = Shell::new();
    shell.write("file", "");
    let error = shell.fails("build --dir file/out node.yml");
    assert!(error.contains("file/out"), "{error}");
    std::fs::create_dir_all(shell.at("out/node.img")).unwrap();
    std::fs::create_dir_all(shell.at("out/node.tar")).unwrap();
    for format in ["raw", "tar"] {
        let error = shell.fails(&format!("build -f {format} --dir out node.yml"));
        let last = error.lines().last().unwrap();
        assert!(last.contains("not a regular file"), "{error}");
        assert_eq!(last.matches("out/node.").count(), 1, "{error}");
    }
    let read_only = shell.at("read-only");
    std::fs::create_dir(&read_only).unwrap();
    std::fs::set_permissions(&read_only, std::fs::Permissions::from_mode(0o500)).unwrap();
    // Root may write anywhere.
    if std::fs::write(read_only.join("probe"), "").is_err() {
        let error = shell.fails("build --dir read-only node.yml");
        assert!(error.contains("read-only/node.img"), "{error}");
    }
    assert_eq!(shell.names("out"), ["node.img", "node.tar"]);
}

#[test]
fn disks_that_are_none_are_refused_quickly() {
    let shell = Shell::new();
    shell.ok("build node.yml");
    let disk = std::fs::File::options()
        .read(true)
        .write(true)
        .open(shell.at("node.img"))
        .unwrap();
    let len = disk.metadata().unwrap().len();
    for other in [len - (1 << 20), len * 2, 1 << 43] {
        disk.set_len(other).unwrap();
        let error = shell.fails("inspect --verify node.img");
        assert!(error.contains("cut short or made longer"), "{error}");
    }
    disk.set_len(len).unwrap();
    shell.ok("build node.yml");
    let disk = std::fs::File::options()
        .read(true)
        .write(true)
        .open(shell.at("node.img"))
        .unwrap();
    // One byte where a block is zero, one in the kernel.
    for at in [200 << 20, 14 << 20] {
        disk.write_all_at(&[1], at).unwrap();
    }
    let output = shell.run("inspect --verify node.img");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("2 blocks"),
        "{}",
        text(&output.stderr)
    );
    let huge = std::fs::File::create(shell.at("huge")).unwrap();
    huge.set_len(1 << 43).unwrap();
    assert!(
        shell
            .fails("inspect --verify huge")
            .contains("huge is no disk of nodeimage")
    );
    assert!(
        shell
            .fails("inspect /dev/zero")
            .contains("no disk of nodeimage")
    );
}

#[test]
fn what_terminals_obey_is_escaped() {
    let shell = Shell::new();
    shell.write("x.yml", "init: [\"a\\e[2Jb\"]\n");
    let output = shell.run("lint x.yml");
    let all = [output.stdout, output.stderr].concat();
    assert!(!all.contains(&0x1b), "{}", String::from_utf8_lossy(&all));
}

#[test]
fn interrupted_it_ends_with_130_and_leaves_nothing() {
    let shell = Shell::new();
    let mut child = shell
        .command("build -")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // It waits for the YAML, the flag already in place.
    std::thread::sleep(std::time::Duration::from_millis(300));
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    child
        .stdin
        .take()
        .unwrap()
        .write_all(fixture::MACHINE.as_bytes())
        .unwrap();
    let status = child.wait().unwrap();
    let mut errors = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut errors)
        .unwrap();
    assert_eq!(status.code(), Some(130), "{errors}");
    assert!(
        errors.contains("stopped before it was complete"),
        "{errors}"
    );
    assert!(
        !shell
            .names(".")
            .iter()
            .any(|name| name.starts_with("moby") || name.contains("-part"))
    );
}

#[test]
fn lints_look_into_images_and_say_what_they_could_not_see() {
    let shell = Shell::new();
    let quiet = "files-shadowed,files-tighten-parents";
    let node = std::fs::read_to_string(shell.at("node.yml")).unwrap();
    shell.write(
        "node.yml",
        &node.replace("files:\n", &format!("files: # nodeimage: allow {quiet}\n")),
    );
    let linted = last_json(&shell.ok("lint --json --enable hardening node.yml"));
    assert_eq!(linted["skipped"].as_array().unwrap().len(), 0);
    let roots: Vec<_> = linted["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["id"] == "writable-root")
        .map(|finding| finding["path"].as_str().unwrap())
        .collect();
    // The image of `services[0]` has a label that makes its root read-only.
    assert_eq!(roots, ["onboot[0]"]);

    std::fs::remove_dir_all(shell.at("images")).unwrap();
    std::fs::remove_dir_all(shell.at("store")).unwrap();
    let blind = shell.ok("lint --enable hardening node.yml");
    assert!(
        blind.contains("unless its image's label says otherwise"),
        "{blind}"
    );
    assert!(blind.contains("not looked at: "), "{blind}");
    assert!(blind.contains("\n  fixture.example/web:1\n"), "{blind}");
    assert!(
        blind.contains("  = lints that judged without: no-init, no-runtime, usr-merge"),
        "{blind}"
    );
}

#[test]
fn what_lints_find_fails_as_asked() {
    let shell = Shell::new();
    shell.write(
        "a.yml",
        "init: [builtin:init]\nfiles:\n  - {path: run/x, contents: a, mode: '0644'}\n",
    );
    shell.ok("lint a.yml");
    shell.ok("lint --deny=unpinned,secret-in-files a.yml");
    for line in [
        "lint --deny a.yml",
        "lint --deny=files-shadowed a.yml",
        "lint --deny=default a.yml",
    ] {
        let output = shell.run(line);
        assert_eq!(output.status.code(), Some(1), "{line}");
        let out = text(&output.stdout);
        assert!(out.starts_with("error[files-shadowed]: "), "{line}: {out}");
        assert_eq!(text(&output.stderr), "error: 1 finding\n", "{line}");
    }
    assert!(
        shell
            .fails("lint --deny=file-shadowed a.yml")
            .contains("did you mean `files-shadowed`?")
    );
    shell.write("key", "-----BEGIN PRIVATE KEY-----\n");
    shell.write(
        "b.yml",
        "init: [builtin:init]\nfiles:\n  - {path: k, source: key}\n  - {path: l, source: none}\n",
    );
    let output = shell.run("lint b.yml");
    assert_eq!(output.status.code(), Some(1));
    let out = text(&output.stdout);
    assert!(
        out.contains("error[secret-in-files]: `k` holds a private key\n --> b.yml:3:"),
        "{out}"
    );
    assert!(out.contains("\n  none\n  = lints that judged without: secret-in-files"));
}

#[test]
fn lints_speak_sarif() {
    let shell = Shell::new();
    shell.write(
        "a.yml",
        "init: [builtin:init]\nfiles:\n  - {path: run/x, contents: a, mode: '0644'}\n",
    );
    let log: Value = serde_json::from_str(&shell.ok("lint --format sarif a.yml")).unwrap();
    let result = &log["runs"][0]["results"][0];
    assert_eq!(log["version"], "2.1.0");
    assert_eq!(result["ruleId"], "files-shadowed");
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "a.yml");
    assert_eq!(place["region"]["startLine"], 3);
    shell.write("bad.yml", "kernel: 1\n");
    let output = shell.run("lint --format sarif bad.yml");
    assert_eq!(output.status.code(), Some(1));
    let log: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(log["runs"][0]["results"][0]["ruleId"], "invalid");
    assert!(text(&output.stderr).contains("bad.yml:1:9"));
    for line in [
        "lint --json --format sarif a.yml",
        "lint --list --format sarif",
    ] {
        assert_eq!(shell.run(line).status.code(), Some(1), "{line}");
    }
    let all = last_json(&shell.ok("lint --list --json"));
    assert!(all["lints"].as_array().unwrap().len() >= 19);
    assert!(shell.ok("lint --list").contains("hardening:\n"));
}
