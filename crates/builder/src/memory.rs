//! Whether a machine of the least size can start an image. Firmware and kernel do not say when
//! memory runs out: they hang, or start without half of the files.

use std::fmt;

use nodeimage_spec::locked::Firmware;

const MIB: u64 = 1 << 20;

/// What UEFI firmware and the EFI stub hold at once: the file, the loaded image, the initrd's copy.
/// Measured: a UKI of 330 MB hangs with 896 MiB and starts with 1024 MiB.
const UEFI_TENTHS: u64 = 31;

/// What an image needs, and what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLittle {
    /// MiB the least machine has.
    pub memory: u64,
    /// MiB it must have.
    pub needed: u64,
    /// Bytes of the UKI.
    pub uki: u64,
    /// Bytes of the unpacked root file system.
    pub unpacked: u64,
    /// Whether loading decides, or unpacking.
    pub by_loading: bool,
}

impl fmt::Display for TooLittle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { memory, needed, .. } = self;
        write!(
            f,
            "a machine with `min_memory` of {memory} MiB cannot start this image: "
        )?;
        if self.by_loading {
            let uki = self.uki.div_ceil(MIB);
            write!(
                f,
                "UEFI firmware holds 3.1 times its {uki} MiB of kernel and initrd"
            )?;
        } else {
            let tree = self.unpacked.div_ceil(MIB);
            write!(
                f,
                "the kernel unpacks {tree} MiB of files into half of the memory"
            )?;
        }
        write!(
            f,
            ", so it needs {needed} MiB; raise `min_memory`, or make the image smaller"
        )
    }
}

/// Checks the arithmetic; `memory` in MiB, lengths in bytes.
pub fn check(memory: u64, uki: u64, unpacked: u64, firmware: Firmware) -> Result<(), TooLittle> {
    let loading = match firmware {
        Firmware::Bios => 0,
        Firmware::Hybrid | Firmware::Uefi => (uki.saturating_mul(UEFI_TENTHS) / 10).div_ceil(MIB),
    };
    let unpacking = unpacked.saturating_mul(2).div_ceil(MIB);
    let needed = loading.max(unpacking);
    if needed <= memory {
        return Ok(());
    }
    Err(TooLittle {
        memory,
        needed,
        uki,
        unpacked,
        by_loading: loading >= unpacking,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured() {
        let uki = 329_920_512;
        assert!(check(1024, uki, 0, Firmware::Hybrid).is_ok());
        let error = check(896, uki, 0, Firmware::Uefi).unwrap_err();
        assert_eq!(error.needed, 976);
        assert!(
            error.to_string().contains("3.1 times its 315 MiB"),
            "{error}"
        );
        assert!(check(256, uki, 0, Firmware::Bios).is_ok());
    }

    #[test]
    fn unpacked_files_get_half_of_the_memory() {
        let error = check(1024, 1, 600 * MIB, Firmware::Bios).unwrap_err();
        assert_eq!(error.needed, 1200);
        assert!(!error.by_loading);
        assert!(error.to_string().contains("600 MiB of files"), "{error}");
    }
}
