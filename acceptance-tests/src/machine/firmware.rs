//! What a machine starts with, and so which emulator and which board it is.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::boot::option;

/// What the machine starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firmware {
    /// BIOS.
    SeaBios,
    /// UEFI without Secure Boot.
    Ovmf,
    /// UEFI of an arm64 machine.
    Aavmf,
}

impl Firmware {
    /// QEMU for the machine, with the board and processor that tests use.
    pub(super) fn command(self) -> Command {
        let (program, machine, cpu) = match self {
            Self::SeaBios => ("qemu-system-x86_64", "pc", "max"),
            Self::Ovmf => ("qemu-system-x86_64", "q35", "max"),
            // The newest processors' pointer signatures take the emulator much time.
            Self::Aavmf => ("qemu-system-aarch64", "virt", "cortex-a72"),
        };
        let mut command = Command::new(program);
        command.args(["-machine", machine, "-cpu", cpu]);
        command
    }

    /// The firmware's code and the variables that it starts with, if they are not QEMU's own.
    const fn flash(self) -> Option<[&'static str; 2]> {
        match self {
            Self::SeaBios => None,
            Self::Ovmf => Some([
                "/usr/share/OVMF/OVMF_CODE_4M.fd",
                "/usr/share/OVMF/OVMF_VARS_4M.fd",
            ]),
            Self::Aavmf => Some([
                "/usr/share/AAVMF/AAVMF_CODE.fd",
                "/usr/share/AAVMF/AAVMF_VARS.fd",
            ]),
        }
    }

    /// Gives the machine its flash; the variables are a copy in `folder`.
    pub(super) fn add_flash(self, command: &mut Command, folder: &Path) -> Result<()> {
        let Some([code, template]) = self.flash() else {
            return Ok(());
        };
        let variables = folder.join("variables.fd");
        std::fs::copy(template, &variables)
            .with_context(|| format!("cannot copy {template}: run cargo xtask setup"))?;
        let read_only = "if=pflash,format=raw,unit=0,readonly=on,file=";
        command
            .arg("-drive")
            .arg(option(read_only, Path::new(code), ""));
        let writable = "if=pflash,format=raw,unit=1,file=";
        command.arg("-drive").arg(option(writable, &variables, ""));
        Ok(())
    }
}
