//! GRUB's boot code for BIOS machines, and the configuration that it runs.
//!
//! GRUB itself is an input: Debian's `boot.img` and a `core.img` made from its modules, the same
//! in every image. Both carry the places of what they load as fields, which are set here (GRUB
//! 2.06, `grub-core/boot/i386/pc`). core.img's built-in configuration is [`EARLY_CONFIG`]: it runs
//! the generated one, which lies at a fixed place behind it and boots kernel and initrd from
//! the sectors of the UKI. `$root` is the disk that GRUB was started from, so no disk number is
//! assumed anywhere.

mod config;
#[cfg(test)]
mod tests;

use crate::SECTOR;
use crate::bytes::{put, u16_at};

pub use config::{CONFIG_LEN, Sectors, config};

/// Where core.img begins: the start of the BIOS boot partition, in bytes.
pub const CORE_OFFSET: u64 = 4 << 20;

/// Where the generated configuration begins, in bytes.
pub const CONFIG_OFFSET: u64 = CORE_OFFSET + (512 << 10);

/// The configuration that has to be built into core.img.
pub const EARLY_CONFIG: &str = "normal ($root)9216+32\n";

/// The modules that core.img needs, besides what they pull in.
pub const MODULES: [&str; 10] = [
    "biosdisk",
    "linux",
    "normal",
    "configfile",
    "echo",
    "sleep",
    "reboot",
    "halt",
    "serial",
    "terminal",
];

/// Largest core.img in bytes: real mode loads it from 0x8200 to below 0x78000.
pub const MAX_CORE: usize = 0x7_8000 - 0x8200;

/// Bytes of the boot code in front of the partition table.
const BOOT_CODE: usize = 440;

const SEGMENT: u16 = 0x0820;

/// Why GRUB can't be set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrubError {
    /// Something else than GRUB 2's boot.img.
    #[error("boot.img is not the i386-pc boot.img of GRUB 2.06; take it from grub-pc-bin")]
    BootImage,
    /// Something else than a core.img for BIOS disks.
    #[error(
        "core.img is not a GRUB 2.06 core image for i386-pc of at most {MAX_CORE} bytes; \
         make it with grub-mkimage -O i386-pc"
    )]
    CoreImage,
    /// The command line breaks a rule of the kernel.
    #[error(transparent)]
    Cmdline(#[from] crate::cmdline::CmdlineError),
    /// The command line can't pass through GRUB unchanged.
    #[error(
        "kernel command line: {reason} in {word:?}: GRUB would change it; \
         remove it, or build for firmware \"uefi\""
    )]
    Word {
        /// The word in question.
        word: String,
        /// What GRUB can't pass on.
        reason: &'static str,
    },
    /// Kernel or initrd don't begin on a sector, or are empty.
    #[error("GRUB: the range [{start}, {end}) of the disk is empty or not at a whole sector")]
    Sectors {
        /// First byte.
        start: u64,
        /// The byte behind the last.
        end: u64,
    },
    /// The configuration outgrew its place.
    #[error(
        "GRUB: the configuration needs {0} bytes, its place holds {CONFIG_LEN}; shorten the kernel command line or use fewer images"
    )]
    Config(usize),
}

/// The boot code for the first sector: boot.img, told to load the sector at [`CORE_OFFSET`] of the
/// disk that the BIOS started it from.
pub fn boot_code(boot_img: &[u8]) -> Result<[u8; BOOT_CODE], GrubError> {
    let known = boot_img.len() == SECTOR as usize
        && boot_img.ends_with(&[0x55, 0xaa])
        && boot_img[0x66..0x68] == [0xeb, 0x05];
    let mut code: [u8; BOOT_CODE] = match boot_img.first_chunk() {
        Some(code) if known => *code,
        _ => return Err(GrubError::BootImage),
    };
    put(&mut code, 0x5c, &(CORE_OFFSET / SECTOR).to_le_bytes());
    // The BIOS's drive number, whatever it is, and no second-guessing of it.
    code[0x64] = 0xff;
    put(&mut code, 0x66, &[0x90, 0x90]);
    Ok(code)
}

/// core.img, told where the rest of it lies; zero-padded to whole sectors.
pub fn core(core_img: &[u8]) -> Result<Vec<u8>, GrubError> {
    let sectors = core_img.len().div_ceil(SECTOR as usize);
    let known = u16_at(core_img, 0x1fe) == Some(SEGMENT);
    if !known || sectors < 2 || core_img.len() > MAX_CORE {
        return Err(GrubError::CoreImage);
    }
    let mut core = core_img.to_vec();
    core.resize(sectors * SECTOR as usize, 0);
    put(&mut core, 0x1f4, &(CORE_OFFSET / SECTOR + 1).to_le_bytes());
    // Fits: bounded by MAX_CORE.
    put(&mut core, 0x1fc, &(sectors as u16 - 1).to_le_bytes());
    Ok(core)
}
