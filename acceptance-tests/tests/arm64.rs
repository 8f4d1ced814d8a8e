//! arm64, built on this machine, whatever it is: the disk's parts, and a boot.

use std::time::Duration;

use acceptance_tests::cli::{Sandbox, example};
use acceptance_tests::machine::{Boot, Firmware, Machine};
use acceptance_tests::tool;
use anyhow::{Context, Result, ensure};

type Test = Result<()>;

const BOOT: Duration = Duration::from_secs(280);
const SOON: Duration = Duration::from_secs(60);

/// Where the ESP begins, in bytes.
const ESP: usize = 8 << 20;
const LOADER: &str = "::/EFI/BOOT/BOOTAA64.EFI";

/// The example, for a machine whose serial port is a PL011.
fn sandbox() -> Result<Sandbox> {
    let sandbox = Sandbox::with_example()?;
    let yaml = example()?.replace("console=ttyS0", "console=ttyAMA0");
    ensure!(yaml.contains("ttyAMA0"), "the example has another console");
    sandbox.write("node.yml", yaml)?;
    let built = sandbox
        .nodeimage("build --json --arch arm64 node.yml --dir out")?
        .success()?;
    ensure!(built.stderr.is_empty(), "{}", built.stderr);
    Ok(sandbox)
}

/// The number of `width` bytes at an offset, little-endian.
fn number(bytes: &[u8], at: usize, width: usize) -> Result<usize> {
    let field = bytes.get(at..at + width).context("the file is cut off")?;
    let digits = field.iter().rev();
    Ok(digits.fold(0, |sum, digit| sum << 8 | usize::from(*digit)))
}

/// Names and contents of the sections of a PE file (Microsoft's PE format).
fn sections(pe: &[u8]) -> Result<Vec<(String, &[u8])>> {
    let header = number(pe, 0x3c, 4)?;
    ensure!(pe.get(header..header + 4) == Some(b"PE\0\0"), "no PE file");
    let count = number(pe, header + 6, 2)?;
    let table = header + 24 + number(pe, header + 20, 2)?;
    let mut sections = Vec::new();
    for entry in (0..count).map(|index| table + 40 * index) {
        let name = pe.get(entry..entry + 8).context("a cut section table")?;
        let name = String::from_utf8_lossy(name)
            .trim_end_matches('\0')
            .to_owned();
        let (len, start) = (number(pe, entry + 8, 4)?, number(pe, entry + 20, 4)?);
        let raw = number(pe, entry + 16, 4)?;
        let content = pe.get(start..start + len.min(raw));
        sections.push((name, content.context("a section outside the file")?));
    }
    Ok(sections)
}

#[test]
fn the_disk_has_an_arm64_uki_and_nothing_for_a_bios() -> Test {
    let sandbox = sandbox()?;
    let dir = sandbox.path("out");
    let partitions = tool::run(&dir, "sgdisk", &["--print", "node.img"])?;
    let partitions = String::from_utf8(partitions)?;
    ensure!(partitions.contains("EF00"), "no ESP: {partitions}");
    ensure!(
        !partitions.contains("EF02"),
        "a BIOS boot partition: {partitions}"
    );
    let verified = String::from_utf8(tool::run(&dir, "sgdisk", &["--verify", "node.img"])?)?;
    ensure!(verified.contains("No problems found"), "{verified}");

    let disk = std::fs::File::open(dir.join("node.img"))?;
    let mut boot_code = vec![0; 440];
    std::os::unix::fs::FileExt::read_exact_at(&disk, &mut boot_code, 0)?;
    ensure!(
        boot_code.iter().all(|byte| *byte == 0),
        "boot code in the MBR"
    );
    let mut core = vec![0; 1 << 20];
    std::os::unix::fs::FileExt::read_exact_at(&disk, &mut core, 4 << 20)?;
    ensure!(core.iter().all(|byte| *byte == 0), "GRUB's core at 4 MiB");

    let esp = format!("node.img@@{ESP}");
    let listed = tool::run(&dir, "mdir", &["-b", "-/", "-i", &esp, "::/"])?;
    let listed = String::from_utf8(listed)?;
    let files: Vec<&str> = listed.lines().filter(|line| !line.ends_with('/')).collect();
    ensure!(files == [LOADER], "{files:?}");
    let uki = tool::run(&dir, "mtype", &["-i", &esp, LOADER])?;
    let machine = number(&uki, number(&uki, 0x3c, 4)? + 4, 2)?;
    ensure!(machine == 0xaa64, "the UKI is for machine {machine:#x}");
    let sections = sections(&uki)?;
    let section = |name: &str| {
        let found = sections.iter().find(|(it, _)| it == name);
        found
            .map(|(_, content)| *content)
            .context(format!("no section {name}"))
    };
    // An arm64 Image has this at 56 (the kernel's booting.rst).
    let kernel = section(".linux")?;
    ensure!(
        kernel.get(56..60) == Some(b"ARM\x64"),
        "the kernel is not arm64's"
    );
    ensure!(section(".cmdline")? == b"console=ttyAMA0 console=tty0");
    Ok(())
}

#[test]
fn an_arm64_machine_boots_the_disk_and_serves_a_page() -> Test {
    let sandbox = sandbox()?;
    let boot = Boot {
        forward: vec![80],
        ..Boot::raw_disk(sandbox.path("out/node.img"), Firmware::Aavmf)
    };
    let mut machine = Machine::boot_until(&boot, "nodeimage: nginx is running", BOOT)?;
    let page = machine.http_get(80, "/", SOON)?;
    ensure!(page.status == 200, "{}", page.status);
    ensure!(page.body.contains("nodeimage"), "{}", page.body);
    machine.power_button()?;
    machine.wait_for("nodeimage: done", SOON)?;
    machine.wait_for_end(SOON)
}
