//! A release, made for real: its files, and its program on its own.

use std::process::Command;

use xtask::dist::{self, Machines};
use xtask::workspace::Workspace;

/// A digest needs no look-up, so this needs nothing but what the release has.
const YAML: &str = "kernel:\n  image: example.org/kernel@sha256:\
    0000000000000000000000000000000000000000000000000000000000000000\n\
    init:\n  - builtin:init\n";

#[test]
fn a_release_is_whole_and_its_program_finds_its_images() {
    let made = dist::make(&Workspace::find().unwrap(), Machines::All).unwrap();
    let folder = made.zip.parent().unwrap();
    let sums = format!("terraform-provider-nodeimage_{}_SHA256SUMS", made.version);
    let checked = Command::new("sha256sum")
        .args(["--check", "--strict", &sums])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(checked.status.success(), "{checked:?}");
    let said = String::from_utf8(checked.stdout).unwrap();
    for end in ["linux_amd64.zip: OK", "manifest.json: OK"] {
        assert!(said.contains(end), "{said}");
    }
    // Debian 12 and Ubuntu 22.04 have at least this.
    assert!(made.facts.glibc <= (2, 35), "{:?}", made.facts);

    let here = tempfile::tempdir().unwrap();
    let program = dist::unpack(&made, here.path()).unwrap();
    let mut names: Vec<String> = std::fs::read_dir(here.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = [
        "LICENSE",
        "NOTICE",
        "images",
        &dist::program_name(&made.version),
    ];
    assert_eq!(names, expected);

    let work = tempfile::tempdir().unwrap();
    std::fs::write(work.path().join("node.yml"), YAML).unwrap();
    let locked = Command::new(&program)
        .args(["--offline", "lock", "--arch", "amd64,arm64", "node.yml"])
        .current_dir(work.path())
        .env_remove("NODEIMAGE_CONFIG")
        .env("NODEIMAGE_CACHE", work.path().join("store"))
        .output()
        .unwrap();
    assert!(locked.status.success(), "{locked:?}");
    let text = std::fs::read(work.path().join("node.lock")).unwrap();
    let lock: serde_json::Value = serde_json::from_slice(&text).unwrap();
    for image in ["boot", "init"] {
        let digest = lock[image]["digest"].as_str().unwrap();
        let blob = here
            .path()
            .join(digest.replace("sha256:", "images/blobs/sha256/"));
        let index = std::fs::read(blob);
        let index: serde_json::Value = serde_json::from_slice(&index.unwrap()).unwrap();
        let machines: Vec<&str> = index["manifests"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["platform"]["architecture"].as_str().unwrap())
            .collect();
        assert_eq!(machines, ["amd64", "arm64"], "{image}");
    }
}
