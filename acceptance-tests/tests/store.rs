//! The store survives what happens to it: kills, company, full disks, damage, eviction.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use acceptance_tests::cli::{Sandbox, names};
use acceptance_tests::fixture::Codec;
use acceptance_tests::small_disk::SmallDisk;
use anyhow::{Context, Result, ensure};
use serde_json::Value;

type Test = Result<()>;

fn digest(sandbox: &Sandbox) -> Result<Value> {
    Ok(sandbox.build("out")?["disk_digest"].clone())
}

fn bytes(sandbox: &Sandbox) -> Result<u64> {
    let shown = sandbox.nodeimage("cache show --json")?.success()?;
    shown.event("cache")?["bytes"].as_u64().context("no bytes")
}

#[test]
fn a_build_killed_at_any_moment_is_finished_by_the_next() -> Test {
    let sandbox = Sandbox::with_example()?;
    sandbox.nodeimage("lock node.yml")?.success()?;
    let expected = digest(&sandbox)?;
    std::fs::remove_dir_all(sandbox.path("out"))?;
    let mut killed = 0;
    for delay in [20, 60, 120, 250, 400, 550, 700, 850, 1000, 1200] {
        // Every other one begins with nothing: so that both first and later steps are hit.
        if killed % 2 == 0 {
            std::fs::remove_dir_all(sandbox.store())?;
        }
        let mut running = sandbox.nodeimage("build node.yml --dir out")?.start()?;
        std::thread::sleep(Duration::from_millis(delay));
        running.kill()?;
        let done = running.wait()?;
        killed += i32::from(done.signal() == Some(9));
        ensure!(
            done.signal() == Some(9) || done.status.success(),
            "{}",
            done.text()
        );
        sandbox.check_store()?;
    }
    ensure!(killed >= 4, "only {killed} were killed in time");
    ensure!(
        digest(&sandbox)? == expected,
        "another disk after the kills"
    );
    sandbox.check_store()?;
    ensure!(
        names(&sandbox.path("out"))? == ["node.img"],
        "{:?}",
        names(&sandbox.path("out"))?
    );
    sandbox
        .nodeimage("inspect --verify out/node.img")?
        .success()?;
    Ok(())
}

#[test]
fn five_at_once_build_everything_once_and_agree() -> Test {
    let sandbox = Sandbox::with_example()?;
    sandbox.nodeimage("lock node.yml")?.success()?;
    std::fs::remove_dir_all(sandbox.store())?;
    let mut running = Vec::new();
    for number in 0..5 {
        let call = sandbox.nodeimage("build --json node.yml --dir")?;
        running.push(call.arg(format!("out{number}")).start()?);
    }
    let mut disks = Vec::new();
    let mut layers = Vec::new();
    for process in running {
        let done = process.wait()?;
        ensure!(done.status.success(), "{}", done.text());
        disks.push(done.event("built")?["disk_digest"].clone());
        for event in done.events()? {
            let item = event["item"].as_str().unwrap_or_default();
            if event["event"] == "started" && item.contains("layer") {
                layers.push(item.to_owned());
            }
        }
    }
    ensure!(disks.windows(2).all(|pair| pair[0] == pair[1]), "{disks:?}");
    layers.sort();
    let count = layers.len();
    layers.dedup();
    ensure!(
        count == layers.len() && count > 0,
        "layers were read twice: {count} {layers:?}"
    );
    sandbox.check_store()
}

#[test]
fn a_full_store_is_told_and_room_is_all_it_needs() -> Test {
    let disk = SmallDisk::new(24)?;
    let sandbox = Sandbox::with_fixture(Codec::Gzip)?;
    let expected = digest(&sandbox)?;
    let cache = disk.path().join("store");
    for spare in [0, 300_000, 1_500_000] {
        let filler = disk.fill(spare)?;
        let call = sandbox.nodeimage("build node.yml --dir full --cache")?;
        let failed = call.arg(&cache).failure()?;
        failed.says(&["the disk is full", &cache.display().to_string()])?;
        ensure!(!sandbox.path("full/node.img").exists());
        std::fs::remove_file(filler)?;
        ensure!(no_leftovers(&cache)?, "left in a full store");
    }
    let call = sandbox.nodeimage("build --json node.yml --dir roomy --cache")?;
    let built = call.arg(&cache).success()?.event("built")?;
    ensure!(built["disk_digest"] == expected);
    let call = sandbox.nodeimage("cache verify --json --cache")?;
    let verified = call.arg(&cache).success()?.event("cache-verified")?;
    ensure!(verified["removed"] == serde_json::json!([]), "{verified}");
    Ok(())
}

#[test]
fn a_full_output_directory_is_told_and_left_as_it_was() -> Test {
    let disk = SmallDisk::new(24)?;
    let sandbox = Sandbox::with_fixture(Codec::Gzip)?;
    let expected = digest(&sandbox)?;
    let out = disk.path().join("out");
    std::fs::create_dir(&out)?;
    std::fs::write(out.join("node.img"), "an older disk")?;
    let filler = disk.fill(500_000)?;
    for format in ["raw", "tar", "kernel+initrd"] {
        let call = sandbox.nodeimage("build node.yml --format")?;
        let failed = call.arg(format).arg("--dir").arg(&out).failure()?;
        failed.says(&["No space left on device", &out.display().to_string()])?;
        let left = names(&out)?;
        // A kernel may be whole where the initrd had no room.
        let whole = |name: &String| ["node.img", "node-kernel"].contains(&name.as_str());
        ensure!(left.iter().all(whole), "{format} left {left:?}");
        ensure!(std::fs::read(out.join("node.img"))? == b"an older disk");
    }
    std::fs::remove_file(filler)?;
    let call = sandbox.nodeimage("build --json node.yml --dir")?;
    let built = call.arg(&out).success()?.event("built")?;
    ensure!(built["disk_digest"] == expected);
    Ok(())
}

#[test]
fn damage_is_noticed_and_repaired_whatever_the_format() -> Test {
    let sandbox = Sandbox::with_fixture(Codec::Gzip)?;
    sandbox.nodeimage("lock node.yml")?.success()?;
    let formats = ["raw", "tar", "kernel+initrd"];
    let build = |format: &str| -> Result<Vec<Vec<u8>>> {
        let out = sandbox.path("out");
        std::fs::remove_dir_all(&out).ok();
        let call = sandbox.nodeimage("build node.yml --dir out --format")?;
        call.arg(format).success()?;
        let files = names(&out)?;
        files
            .iter()
            .map(|name| Ok(std::fs::read(out.join(name))?))
            .collect()
    };
    for format in formats {
        let good = build(format)?;
        for bucket in ["segments-v1", "images-v1", "layers-v1", "manifests-v1"] {
            let dir = sandbox.store().join(bucket);
            for name in names(&dir)? {
                flip_first_byte(&dir.join(name))?;
            }
            let again = build(format).with_context(|| format!("{format}, {bucket}"))?;
            ensure!(
                again == good,
                "{format}: damage in {bucket} reached the output"
            );
        }
    }
    // What no build has read is found by looking.
    sandbox.nodeimage("cache verify")?.success()?;
    sandbox.check_store()
}

#[test]
fn a_truncated_or_foreign_entry_is_no_entry() -> Test {
    let sandbox = Sandbox::with_fixture(Codec::Gzip)?;
    let expected = digest(&sandbox)?;
    for bucket in ["segments-v1", "images-v1", "layers-v1", "manifests-v1"] {
        let dir = sandbox.store().join(bucket);
        for (index, name) in names(&dir)?.iter().enumerate() {
            let path = dir.join(name);
            let len = std::fs::metadata(&path)?.len();
            match index % 3 {
                0 => File::options().write(true).open(&path)?.set_len(len / 2)?,
                1 => std::fs::write(&path, b"")?,
                _ => std::fs::write(&path, vec![0xff; 4096])?,
            }
        }
        ensure!(digest(&sandbox)? == expected, "{bucket}");
    }
    // No build needs the layers again: they are found by looking.
    let verified = sandbox.nodeimage("cache verify --json")?.success()?;
    let removed = verified.event("cache-verified")?["removed"].clone();
    ensure!(
        removed.as_array().is_some_and(|list| !list.is_empty()),
        "{removed}"
    );
    sandbox.check_store()
}

#[test]
fn pruning_keeps_to_a_size_and_costs_only_time() -> Test {
    let sandbox = Sandbox::with_fixture(Codec::Gzip)?;
    let expected = digest(&sandbox)?;
    let full = bytes(&sandbox)?;
    ensure!(full > 2_000_000, "{full}");
    let pruned = sandbox.nodeimage("cache prune --to 1M --json")?.success()?;
    let removed = pruned.event("cache-pruned")?["removed"]
        .as_u64()
        .context("no size")?;
    let left = bytes(&sandbox)?;
    ensure!(
        left <= 1 << 20 && left + removed == full,
        "{full} - {removed} = {left}"
    );
    ensure!(digest(&sandbox)? == expected);

    sandbox.nodeimage("cache prune")?.success()?;
    ensure!(bytes(&sandbox)? == 0);
    ensure!(digest(&sandbox)? == expected);
    sandbox
        .nodeimage("cache prune --to many")?
        .failure()?
        .says(&["many"])?;
    sandbox.check_store()
}

#[test]
fn pruning_during_a_build_does_not_disturb_it() -> Test {
    let sandbox = Sandbox::with_example()?;
    let expected = digest(&sandbox)?;
    std::fs::remove_dir_all(sandbox.store())?;
    let running = sandbox
        .nodeimage("build --json node.yml --dir out")?
        .start()?;
    for _ in 0..10 {
        sandbox.nodeimage("cache prune")?.success()?;
        std::thread::sleep(Duration::from_millis(50));
    }
    let done = running.wait()?;
    ensure!(done.status.success(), "{}", done.text());
    ensure!(done.event("built")?["disk_digest"] == expected);
    sandbox.check_store()
}

fn flip_first_byte(path: &Path) -> Test {
    let file = File::options().read(true).write(true).open(path)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, 0)?;
    file.write_all_at(&[byte[0] ^ 0x40], 0)?;
    Ok(())
}

/// Whether nothing is left of writers that have ended.
fn no_leftovers(store: &Path) -> Result<bool> {
    for name in ["tmp", "locks", "leases"] {
        let dir = store.join(name);
        if dir.is_dir() && !names(&dir)?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}
