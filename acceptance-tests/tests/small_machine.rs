//! The example on a machine with 1 GiB of memory and a disk of 2 GiB.

use acceptance_tests::cli::Sandbox;
use acceptance_tests::group::MemoryGroup;
use acceptance_tests::small_disk::SmallDisk;
use anyhow::{Result, ensure};

#[test]
fn the_example_builds_in_1_gib_of_memory_and_2_gib_of_disk() -> Result<()> {
    let sandbox = Sandbox::with_example()?;
    let expected = sandbox.build("out")?["disk_digest"].clone();
    // The disk is in memory and counts as such: less is left than on a machine with a real one.
    let disk = SmallDisk::new(2048)?;
    let group = MemoryGroup::new(1 << 30)?;
    let call = sandbox
        .nodeimage("build --json --sha256 node.yml --format raw,tar,kernel+initrd --cache")?
        .arg(disk.path().join("store"))
        .arg("--dir")
        .arg(disk.path().join("out"))
        .env("TMPDIR", disk.path());
    let done = call.after(&group.enter()).success()?;
    ensure!(done.event("built")?["disk_digest"] == expected);
    ensure!(done.peak < 256 << 20, "it held {} bytes", done.peak);
    ensure!(group.peak()? > 100 << 20, "the group saw nothing of it");
    Ok(())
}
