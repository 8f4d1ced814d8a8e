//! Every codec of the initrd on every way to load it, behind microcode.

use std::time::Duration;

use acceptance_tests::cli::Sandbox;
use acceptance_tests::codecs::{self, CODECS, FOUND, MICROCODE};
use acceptance_tests::machine::{Boot, Direct, Firmware, Machine};
use anyhow::{Result, ensure};

use super::Entry;

const BOOT: Duration = Duration::from_secs(300);

/// What loads kernel and initrd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loader {
    Grub,
    Stub,
    Direct,
}

impl Loader {
    const ALL: [Self; 3] = [Self::Grub, Self::Stub, Self::Direct];

    const fn name(self) -> &'static str {
        match self {
            Self::Grub => "bios",
            Self::Stub => "uefi",
            Self::Direct => "direct",
        }
    }

    const fn shown(self) -> &'static str {
        match self {
            Self::Grub => "GRUB under BIOS loads it from the disk",
            Self::Stub => "the EFI stub under UEFI loads it from the disk",
            Self::Direct => "QEMU loads the files of `kernel+initrd`",
        }
    }

    fn boot(self, sandbox: &Sandbox) -> Result<Boot> {
        let disk = |firmware| Boot::raw_disk(sandbox.path("out/node.img"), firmware);
        Ok(match self {
            Self::Grub => disk(Firmware::SeaBios),
            Self::Stub => disk(Firmware::Ovmf),
            Self::Direct => Boot {
                direct: Some(Direct {
                    kernel: sandbox.path("out/node-kernel"),
                    initrd: sandbox.path("out/node-initrd.img"),
                    append: std::fs::read_to_string(sandbox.path("out/node-cmdline"))?,
                }),
                ..Boot::default()
            },
        })
    }
}

pub(super) fn entries() -> impl Iterator<Item = Entry> {
    CODECS.into_iter().flat_map(|codec| {
        Loader::ALL.map(|loader| Entry {
            name: format!("codec/{codec}/{}", loader.name()),
            what: format!(
                "The kernel unpacks microcode and an initrd of codec `{codec}`; {}.",
                loader.shown()
            ),
            run: Box::new(move || run(codec, loader)),
        })
    })
}

fn run(codec: &str, loader: Loader) -> Result<()> {
    let sandbox = codecs::with_microcode()?;
    // Uncompressed it is three times the size, and UEFI firmware holds it several times.
    let build = format!(
        "build --codec {codec} --min-memory 2048 --format raw,kernel+initrd node.yml --dir out"
    );
    sandbox.nodeimage(&build)?.success()?;
    let boot = Boot {
        memory_mib: 2048,
        ..loader.boot(&sandbox)?
    };
    let machine = Machine::boot_until(&boot, FOUND, BOOT)?;
    ensure!(
        machine.console_has(MICROCODE),
        "the kernel unpacked no microcode"
    );
    ensure!(
        !machine.console_has("Initramfs unpacking failed"),
        "the kernel did not unpack it all"
    );
    Ok(())
}
