//! `nodeimage build`, `lock` and `inspect` on the example, as a user types them.

use std::path::Path;

use acceptance_tests::cli::{Sandbox, example, names};
use acceptance_tests::{fixture, tool};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

type Test = Result<()>;

fn fixture() -> Result<Sandbox> {
    Sandbox::with_fixture(fixture::Codec::Gzip)
}

#[test]
fn lock_then_build_then_build_again_then_inspect() -> Test {
    let sandbox = Sandbox::with_example()?;
    let missing = sandbox.nodeimage("lock --check node.yml")?.failure()?;
    missing.says(&["node.lock", "nodeimage lock"])?;

    sandbox.nodeimage("lock node.yml")?.success()?;
    sandbox.nodeimage("lock --check node.yml")?.success()?;
    let lock = std::fs::read(sandbox.path("node.lock"))?;
    sandbox.nodeimage("lock node.yml")?.success()?;
    ensure!(
        lock == std::fs::read(sandbox.path("node.lock"))?,
        "locking again changed the lock"
    );

    let cold = sandbox.build("out")?;
    let warm = sandbox.nodeimage("build --json --sha256 --offline node.yml --dir out")?;
    let warm = warm.success()?;
    let layers = warm.events()?.into_iter().filter(|event| {
        let item = event["item"].as_str().unwrap_or_default();
        item.contains("layer")
    });
    ensure!(layers.count() == 0, "a warm build read layers again");
    for key in ["id", "disk_digest", "files", "images", "disk_size"] {
        ensure!(cold[key] == warm.event("built")?[key], "{key} differs");
    }

    let inspected = sandbox.nodeimage("inspect --verify --json out/node.img")?;
    let inspected = inspected.success()?.event("inspected")?;
    ensure!(inspected["id"] == cold["id"]);
    ensure!(inspected["disk_digest"] == cold["disk_digest"]);
    ensure!(inspected["wrong_blocks"] == 0);
    ensure!(inspected["cmdline"] == "console=ttyS0 console=tty0");
    sandbox.check_store()
}

#[test]
fn a_changed_byte_of_a_disk_is_found() -> Test {
    use std::io::{Read, Seek, SeekFrom, Write};
    let sandbox = fixture()?;
    sandbox.build("out")?;
    let mut disk = std::fs::File::options()
        .read(true)
        .write(true)
        .open(sandbox.path("out/node.img"))?;
    // Inside the ESP, in a block that was all zeros, and in one that was not.
    for offset in [200 << 20, (8 << 20) + 3] {
        let mut byte = [0];
        disk.seek(SeekFrom::Start(offset))?;
        disk.read_exact(&mut byte)?;
        disk.seek(SeekFrom::Start(offset))?;
        disk.write_all(&[byte[0] ^ 1])?;
    }
    let found = sandbox
        .nodeimage("inspect --verify out/node.img")?
        .failure()?;
    found.says(&["2 blocks", "changed or damaged"])
}

#[test]
fn json_lines_have_a_schema_and_say_what_was_made() -> Test {
    let sandbox = Sandbox::with_example()?;
    let built = sandbox.nodeimage("build --json --format raw,tar,kernel+initrd node.yml")?;
    let built = built.success()?;
    let kinds: Vec<String> = built
        .events()?
        .iter()
        .map(|event| event["event"].as_str().unwrap_or_default().to_owned())
        .collect();
    ensure!(
        kinds.first().is_some_and(|kind| kind == "unpinned"),
        "{kinds:?}"
    );
    ensure!(
        kinds.last().is_some_and(|kind| kind == "built"),
        "{kinds:?}"
    );
    ensure!(built.stderr.is_empty(), "{}", built.stderr);
    let files = built.event("built")?["files"].clone();
    let files = files.as_array().context("no files")?;
    let made: Vec<_> = files
        .iter()
        .map(|file| (file["format"].clone(), file["path"].clone()))
        .collect();
    ensure!(
        json!(made)
            == json!([
                ["raw", "./node.img"],
                ["tar", "./node.tar"],
                ["kernel+initrd", "./node-kernel"],
                ["kernel+initrd", "./node-initrd.img"],
                ["kernel+initrd", "./node-cmdline"],
            ]),
        "{made:?}"
    );
    for file in files {
        let path = file["path"].as_str().context("no path")?;
        let len = std::fs::metadata(sandbox.path(path))?.len();
        ensure!(file["size"] == len, "{file} has {len} bytes");
    }
    Ok(())
}

#[test]
fn standard_input_is_a_spec_named_moby() -> Test {
    let sandbox = Sandbox::with_example()?;
    let from_file = sandbox.build("out")?;
    let call = sandbox.nodeimage("build --json --config nodeimage.toml --dir piped -")?;
    let piped = call.stdin(example()?).success()?.event("built")?;
    ensure!(piped["id"] == from_file["id"]);
    ensure!(names(&sandbox.path("piped"))? == ["moby.img"]);
    Ok(())
}

#[test]
fn several_files_are_merged_and_the_last_names_the_output() -> Test {
    let sandbox = fixture()?;
    let whole = sandbox.build("whole")?;
    let (first, second) = fixture::MACHINE
        .split_once("services:")
        .context("no services")?;
    sandbox.write("a.yml", first)?;
    sandbox.write("b.yml", format!("services:{second}"))?;
    let call = sandbox.nodeimage("build --json a.yml b.yml --dir merged")?;
    let merged = call.success()?.event("built")?;
    ensure!(merged["id"] == whole["id"]);
    ensure!(names(&sandbox.path("merged"))? == ["b.img"]);
    Ok(())
}

#[test]
fn dir_and_name_say_where_files_go() -> Test {
    let sandbox = fixture()?;
    let call = sandbox.nodeimage("build node.yml --format kernel+initrd --dir a/b --name x.y")?;
    call.success()?;
    ensure!(
        names(&sandbox.path("a/b"))? == ["x.y-cmdline", "x.y-initrd.img", "x.y-kernel"],
        "{:?}",
        names(&sandbox.path("a/b"))?
    );
    let outside = sandbox.nodeimage("build node.yml --name ../x")?.failure()?;
    outside.says(&["../x", "--dir"])
}

#[test]
fn unknown_formats_are_named_all_at_once() -> Test {
    let sandbox = fixture()?;
    let call = sandbox.nodeimage("build node.yml -f rawr -f tar,zip")?;
    call.failure()?
        .says(&["`rawr`", "`zip`", "raw, tar, kernel+initrd"])?;
    ensure!(!sandbox.path("node.tar").exists());
    Ok(())
}

#[test]
fn two_services_of_one_name_are_refused_with_both_places() -> Test {
    let sandbox = Sandbox::new()?;
    sandbox.write(
        "two.yml",
        "services:\n  - {name: a, image: x:1}\n  - {name: a, image: y:1}\n",
    )?;
    let refused = sandbox.nodeimage("build two.yml")?.failure()?;
    refused.says(&["two.yml:3:", "`a`", "services[0]"])
}

#[test]
fn every_fault_of_a_file_is_told_at_once() -> Test {
    let sandbox = Sandbox::new()?;
    sandbox.write(
        "bad.yml",
        "kernel:\n  imagee: foo\n  cmdline: [1]\ninit: notalist\nservices:\n  - name: a\n    \
         imag: b\n    readonly: \"maybe\"\nfiles:\n  - path: x\n    contents: y\n    mode: 0644\n",
    )?;
    let failed = sandbox.nodeimage("build bad.yml")?.failure()?;
    ensure!(failed.stdout.is_empty(), "{}", failed.stdout);
    insta::assert_snapshot!("every_fault", failed.stderr);

    let json = sandbox.nodeimage("build --json bad.yml")?.failure()?;
    let event = json.event("error")?;
    let faults = event["faults"].as_array().context("no faults")?;
    ensure!(faults.len() == failed.stderr.matches("error: ").count());
    for fault in faults {
        let place = &fault["place"];
        ensure!(place["name"] == "bad.yml" && place["line"].is_u64() && place["column"].is_u64());
    }
    Ok(())
}

#[test]
fn a_missing_image_is_told_with_its_source_and_what_to_do() -> Test {
    let sandbox = fixture()?;
    let yaml = fixture::MACHINE
        .replace("fixture.example/web:1", "fixture.example/web:2")
        .replace("fixture.example/once:1", "fixture.example/nonce:1");
    sandbox.write("node.yml", yaml)?;
    let failed = sandbox.nodeimage("build node.yml")?.failure()?;
    failed.says(&["fixture.example/web:2", "fixture.example/nonce:1", "images"])?;
    ensure!(
        failed.stderr.contains("nodeimage.toml") || failed.stderr.contains("check"),
        "it does not say what to do: {}",
        failed.stderr
    );
    ensure!(!sandbox.path("node.img").exists());
    Ok(())
}

#[test]
fn an_interrupted_build_leaves_no_half_file() -> Test {
    let sandbox = Sandbox::with_example()?;
    sandbox.nodeimage("lock node.yml")?.success()?;
    let mut interrupted = 0;
    for delay in [100, 300, 600, 900] {
        let running = sandbox
            .nodeimage("build node.yml --format tar,raw,kernel+initrd --dir out")?
            .start()?;
        std::thread::sleep(std::time::Duration::from_millis(delay));
        if running.interrupt().is_ok() {
            let done = running.wait()?;
            if done.status.code() == Some(130) {
                interrupted += 1;
                ensure!(done.stderr.contains("run it again"), "{}", done.stderr);
            } else {
                ensure!(done.status.success(), "{:?}: {}", done.status, done.stderr);
            }
        }
        let out = sandbox.path("out");
        if out.exists() {
            let whole = [
                "node-cmdline",
                "node-initrd.img",
                "node-kernel",
                "node.img",
                "node.tar",
            ];
            for name in names(&out)? {
                ensure!(whole.contains(&name.as_str()), "{name} was left");
            }
        }
        sandbox.check_store()?;
    }
    ensure!(interrupted > 0, "no build was interrupted in time");
    sandbox.build("out")?;
    sandbox
        .nodeimage("inspect --verify out/node.img")?
        .success()?;
    Ok(())
}

/// LinuxKit's places, as GNU tar sees them.
#[test]
fn the_tar_is_laid_out_as_linuxkits() -> Test {
    let sandbox = Sandbox::with_example()?;
    sandbox
        .nodeimage("build node.yml --format tar")?
        .success()?;
    std::fs::create_dir(sandbox.path("root"))?;
    let extract = "-xf node.tar -C root --warning=no-unknown-keyword --no-same-owner --exclude=dev";
    let words: Vec<_> = extract.split(' ').collect();
    tool::run(sandbox.dir(), "tar", &words)?;
    let root = sandbox.path("root");
    check_root(&root)?;
    let cmdline = std::fs::read_to_string(root.join("boot/cmdline"))?;
    ensure!(cmdline == "console=ttyS0 console=tty0");
    ensure!(root.join("boot/kernel").is_file());
    Ok(())
}

/// The kernel unpacks what zstd and cpio unpack here.
#[test]
fn the_initrd_unpacks_with_zstd_and_cpio() -> Test {
    let sandbox = Sandbox::with_example()?;
    let build = "build node.yml --format kernel+initrd";
    sandbox.nodeimage(build)?.success()?;
    std::fs::create_dir(sandbox.path("root"))?;
    let initrd = std::fs::read(sandbox.path("node-initrd.img"))?;
    let mut segments = 0;
    for (at, frame) in frames(&initrd)? {
        let name = format!("segment-{at}");
        sandbox.write(&format!("{name}.zst"), frame)?;
        let zst = format!("{name}.zst");
        tool::run(sandbox.dir(), "zstd", &["-dq", &zst])?;
        let script = format!("cd root && cpio -idu --quiet --no-absolute-filenames < ../{name}");
        tool::run(sandbox.dir(), "sh", &["-c", &script])?;
        segments += 1;
    }
    ensure!(segments >= 5, "only {segments} segments");
    let root = sandbox.path("root");
    check_root(&root)?;
    ensure!(
        root.join("etc/nodeimage/id").is_file(),
        "no id for our init"
    );
    Ok(())
}

fn check_root(root: &Path) -> Result<()> {
    for path in [
        "init",
        "usr/bin/runc",
        "containers/onboot/000-sysctl/config.json",
        "containers/onboot/001-dhcp/config.json",
        "containers/services/nginx/config.json",
        "containers/services/nginx/runtime.json",
        "containers/services/dhcp-renew/config.json",
        "srv/www/index.html",
        "lib/modules",
    ] {
        let there = root.join(path).symlink_metadata().is_ok();
        ensure!(there, "there is no {path}");
    }
    let service = root.join("containers/services/nginx");
    let config: Value = serde_json::from_slice(&std::fs::read(service.join("config.json"))?)?;
    let place = config["root"]["path"].as_str().context("no root")?;
    ensure!(
        service.join(place).is_dir() || place == "rootfs",
        "root is {place}"
    );
    let lower = if service.join("lower").is_dir() {
        "lower"
    } else {
        "rootfs"
    };
    ensure!(
        service.join(lower).join("usr/sbin/nginx").exists(),
        "no nginx in {lower}"
    );
    ensure!(
        config["mounts"]
            .to_string()
            .contains("/usr/share/nginx/html")
    );
    Ok(())
}

/// The zstd frames of an initrd and where they begin; zeros between them are skipped.
fn frames(initrd: &[u8]) -> Result<Vec<(usize, &[u8])>> {
    const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
    let mut frames = Vec::new();
    let mut at = 0;
    while let Some(rest) = initrd.get(at..).filter(|rest| !rest.is_empty()) {
        if rest[0] == 0 {
            at += 1;
            continue;
        }
        ensure!(rest.starts_with(&MAGIC), "no zstd frame at {at}");
        let len = zstd::zstd_safe::find_frame_compressed_size(rest)
            .map_err(|code| anyhow::anyhow!("frame at {at}: {code}"))?;
        frames.push((at, &rest[..len]));
        at += len;
    }
    Ok(frames)
}
