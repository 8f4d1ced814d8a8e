//! The machines an image can be for.

use std::fmt;

/// The processor architecture of an image, by its name in OCI and Debian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Architecture {
    /// x86_64.
    Amd64,
    /// aarch64.
    Arm64,
}

impl Architecture {
    /// The name in OCI platforms.
    pub fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// Machine field of PE files (`IMAGE_FILE_MACHINE_*`).
    pub fn pe_machine(self) -> u16 {
        match self {
            Self::Amd64 => 0x8664,
            Self::Arm64 => 0xaa64,
        }
    }

    /// The architecture of a PE machine field.
    pub fn from_pe_machine(machine: u16) -> Option<Self> {
        [Self::Amd64, Self::Arm64]
            .into_iter()
            .find(|it| it.pe_machine() == machine)
    }

    /// Where UEFI firmware looks for the loader of a removable disk (UEFI 2.10 §3.5.1.1).
    pub fn efi_path(self) -> &'static str {
        match self {
            Self::Amd64 => "EFI/BOOT/BOOTX64.EFI",
            Self::Arm64 => "EFI/BOOT/BOOTAA64.EFI",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
