//! The machine that an image is for, and the options of its disk.
//!
//! Defaults are left out of the JSON: options that come later must not change old ids.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::fault::{Fault, quoted};

/// MiB in 64 TiB.
const MAX_SIZE: u64 = 64 << 20;
/// The kernel's own limit is 2048 to 4096 bytes.
const MAX_CMDLINE: usize = 4096;

/// The machine an image is for.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// x86-64.
    #[default]
    Amd64,
    /// AArch64.
    Arm64,
    /// RISC-V, 64 bit.
    Riscv64,
}

impl Architecture {
    /// The name in OCI's and Go's terms.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
            Self::Riscv64 => "riscv64",
        }
    }

    /// `linux/…`, as indexes and locks name it.
    pub fn platform(self) -> String {
        format!("linux/{}", self.name())
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Architecture {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "amd64" => Ok(Self::Amd64),
            "arm64" => Ok(Self::Arm64),
            "riscv64" => Ok(Self::Riscv64),
            _ => Err(format!(
                "unknown architecture {}; it is amd64, arm64 or riscv64",
                quoted(text)
            )),
        }
    }
}

/// How the disk starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Firmware {
    /// BIOS and UEFI.
    Hybrid,
    /// UEFI alone.
    Uefi,
    /// BIOS alone.
    Bios,
}

/// How segments of the initrd are compressed.
///
/// `auto` stays `auto` in the locked spec, and so in the image id: what it comes to follows from the
/// kernel, whose digest stands there too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// zstd for kernels from Linux 5.9 on and those that do not tell their version, else gzip.
    #[default]
    Auto,
    /// zstd.
    Zstd,
    /// gzip.
    Gzip,
    /// lz4, in the legacy frame that the kernel reads.
    Lz4,
    /// xz.
    Xz,
    /// Not at all.
    None,
}

/// What the disk is like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiskOptions {
    /// MiB; none: the smallest whole number of GiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// None: the architecture's default, see [`DiskOptions::firmware`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware: Option<Firmware>,
    /// Default `auto`.
    #[serde(skip_serializing_if = "is_default")]
    pub codec: Codec,
    /// MiB of the smallest machine; default 1024.
    #[serde(skip_serializing_if = "is_default_memory")]
    pub min_memory: u64,
    /// Added behind the spec's kernel command line.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cmdline: String,
}

const DEFAULT_MEMORY: u64 = 1024;

impl Default for DiskOptions {
    fn default() -> Self {
        Self {
            size: None,
            firmware: None,
            codec: Codec::Auto,
            min_memory: DEFAULT_MEMORY,
            cmdline: String::new(),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_default_memory(memory: &u64) -> bool {
    *memory == DEFAULT_MEMORY
}

pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl DiskOptions {
    /// The firmware, or the architecture's default: hybrid on amd64, UEFI elsewhere.
    pub fn firmware(&self, architecture: Architecture) -> Firmware {
        self.firmware.unwrap_or(default_firmware(architecture))
    }

    /// One form for equal options: what is given and is the default counts as not given.
    pub(crate) fn normalize(&mut self, architecture: Architecture) {
        if self.firmware == Some(default_firmware(architecture)) {
            self.firmware = None;
        }
    }

    pub(crate) fn check(&self, architecture: Architecture) -> Result<(), Box<Fault>> {
        let firmware = self.firmware(architecture);
        if architecture != Architecture::Amd64 && firmware != Firmware::Uefi {
            let message = format!("{architecture} machines start by UEFI alone");
            return Err(Box::new(
                Fault::new("disk.firmware", message)
                    .help("set the firmware to `uefi`, or leave it out"),
            ));
        }
        if self.size.is_some_and(|size| size == 0 || size > MAX_SIZE) {
            return Err(Box::new(Fault::new(
                "disk.size",
                format!("the disk size must be between 1 and {MAX_SIZE} MiB"),
            )));
        }
        if self.min_memory == 0 || self.min_memory > MAX_SIZE {
            return Err(Box::new(Fault::new(
                "disk.min_memory",
                format!("the memory must be between 1 and {MAX_SIZE} MiB"),
            )));
        }
        if self.cmdline.len() > MAX_CMDLINE || self.cmdline.chars().any(char::is_control) {
            let message = format!(
                "the command line holds control characters, or more than {MAX_CMDLINE} bytes"
            );
            return Err(Box::new(Fault::new("disk.cmdline", message)));
        }
        Ok(())
    }
}

const fn default_firmware(architecture: Architecture) -> Firmware {
    match architecture {
        Architecture::Amd64 => Firmware::Hybrid,
        Architecture::Arm64 | Architecture::Riscv64 => Firmware::Uefi,
    }
}
