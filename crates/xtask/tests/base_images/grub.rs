//! The boot image's BIOS parts, on the smallest disk and CD that use them as
//! the builder does: a constant core that finds a generated configuration,
//! which finds kernel and initrd by block lists.

use std::path::PathBuf;
use std::time::Duration;

use acceptance_tests::machine::{Boot, Firmware, Machine};
use tempfile::TempDir;
use xtask::setup::{self, Need};

use crate::layout::{Tree, file};
use crate::{initrd, shared, tree};

const SECTOR: usize = 512;
/// Where the core looks for its configuration.
const CONFIGURATION: usize = 9216;
const KERNEL: usize = 16384;
const SCRIPT: &str = "#!/bin/sh\nmount -t proc proc /proc\n\
    echo \"test: up with $(cat /proc/cmdline)\" >/dev/console\npoweroff -f\n";

/// A disk (or CD) in memory, with kernel, initrd and configuration in place.
fn medium(boot_device: &str) -> (Vec<u8>, Tree) {
    let made = shared();
    let mut cpio = Vec::new();
    initrd::add(&mut cpio, "", &tree(&made.layout, "busybox:1.35"));
    initrd::entry(&mut cpio, "proc", 0o40755, b"");
    initrd::entry(&mut cpio, "init", 0o100_755, SCRIPT.as_bytes());
    initrd::end(&mut cpio);
    let images = tree(&made.layout, "kernel:6.1");
    let kernel = file(&images, "kernel");
    let sectors = |bytes: &[u8]| bytes.len().div_ceil(SECTOR);
    let initrd_at = (KERNEL + sectors(kernel)).next_multiple_of(8);
    let configuration = format!(
        "linux ({boot_device}){KERNEL}+{} console=ttyS0 panic=-1 by=grub\n\
         initrd ({boot_device}){initrd_at}+{}\nboot\n",
        sectors(kernel),
        sectors(&cpio),
    );
    let mut medium = vec![0; (initrd_at + sectors(&cpio)).next_multiple_of(2048) * SECTOR];
    put(&mut medium, CONFIGURATION * SECTOR, &[b'\n'; 32 * SECTOR]);
    put(
        &mut medium,
        CONFIGURATION * SECTOR,
        configuration.as_bytes(),
    );
    put(&mut medium, KERNEL * SECTOR, kernel);
    put(&mut medium, initrd_at * SECTOR, &cpio);
    (medium, tree(&made.layout, "boot:1"))
}

fn put(medium: &mut [u8], at: usize, bytes: &[u8]) {
    medium[at..at + bytes.len()].copy_from_slice(bytes);
}

fn save(medium: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("medium");
    std::fs::write(&path, medium).unwrap();
    (folder, path)
}

fn boots(boot: &Boot) {
    setup::ensure(&[Need::Qemu]).unwrap();
    let mut machine = Machine::boot(boot).unwrap();
    let time = Duration::from_secs(240);
    machine.wait_for("test: up with ", time).unwrap();
    machine.wait_for("by=grub", time).unwrap();
    machine.wait_for_end(time).unwrap();
}

#[test]
fn the_core_boots_a_disk_by_block_lists() {
    let (mut disk, images) = medium("$root");
    let core_at = 8192_usize;
    let mut core = file(&images, "grub/core.img").to_vec();
    let blocks = u16::try_from(core.len().div_ceil(SECTOR) - 1).unwrap();
    // The core's first sector loads the others.
    put(&mut core, 0x1f4, &(core_at as u64 + 1).to_le_bytes());
    put(&mut core, 0x1fc, &blocks.to_le_bytes());
    let mut first = file(&images, "grub/boot.img").to_vec();
    put(&mut first, 0x5c, &(core_at as u64).to_le_bytes());
    // Read from the drive the BIOS booted, whatever it says.
    first[0x64] = 0xff;
    put(&mut first, 0x66, &[0x90, 0x90]);
    put(&mut disk, 0, &first);
    put(&mut disk, core_at * SECTOR, &core);
    let (_folder, path) = save(&disk);
    boots(&Boot::raw_disk(path, Firmware::SeaBios));
}

/// ECMA-119 and El Torito, no more than firmware reads; bootable as disk, too.
fn cd() -> (TempDir, PathBuf) {
    const BLOCK: usize = 2048;
    let (mut cd, images) = medium("$root");
    let core_at = 32_usize;
    let mut core = file(&images, "grub/eltorito.img").to_vec();
    let length = u32::try_from(core.len()).unwrap();
    // The boot information table that cdboot reads, and the second loader's block list.
    put(&mut core, 8, &16_u32.to_le_bytes());
    put(
        &mut core,
        12,
        &u32::try_from(core_at).unwrap().to_le_bytes(),
    );
    put(&mut core, 16, &length.to_le_bytes());
    put(&mut core, 2548, &(core_at as u64 * 4 + 5).to_le_bytes());
    put(&mut cd, core_at * BLOCK, &core);
    put(&mut cd, 16 * BLOCK, b"\x01CD001\x01");
    put(&mut cd, 17 * BLOCK, b"\x00CD001\x01EL TORITO SPECIFICATION");
    put(&mut cd, 17 * BLOCK + 0x47, &20_u32.to_le_bytes());
    put(&mut cd, 18 * BLOCK, b"\xffCD001\x01");
    let mut catalog = [0_u8; 64];
    catalog[0] = 1;
    catalog[28..32].copy_from_slice(&[0xaa, 0x55, 0x55, 0xaa]);
    catalog[32] = 0x88;
    catalog[38] = 4;
    catalog[40] = u8::try_from(core_at).unwrap();
    put(&mut cd, 20 * BLOCK, &catalog);
    let mut first = file(&images, "grub/boot_hybrid.img").to_vec();
    put(&mut first, 0x1b0, &(core_at as u64 * 4 + 4).to_le_bytes());
    put(&mut cd, 0, &first);
    save(&cd)
}

#[test]
fn the_el_torito_core_boots_a_cd_by_block_lists() {
    let (_folder, path) = cd();
    boots(&Boot {
        cdrom: Some(path),
        ..Boot::default()
    });
}

#[test]
fn the_el_torito_core_boots_the_same_image_as_a_disk() {
    let (_folder, path) = cd();
    boots(&Boot::raw_disk(path, Firmware::SeaBios));
}
