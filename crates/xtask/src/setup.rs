//! Installs what demo and tests need and the machine does not have yet, from
//! Debian's packages.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::process;

/// A program or file that some command or test runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Need {
    /// `qemu-system-x86_64` with SeaBIOS: boots what we build.
    Qemu,
    /// `qemu-system-aarch64`: boots what we build for arm64.
    QemuArm,
    /// `qemu-img`: reads the disk formats we write.
    QemuImg,
    /// UEFI firmware for QEMU.
    Ovmf,
    /// UEFI firmware for QEMU's arm64 machines.
    Aavmf,
    /// `mdir`, `mtype`: read FAT without mounting.
    Mtools,
    /// `fsck.fat`: judges the FAT we write.
    FatTools,
    /// `sgdisk`: judges the partition table we write.
    Gdisk,
    /// `docker-registry`: a registry on the loopback interface.
    Registry,
    /// `cpio`: reads the initrd.
    Cpio,
    /// `zstd`: reads the initrd's segments.
    Zstd,
    /// `openssl`: makes the keys and signatures that the trust policy is tried with.
    Openssl,
    /// `cc` and the static C library: link our init.
    Linker,
}

/// What shows that a need is met.
enum Probe {
    Program(&'static str),
    File(&'static str),
}

impl Need {
    /// Every need there is.
    pub const ALL: &[Self] = &[
        Self::Qemu,
        Self::QemuArm,
        Self::QemuImg,
        Self::Ovmf,
        Self::Aavmf,
        Self::Mtools,
        Self::FatTools,
        Self::Gdisk,
        Self::Registry,
        Self::Cpio,
        Self::Zstd,
        Self::Openssl,
        Self::Linker,
    ];

    const fn probes(self) -> &'static [Probe] {
        match self {
            Self::Qemu => &[
                Probe::Program("qemu-system-x86_64"),
                Probe::File("/usr/share/seabios/bios-256k.bin"),
            ],
            Self::QemuArm => &[Probe::Program("qemu-system-aarch64")],
            Self::QemuImg => &[Probe::Program("qemu-img")],
            Self::Ovmf => &[
                Probe::File("/usr/share/OVMF/OVMF_CODE_4M.fd"),
                Probe::File("/usr/share/OVMF/OVMF_VARS_4M.fd"),
            ],
            Self::Aavmf => &[
                Probe::File("/usr/share/AAVMF/AAVMF_CODE.fd"),
                Probe::File("/usr/share/AAVMF/AAVMF_VARS.fd"),
            ],
            Self::Mtools => &[Probe::Program("mtype")],
            Self::FatTools => &[Probe::Program("fsck.fat")],
            Self::Gdisk => &[Probe::Program("sgdisk")],
            Self::Registry => &[Probe::Program("docker-registry")],
            Self::Cpio => &[Probe::Program("cpio")],
            Self::Zstd => &[Probe::Program("zstd")],
            Self::Openssl => &[Probe::Program("openssl")],
            Self::Linker => &[Probe::Program("cc")],
        }
    }

    /// Debian's packages. QEMU's own parts go together: a qemu-utils of
    /// another version than qemu-system-x86 conflicts with it.
    const fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Qemu => &["qemu-system-x86", "seabios", "qemu-utils"],
            Self::QemuArm => &["qemu-system-arm", "qemu-system-x86", "qemu-utils"],
            Self::QemuImg => &["qemu-utils"],
            Self::Ovmf => &["ovmf"],
            Self::Aavmf => &["qemu-efi-aarch64"],
            Self::Mtools => &["mtools"],
            Self::FatTools => &["dosfstools"],
            Self::Gdisk => &["gdisk"],
            Self::Registry => &["docker-registry"],
            Self::Cpio => &["cpio"],
            Self::Zstd => &["zstd"],
            Self::Openssl => &["openssl"],
            Self::Linker => &["gcc", "libc6-dev"],
        }
    }

    fn met(self) -> bool {
        self.probes().iter().all(|probe| match probe {
            Probe::Program(name) => program(name).is_some(),
            Probe::File(path) => Path::new(path).exists(),
        })
    }
}

/// The search path for programs, with the folders that Debian leaves out of
/// an ordinary user's `PATH` (sgdisk and fsck.fat are there).
#[must_use]
pub fn search_path() -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/local/sbin:/usr/sbin:/sbin");
    path
}

/// Finds a program as [`search_path`] does.
#[must_use]
pub fn program(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&search_path())
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// Whether `cargo nextest` can be used; `cargo test` does as well.
#[must_use]
pub fn has_nextest() -> bool {
    program("cargo-nextest").is_some()
}

/// Installs whatever of `needs` is missing. Does nothing, quickly, when all
/// is there.
///
/// # Errors
/// When something is missing and this is not Debian, or apt-get fails.
pub fn ensure(needs: &[Need]) -> Result<()> {
    let missing: Vec<Need> = needs.iter().copied().filter(|need| !need.met()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: BTreeSet<&str> = missing
        .iter()
        .flat_map(|need| need.packages())
        .copied()
        .collect();
    let packages: Vec<&str> = packages.into_iter().collect();
    let listed = packages.join(" ");
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    if !is_debian(&release) || program("apt-get").is_none() {
        bail!(
            "missing: {listed}. Only Debian's apt-get is known here: \
             install the like of these packages yourself, then run this again"
        );
    }
    eprintln!("xtask: installing {listed}");
    if !known(&packages)? {
        apt_get(&["update"])?;
    }
    if let Err(first) = install(&packages) {
        eprintln!("xtask: {first:#}; trying again with fresh package lists");
        apt_get(&["update"])?;
        if let Err(second) = install(&packages) {
            let Some(suite) = codename(&release) else {
                return Err(second);
            };
            eprintln!("xtask: {second:#}; trying QEMU from the suite {suite} alone");
            let pinned: Vec<String> = packages.iter().map(|name| in_suite(name, suite)).collect();
            install(&pinned.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
    }
    let still: Vec<&Need> = missing.iter().filter(|need| !need.met()).collect();
    if !still.is_empty() {
        bail!("apt-get installed {listed}, and yet these are missing: {still:?}");
    }
    Ok(())
}

/// The package, taken from one suite when it is one of QEMU's.
fn in_suite(name: &str, suite: &str) -> String {
    if name.starts_with("qemu-") {
        format!("{name}/{suite}")
    } else {
        name.to_owned()
    }
}

fn install(packages: &[&str]) -> Result<()> {
    let mut arguments = vec![
        "install",
        "-y",
        "--no-install-recommends",
        "--allow-downgrades",
        // What a machine has is not ours to take away.
        "--no-remove",
    ];
    arguments.extend(packages);
    apt_get(&arguments)
}

/// Whether apt knows where to get every package.
fn known(packages: &[&str]) -> Result<bool> {
    let mut command = Command::new("apt-cache");
    command.arg("policy").args(packages).env("LC_ALL", "C");
    let text = process::output(&mut command)?;
    Ok(candidates(&String::from_utf8_lossy(&text)) == packages.len())
}

/// How many packages of apt's answer can be installed; unknown ones are not
/// in it at all.
fn candidates(policy: &str) -> usize {
    policy
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Candidate: "))
        .filter(|version| *version != "(none)")
        .count()
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    let mut command = if is_root()? {
        Command::new("env")
    } else if program("sudo").is_some() {
        let mut sudo = Command::new("sudo");
        sudo.arg("env");
        sudo
    } else {
        bail!(
            "not root, and no sudo: run as root: apt-get {}",
            arguments.join(" ")
        );
    };
    command
        .args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"])
        .args(["-o", "DPkg::Lock::Timeout=400"])
        .args(arguments);
    process::run(&mut command)
}

fn is_root() -> Result<bool> {
    let id = process::output(Command::new("id").arg("-u"))?;
    Ok(id.trim_ascii() == b"0")
}

fn is_debian(release: &str) -> bool {
    release.lines().any(|line| match line.split_once('=') {
        Some(("ID" | "ID_LIKE", value)) => value
            .trim_matches('"')
            .split_whitespace()
            .any(|word| word == "debian"),
        _ => false,
    })
}

fn codename(release: &str) -> Option<&str> {
    release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .map(|name| name.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOKWORM: &str = "NAME=\"Debian GNU/Linux\"\nVERSION_CODENAME=bookworm\nID=debian\n";

    #[test]
    fn debian_and_its_like_are_known_by_os_release() {
        assert!(is_debian(BOOKWORM));
        assert!(is_debian("ID=ubuntu\nID_LIKE=\"debian\"\n"));
        assert!(!is_debian("ID=fedora\nHOME_URL=debian\n"));
        assert!(!is_debian(""));
        assert_eq!(codename(BOOKWORM), Some("bookworm"));
        assert_eq!(codename("ID=x"), None);
    }

    #[test]
    fn only_qemu_is_tied_to_a_suite() {
        assert_eq!(in_suite("qemu-utils", "bookworm"), "qemu-utils/bookworm");
        assert_eq!(in_suite("ovmf", "bookworm"), "ovmf");
    }

    #[test]
    fn packages_without_a_candidate_are_not_known() {
        let policy = "cpio:\n  Installed: (none)\n  Candidate: (none)\n\
            gcc:\n  Installed: (none)\n  Candidate: 4:12.2.0-3\n";
        assert_eq!(candidates(policy), 1);
        assert!(!known(&["no-such-package-anywhere"]).unwrap());
    }

    #[test]
    fn every_need_is_in_all() {
        assert_eq!(Need::ALL, Need::value_variants());
    }

    #[test]
    fn programs_are_found_on_the_path() {
        assert!(program("sh").is_some());
        assert!(program("no-such-program-anywhere").is_none());
        assert!(search_path().to_string_lossy().ends_with("/sbin"));
    }
}
