//! Disk formats on the command line: `build --format`, `inspect`, `convert`, judged by qemu-img.

use std::fs;
use std::process::Command;

use acceptance_tests::cli::{Sandbox, executable, names};
use acceptance_tests::fixture::Codec;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sha2::{Digest, Sha256};

type Test = Result<()>;

/// What to ask for, the file it becomes, and what QEMU calls that.
const DISKS: [(&str, &str, &str); 8] = [
    ("raw", "node.img", "raw"),
    ("aws", "node.raw", "raw"),
    ("raw-bios", "node-bios.img", "raw"),
    ("raw-efi", "node-efi.img", "raw"),
    ("qcow2-bios:zlib", "node.qcow2", "qcow2"),
    ("qcow2-efi:zstd:9", "node-efi.qcow2", "qcow2"),
    ("vdi", "node.vdi", "vdi"),
    ("vhd", "node.vhd", "vpc"),
];

fn all_formats() -> String {
    let names: Vec<_> = DISKS.iter().map(|(name, ..)| *name).collect();
    names.join(",")
}

/// Runs a program in the sandbox, which must succeed.
fn run(sandbox: &Sandbox, program: &str, words: &[&str]) -> Test {
    let done = Command::new(program)
        .args(words)
        .current_dir(sandbox.dir())
        .output()
        .with_context(|| format!("cannot run {program}"))?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "{program} {words:?}: {said}");
    Ok(())
}

fn inspect(sandbox: &Sandbox, file: &str) -> Result<Value> {
    let call = sandbox.nodeimage("inspect --verify --json")?.arg(file);
    call.success()?.event("inspected")
}

#[test]
fn every_format_holds_the_same_disk() -> Test {
    let sandbox = Sandbox::with_fixture(Codec::Gzip)?;
    let call = sandbox.nodeimage("build --json --sha256 node.yml --dir out --format")?;
    let built = call.arg(all_formats()).success()?.event("built")?;
    let files = built["files"].as_array().context("no files")?.clone();
    ensure!(files.len() == DISKS.len());
    for ((name, file, qemu), made) in DISKS.iter().zip(files) {
        let path = format!("out/{file}");
        ensure!(made["path"] == *path, "{name} is {}", made["path"]);
        let bytes = fs::read(sandbox.path(&path))?;
        ensure!(made["size"] == bytes.len(), "{name}: {}", made["size"]);
        ensure!(
            made["sha256"] == hex::encode(Sha256::digest(&bytes)),
            "{name}"
        );
        let found = inspect(&sandbox, &path)?;
        let kind = if *qemu == "vpc" { "vhd" } else { *qemu };
        ensure!(found["format"] == kind, "{name}: {}", found["format"]);
        for key in ["id", "disk_digest", "disk_size"] {
            ensure!(found[key] == built[key], "{name}: {key} is {}", found[key]);
        }
        ensure!(found["wrong_blocks"] == 0, "{name}");
        ensure!(
            found["partitions"]
                .as_array()
                .is_some_and(|it| it.len() == 2)
        );
        ensure!(found["cmdline"].as_str().is_some_and(|it| !it.is_empty()));
        if !matches!(*qemu, "raw" | "vpc") {
            run(&sandbox, "qemu-img", &["check", "-q", "-f", qemu, &path])?;
        }
        let words = [
            "compare",
            "-q",
            "-f",
            qemu,
            "-F",
            "raw",
            &path,
            "out/node.img",
        ];
        run(&sandbox, "qemu-img", &words)?;
        run(
            &sandbox,
            "qemu-img",
            &["convert", "-f", qemu, "-O", "raw", &path, "back"],
        )?;
        let back = inspect(&sandbox, "back")?;
        ensure!(back["disk_digest"] == built["disk_digest"] && back["wrong_blocks"] == 0);
    }
    Ok(())
}

#[test]
fn cloud_forms_hold_the_same_disk() -> Test {
    let sandbox = Sandbox::with_fixture(Codec::Gzip)?;
    sandbox
        .nodeimage("build node.yml --dir out --format raw,dynamic-vhd,gcp")?
        .success()?;
    let script = "tar -xOzf out/node.img.tar.gz disk.raw | cmp - out/node.img";
    run(&sandbox, "sh", &["-ec", script])?;
    let words = ["compare", "-q", "-f", "vpc", "-F", "raw"];
    let files = ["out/node.vhd", "out/node.img"];
    run(&sandbox, "qemu-img", &[&words[..], &files].concat())?;
    let found = inspect(&sandbox, "out/node.vhd")?;
    ensure!(found["format"] == "vhd" && found["wrong_blocks"] == 0);
    ensure!(found["facts"]["subformat"] == "dynamic");
    Ok(())
}

#[test]
fn files_that_stand_are_left_and_others_are_made() -> Test {
    let sandbox = Sandbox::with_fixture(Codec::Gzip)?;
    let build = |formats: &str| {
        let call = sandbox.nodeimage("build --json node.yml --dir out --format")?;
        call.arg(formats).success()?.event("built")
    };
    build("raw,qcow2:zlib")?;
    let modified = |name: &str| -> Result<_> {
        let metadata = fs::metadata(sandbox.path(&format!("out/{name}")))?;
        Ok((metadata.modified()?, metadata.len()))
    };
    let (raw, qcow2) = (modified("node.img")?, modified("node.qcow2")?);
    let again = build("raw,vdi,qcow2:zlib")?;
    ensure!((raw, qcow2) == (modified("node.img")?, modified("node.qcow2")?));
    ensure!(again["files"][2]["size"] == qcow2.1);
    build("raw,qcow2:zstd")?;
    ensure!(raw == modified("node.img")? && qcow2.0 != modified("node.qcow2")?.0);
    Ok(())
}

#[test]
fn formats_that_cannot_be_are_refused_before_anything_is_built() -> Test {
    let sandbox = Sandbox::with_fixture(Codec::Gzip)?;
    for (formats, said) in [
        ("qcow2,qcow2-bios", "same name"),
        ("qcow2:zlib,qcow2:zstd", "same name"),
        ("qcow2:zlib:13", "zlib 1 to 12"),
        ("raw:zstd", "there is stored"),
        ("qcow3", "qcow2-efi"),
    ] {
        let call = sandbox.nodeimage("build node.yml --dir out --format")?;
        call.arg(formats).failure()?.says(&[said])?;
        ensure!(!sandbox.path("out").exists(), "{formats}");
    }
    Ok(())
}

#[test]
fn converting_gives_what_building_gives() -> Test {
    let sandbox = Sandbox::with_fixture(Codec::Gzip)?;
    let call = sandbox.nodeimage("build node.yml --dir out --format")?;
    call.arg(all_formats()).success()?;
    let wanted = [DISKS[3], DISKS[4], DISKS[5], DISKS[6], DISKS[7]];
    let formats: Vec<_> = wanted.iter().map(|(name, ..)| *name).collect();
    fs::create_dir_all(sandbox.path("again"))?;
    for from in ["node.img", "node-efi.qcow2", "node.vdi", "node.vhd"] {
        let mut call = sandbox.nodeimage("convert --threads 3 --to")?;
        call = call.arg(formats.join(",")).arg(format!("out/{from}"));
        for (_, file, _) in wanted {
            call = call.arg(format!("again/{file}"));
        }
        call.success()?;
        for (_, file, _) in wanted {
            let (built, again) = (format!("out/{file}"), format!("again/{file}"));
            run(&sandbox, "cmp", &[&built, &again])?;
        }
        ensure!(names(&sandbox.path("again"))?.len() == wanted.len());
    }
    Ok(())
}

#[test]
fn pipes_and_names() -> Test {
    let sandbox = Sandbox::with_fixture(Codec::Gzip)?;
    sandbox
        .nodeimage("build node.yml --format qcow2:zstd,raw,vdi")?
        .success()?;
    let tool = executable()?.display().to_string();
    let script = format!(
        "cat node.qcow2 | {tool} convert - - --to vdi | {tool} convert - --to qcow2:zstd,raw \
         piped.q piped.r && {tool} convert - read.vdi < node.img && {tool} convert node.vdi - \
         --to qcow2:zstd --quiet > out.qcow2"
    );
    run(&sandbox, "sh", &["-ec", &script])?;
    for (one, other) in [
        ("node.qcow2", "piped.q"),
        ("node.qcow2", "out.qcow2"),
        ("node.img", "piped.r"),
        ("node.vdi", "read.vdi"),
    ] {
        run(&sandbox, "cmp", &[one, other])?;
    }
    for (line, said) in [
        ("convert node.img node", "--to"),
        (
            "convert node.img a.vdi b.vdi c.vdi --to vdi,raw",
            "2 formats for 3 files",
        ),
        ("convert node.img - a.vdi --to raw", "no other"),
        ("convert node.img a.vdi ./a.vdi", "would both be written"),
        ("convert node.img none/a.vdi", "none/a.vdi"),
        ("convert none.img a.vdi", "none.img"),
        ("convert node.vdi a.img --from qcow2", "no qcow2 file"),
        ("convert node.img a.img --from qcow3", "qcow3"),
        ("convert . a.img", "not a regular file"),
    ] {
        sandbox.nodeimage(line)?.failure()?.says(&[said])?;
    }
    let json = sandbox.nodeimage("convert node.img - --to raw --json")?;
    ensure!(json.failure()?.text().contains("write to a file"));
    ensure!(!sandbox.path("a.vdi").exists() && !sandbox.path("a.img").exists());
    // A pipe that ends early ends the command quietly.
    let script =
        format!("({tool} convert node.vdi - --to raw; echo $? > code) | head -c 100 > head");
    run(&sandbox, "sh", &["-c", &script])?;
    ensure!(fs::read_to_string(sandbox.path("code"))?.trim() == "141");
    Ok(())
}

#[test]
fn disks_of_others_are_inspected_and_converted() -> Test {
    let sandbox = Sandbox::new()?;
    let qemu = |words: &[&str]| run(&sandbox, "qemu-img", words);
    qemu(&["create", "-q", "-f", "qcow2", "base.qcow2", "64M"])?;
    run(
        &sandbox,
        "qemu-io",
        &["-f", "qcow2", "-c", "write -P 7 1M 3M", "base.qcow2"],
    )?;
    qemu(&[
        "create",
        "-q",
        "-f",
        "qcow2",
        "-b",
        "base.qcow2",
        "-F",
        "qcow2",
        "top.qcow2",
    ])?;
    let shown = sandbox.nodeimage("inspect base.qcow2 --json")?;
    let shown = shown.success()?.event("inspected")?;
    ensure!(shown["format"] == "qcow2" && shown["disk_size"] == 64 << 20);
    ensure!(shown["facts"]["cluster_size"] == "65536" && shown["id"].is_null());
    let refused = sandbox.nodeimage("convert top.qcow2 flat.img")?.failure()?;
    refused.says(&["\"base.qcow2\"", "not allowed"])?;
    sandbox
        .nodeimage("inspect top.qcow2 --verify --backing base.qcow2")?
        .failure()?
        .says(&["no block map"])?;
    sandbox
        .nodeimage("convert top.qcow2 flat.img flat.vdi --backing base.qcow2")?
        .success()?;
    qemu(&["convert", "-O", "raw", "top.qcow2", "qemu.raw"])?;
    run(&sandbox, "cmp", &["flat.img", "qemu.raw"])?;
    qemu(&["compare", "-q", "flat.vdi", "qemu.raw"])
}

#[test]
fn changed_disks_are_found_in_any_format() -> Test {
    let sandbox = Sandbox::with_fixture(Codec::Gzip)?;
    sandbox
        .nodeimage("build node.yml --format qcow2,vdi")?
        .success()?;
    let segments = inspect(&sandbox, "node.qcow2")?["segments"].clone();
    let segments = segments.as_array().context("no segments")?;
    let largest = segments
        .iter()
        .max_by_key(|it| it["size"].as_u64())
        .context("no segment")?;
    // One block that was zero, one that was not.
    let commands = [
        "write -P 9 300M 4k",
        &format!("write -z {} 512k", largest["offset"]),
    ];
    for command in commands {
        let words = ["-f", "qcow2", "-c", command, "node.qcow2"];
        run(&sandbox, "qemu-io", &words)?;
    }
    let found = sandbox
        .nodeimage("inspect --verify node.qcow2")?
        .failure()?;
    found.says(&["2 blocks", "changed or damaged"])?;
    sandbox.nodeimage("inspect --verify node.vdi")?.success()?;
    let vdi = sandbox.path("node.vdi");
    let file = fs::File::options().write(true).open(&vdi)?;
    file.set_len(fs::metadata(&vdi)?.len() / 2)?;
    let cut = sandbox.nodeimage("inspect --verify node.vdi")?.failure()?;
    cut.says(&["vdi: at byte", "outside the file"])
}
