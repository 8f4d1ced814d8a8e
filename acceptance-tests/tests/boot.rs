//! The example boots: on both firmwares, from several buses, without a disk, with either runtime.
//!
//! A boot takes some seconds of processor time in emulation, so there are few, each showing several
//! things.

use std::path::Path;
use std::time::Duration;

use acceptance_tests::cli::{Sandbox, example};
use acceptance_tests::machine::{Boot, Bus, Direct, Firmware, Machine};
use anyhow::{Context, Result, ensure};

type Test = Result<()>;

const NGINX: &str = "nodeimage: nginx is running";
const BOOT: Duration = Duration::from_secs(240);
const SOON: Duration = Duration::from_secs(60);

/// Boots until nginx runs.
fn boot_to_nginx(boot: &Boot) -> Result<Machine> {
    Machine::boot_until(boot, NGINX, BOOT)
}

/// Fetches nginx's page.
fn serves(machine: &mut Machine) -> Test {
    let page = machine.http_get(80, "/", SOON)?;
    ensure!(page.status == 200, "{}", page.status);
    ensure!(page.body.contains("nodeimage"), "{}", page.body);
    Ok(())
}

fn disk(sandbox: &Sandbox) -> Result<std::path::PathBuf> {
    sandbox.build("out")?;
    Ok(sandbox.path("out/node.img"))
}

/// The files of `kernel+initrd` as QEMU loads them.
fn direct(dir: &Path) -> Result<Boot> {
    Ok(Boot {
        direct: Some(Direct {
            kernel: dir.join("node-kernel"),
            initrd: dir.join("node-initrd.img"),
            append: std::fs::read_to_string(dir.join("node-cmdline"))?,
        }),
        forward: vec![80],
        ..Boot::default()
    })
}

#[test]
fn bios_boots_the_disk_and_the_power_button_ends_it_cleanly() -> Test {
    let sandbox = Sandbox::with_example()?;
    // What is written to the serial port is all that a machine leaves behind.
    let goodbye = "onshutdown:\n  - name: goodbye\n    image: ghcr.io/nodeimage/busybox:1.35\n    \
                   command: [\"/bin/sh\", \"-c\", \"echo goodbye from onshutdown > /dev/ttyS0\"]\n    \
                   binds: [\"/dev:/dev\"]\n    capabilities: [all]\n    devices:\n      \
                   - {path: all, type: c}\n";
    sandbox.write("node.yml", format!("{}{goodbye}", example()?))?;
    let boot = Boot {
        forward: vec![80],
        ..Boot::raw_disk(disk(&sandbox)?, Firmware::SeaBios)
    };
    let mut machine = boot_to_nginx(&boot)?;
    serves(&mut machine)?;
    ensure!(!machine.console_has("goodbye from onshutdown"));
    machine.power_button()?;
    machine.wait_for("goodbye from onshutdown", SOON)?;
    machine.wait_for("nodeimage: done", SOON)?;
    machine.wait_for_end(SOON)
}

#[test]
fn uefi_boots_the_disk() -> Test {
    let sandbox = Sandbox::with_example()?;
    let boot = Boot {
        forward: vec![80],
        ..Boot::raw_disk(disk(&sandbox)?, Firmware::Ovmf)
    };
    serves(&mut boot_to_nginx(&boot)?)
}

#[test]
fn uefi_boots_the_disk_on_nvme() -> Test {
    let sandbox = Sandbox::with_example()?;
    let mut boot = Boot {
        forward: vec![80],
        ..Boot::raw_disk(disk(&sandbox)?, Firmware::Ovmf)
    };
    boot.disk.as_mut().context("no disk")?.bus = Bus::Nvme;
    serves(&mut boot_to_nginx(&boot)?)
}

#[test]
fn a_failing_onboot_container_is_reported_and_the_boot_goes_on() -> Test {
    let sandbox = Sandbox::with_example()?;
    let failing = "onboot:\n  - name: broken\n    image: ghcr.io/nodeimage/busybox:1.35\n    \
                   command: [\"/bin/false\"]\n";
    sandbox.write("node.yml", example()?.replace("onboot:\n", failing))?;
    let build = "build node.yml --format kernel+initrd --dir out";
    sandbox.nodeimage(build)?.success()?;
    let mut machine = boot_to_nginx(&direct(&sandbox.path("out"))?)?;
    machine.wait_for("nodeimage: onboot 000-broken failed", SOON)?;
    serves(&mut machine)
}

#[test]
fn crun_runs_the_containers_as_well() -> Test {
    let sandbox = Sandbox::with_example()?;
    let yaml = example()?.replace("runc:1.1", "crun:1.8");
    ensure!(yaml.contains("crun:1.8"));
    sandbox.write("node.yml", yaml)?;
    let build = "build node.yml --format kernel+initrd --dir out";
    sandbox.nodeimage(build)?.success()?;
    serves(&mut boot_to_nginx(&direct(&sandbox.path("out"))?)?)
}
