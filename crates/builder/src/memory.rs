//! Whether a machine of the least size can start an image. Firmware and kernel do not say when
//! memory runs out: they hang, or start without half of the files.
//!
//! Loading: UEFI firmware and the EFI stub hold the file, the loaded image and the initrd's copy at
//! once. Unpacking: the kernel's rootfs is a tmpfs that takes half of what is free when it is
//! mounted, which the kernel itself and the initrd are not (`shmem_default_max_blocks`); with
//! `rootfstype=ramfs` it takes all. Moving the root to its own file system afterwards needs one file
//! twice, and the initrd is gone by then.

use std::fmt;

use nodeimage_spec::locked::Firmware;

use crate::segment::SegmentFacts;

const MIB: u64 = 1 << 20;

/// What UEFI firmware and the EFI stub hold at once, in tenths of the UKI. Measured: a UKI of 330 MB
/// hangs with 896 MiB and starts with 1024 MiB.
const UEFI_TENTHS: u64 = 31;

/// What the kernel keeps for itself: its code and data. Measured with 6.1: 44 MiB.
const KERNEL: u64 = 48 * MIB;
/// The same with what UEFI firmware keeps. Measured with OVMF: 87 MiB.
const KERNEL_AND_UEFI: u64 = 96 * MIB;
/// One in so many bytes describes the others (`struct page`: 64 of 4096).
const PAGE_TABLE: u64 = 64;

/// What an image takes, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// The UKI.
    pub uki: u64,
    /// The initrd in it.
    pub initrd: u64,
    /// The unpacked root file system.
    pub unpacked: u64,
    /// Its longest file.
    pub largest: u64,
    /// Whether the kernel unpacks it into a ramfs, which has no limit.
    pub ramfs: bool,
}

impl Demand {
    /// Of an initrd with these segments.
    pub fn new<'a>(
        uki: u64,
        initrd: u64,
        segments: impl IntoIterator<Item = &'a SegmentFacts>,
        cmdline: &str,
    ) -> Self {
        let mut demand = Self {
            uki,
            initrd,
            ramfs: cmdline
                .split_ascii_whitespace()
                .rfind(|word| word.starts_with("rootfstype="))
                .is_some_and(|word| !word.contains("tmpfs")),
            ..Self::default()
        };
        for facts in segments {
            demand.unpacked = demand.unpacked.saturating_add(facts.memory);
            demand.largest = demand.largest.max(facts.largest);
        }
        demand
    }
}

/// What an image needs, and what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLittle {
    /// MiB the least machine has.
    pub memory: u64,
    /// MiB it must have.
    pub needed: u64,
    /// What is needed of it.
    pub demand: Demand,
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
            let uki = self.demand.uki.div_ceil(MIB);
            write!(
                f,
                "UEFI firmware holds 3.1 times its {uki} MiB of kernel and initrd"
            )?;
        } else {
            let tree = self.demand.unpacked.div_ceil(MIB);
            let initrd = self.demand.initrd.div_ceil(MIB);
            let share = if self.demand.ramfs { "" } else { "half of " };
            write!(
                f,
                "the kernel unpacks {tree} MiB of files into {share}what its own memory and \
                 {initrd} MiB of initrd leave"
            )?;
        }
        write!(
            f,
            ", so it needs {needed} MiB; raise `min_memory`, or make the image smaller"
        )
    }
}

/// Checks the arithmetic; `memory` in MiB.
pub fn check(memory: u64, demand: Demand, firmware: Firmware) -> Result<(), TooLittle> {
    let (loading, kernel) = match firmware {
        Firmware::Bios => (0, KERNEL),
        Firmware::Hybrid | Firmware::Uefi => {
            (demand.uki.saturating_mul(UEFI_TENTHS) / 10, KERNEL_AND_UEFI)
        }
    };
    let tree = if demand.ramfs {
        demand.unpacked
    } else {
        demand.unpacked.saturating_mul(2)
    };
    let held = tree
        .saturating_add(demand.initrd)
        .max(demand.unpacked.saturating_add(demand.largest))
        .saturating_add(kernel);
    let unpacking = held.saturating_add(held / (PAGE_TABLE - 1));
    let needed = loading.max(unpacking).div_ceil(MIB);
    if needed <= memory {
        return Ok(());
    }
    Err(TooLittle {
        memory,
        needed,
        demand,
        by_loading: loading >= unpacking,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured() {
        let demand = Demand {
            uki: 329_920_512,
            ..Demand::default()
        };
        assert!(check(1024, demand, Firmware::Hybrid).is_ok());
        let error = check(896, demand, Firmware::Uefi).unwrap_err();
        assert_eq!(error.needed, 976);
        assert!(
            error.to_string().contains("3.1 times its 315 MiB"),
            "{error}"
        );
        assert!(check(256, demand, Firmware::Bios).is_ok());
    }

    #[test]
    fn unpacked_files_get_half_of_what_is_left() {
        let demand = Demand {
            unpacked: 400 * MIB,
            initrd: 120 * MIB,
            ..Demand::default()
        };
        assert!(check(1024, demand, Firmware::Bios).is_ok());
        let more = Demand {
            unpacked: 430 * MIB,
            ..demand
        };
        let error = check(1024, more, Firmware::Bios).unwrap_err();
        assert_eq!(error.needed, 1045);
        assert!(!error.by_loading);
        let text = error.to_string();
        assert!(
            text.contains("430 MiB of files into half of what"),
            "{text}"
        );
        let ramfs = Demand {
            ramfs: true,
            ..more
        };
        assert!(check(1024, ramfs, Firmware::Bios).is_ok());
        let error = check(600, ramfs, Firmware::Bios).unwrap_err().to_string();
        assert!(error.contains("files into what its own memory"), "{error}");
    }

    #[test]
    fn firmware_counts() {
        let demand = Demand {
            unpacked: 120 * MIB,
            ..Demand::default()
        };
        assert!(check(300, demand, Firmware::Bios).is_ok());
        let error = check(300, demand, Firmware::Uefi).unwrap_err();
        assert_eq!((error.needed, error.by_loading), (342, false));
    }

    #[test]
    fn moving_the_root_needs_its_largest_file_twice() {
        let demand = Demand {
            unpacked: 500 * MIB,
            largest: 490 * MIB,
            ramfs: true,
            ..Demand::default()
        };
        let error = check(1000, demand, Firmware::Bios).unwrap_err();
        assert_eq!(error.needed, 1055);
    }

    #[test]
    fn facts_add_up_and_never_overflow() {
        let facts = SegmentFacts {
            memory: u64::MAX / 2 + 1,
            largest: 7,
            ..SegmentFacts::default()
        };
        let demand = |cmdline| Demand::new(1, 2, [&facts, &facts], cmdline);
        assert_eq!(demand("quiet").unpacked, u64::MAX);
        assert_eq!(demand("quiet").largest, 7);
        check(u64::MAX, demand(""), Firmware::Hybrid).unwrap();
        for (cmdline, ramfs) in [
            ("", false),
            ("rootfstype=ramfs quiet", true),
            ("rootfstype=tmpfs", false),
            ("rootfstype=ramfs rootfstype=tmpfs", false),
            ("xrootfstype=ramfs", false),
        ] {
            assert_eq!(demand(cmdline).ramfs, ramfs, "{cmdline}");
        }
    }
}
