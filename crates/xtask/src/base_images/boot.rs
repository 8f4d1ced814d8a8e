//! The boot image: GRUB's parts for BIOS machines and systemd's EFI stubs.
//!
//! Neither GRUB core knows anything of an image: the disk builder puts the
//! generated configuration where the core looks for it.

use anyhow::{Context, Result};

use nodeimage_disk::grub;

use super::host_tool::HostTools;
use super::recipe::{Making, Part};
use super::tree::Node;
use crate::process;

/// GRUB's own folder in grub-pc-bin.
const GRUB: &str = "usr/lib/grub/i386-pc";

/// The place of [`grub::EARLY_CONFIG`] on an ISO image (in 512-byte blocks there, too). `(cd)` is
/// the CD that the BIOS booted; the second line is for the same image written
/// to a disk.
const CD: &str = "configfile (cd)9216+32\nconfigfile ($root)9216+32\n";

/// What the core for CDs needs besides [`grub::MODULES`].
const CD_MODULES: [&str; 1] = ["iso9660"];

pub(super) fn make(making: &mut Making<'_>) -> Result<()> {
    let tools = HostTools::unpack(making.recipe.tools, making.packages)?;
    let disk = core(&tools, "i386-pc", grub::EARLY_CONFIG, &grub::MODULES)?;
    making.tree.add("grub/core.img", Node::file(0o644, disk))?;
    let modules = [&CD_MODULES[..], &grub::MODULES].concat();
    let cd = core(&tools, "i386-pc-eltorito", CD, &modules)?;
    making
        .tree
        .add("grub/eltorito.img", Node::file(0o644, cd))?;
    // The cores are made of grub-pc-bin's modules, and nothing of grub-common
    // is in them; but its copyright file is grub-pc-bin's, through a link.
    let common = making
        .recipe
        .packages
        .iter()
        .position(|one| matches!(one, Part::Fixed(it) if it.name == "grub-common"));
    making.used.extend(common);
    Ok(())
}

fn core(tools: &HostTools, format: &str, early: &str, modules: &[&str]) -> Result<Vec<u8>> {
    let configuration = tools.path("early.cfg");
    std::fs::write(&configuration, early).context("cannot write GRUB's early configuration")?;
    let made = tools.path("core.img");
    process::run(
        tools
            .command("usr/bin/grub-mkimage", "grub-mkimage")
            .arg("-d")
            .arg(tools.path(GRUB))
            .args(["-O", format, "-p", "/x", "-c"])
            .arg(configuration)
            .arg("-o")
            .arg(&made)
            .args(modules),
    )?;
    std::fs::read(&made).context("cannot read GRUB's core image")
}
