//! What to boot, and QEMU's command line for it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use tempfile::TempDir;

use super::firmware::Firmware;

/// The longest path of a Unix socket (sun_path), less its final NUL.
const LONGEST_SOCKET: usize = 107;

/// The kernel's USER_HZ on every architecture QEMU runs on for us.
const TICKS_PER_SECOND: u64 = 100;

/// What the disk hangs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bus {
    /// virtio-blk on PCI.
    Virtio,
    /// virtio-scsi.
    Scsi,
    /// NVMe, as on the big clouds.
    Nvme,
    /// The chipset's own: IDE with SeaBIOS, AHCI with OVMF; arm64's has none.
    Ide,
}

/// A disk; what the machine writes to it is thrown away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// The image.
    pub path: PathBuf,
    /// Its format in QEMU's words: `raw`, `qcow2`, `vmdk`, `vpc`, `vhdx`, `vdi`.
    pub format: String,
    /// What it hangs on.
    pub bus: Bus,
}

/// A kernel that QEMU itself loads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Direct {
    /// The kernel.
    pub kernel: PathBuf,
    /// The initrd.
    pub initrd: PathBuf,
    /// The kernel's command line.
    pub append: String,
}

/// A machine to boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boot {
    /// The disk to boot from.
    pub disk: Option<Disk>,
    /// A CD to boot from.
    pub cdrom: Option<PathBuf>,
    /// A kernel to boot instead.
    pub direct: Option<Direct>,
    /// BIOS or UEFI, of amd64 or of arm64.
    pub firmware: Firmware,
    /// Memory, in MiB.
    pub memory_mib: u32,
    /// TCP ports of the guest to reach from the loopback interface. Without
    /// any, the machine has no network card.
    pub forward: Vec<u16>,
    /// After this, whoever waits for the machine gives up. Emulation on a
    /// shared machine is slow: two minutes at least.
    pub time_out: Duration,
    /// Keeps the console's log here, instead of dropping it with the machine.
    pub log: Option<PathBuf>,
}

impl Default for Boot {
    fn default() -> Self {
        Self {
            disk: None,
            cdrom: None,
            direct: None,
            firmware: Firmware::SeaBios,
            memory_mib: 1024,
            forward: Vec::new(),
            time_out: Duration::from_secs(300),
            log: None,
        }
    }
}

impl Boot {
    /// Boots a raw disk on virtio.
    #[must_use]
    pub fn raw_disk(path: impl Into<PathBuf>, firmware: Firmware) -> Self {
        Self {
            disk: Some(Disk {
                path: path.into(),
                format: "raw".to_owned(),
                bus: Bus::Virtio,
            }),
            firmware,
            ..Self::default()
        }
    }

    /// QEMU's command, with its private files below `folder`.
    pub(super) fn command(&self, folder: &Path, socket: &Path) -> Result<Command> {
        let mut command = self.firmware.command();
        command
            .args(["-nodefaults", "-no-user-config", "-display", "none"])
            .args(["-accel", "tcg,thread=multi", "-smp", "2"])
            .args(["-m", &self.memory_mib.to_string(), "-no-reboot"])
            .args(["-serial", "stdio", "-device", "virtio-rng-pci"]);
        command
            .arg("-qmp")
            .arg(option("unix:", socket, ",server=on,wait=off"));
        self.firmware.add_flash(&mut command, folder)?;
        if let Some(disk) = &self.disk {
            present(&disk.path)?;
            let drive = format!("if=none,id=disk,snapshot=on,format={},file=", disk.format);
            command.arg("-drive").arg(option(&drive, &disk.path, ""));
            for device in devices(disk.bus) {
                command.args(["-device", device]);
            }
        }
        if let Some(cdrom) = &self.cdrom {
            present(cdrom)?;
            let drive = "if=none,id=cd,media=cdrom,readonly=on,format=raw,file=";
            command.arg("-drive").arg(option(drive, cdrom, ""));
            command.args(["-device", "ide-cd,drive=cd,bootindex=1"]);
        }
        if let Some(direct) = &self.direct {
            present(&direct.kernel)?;
            present(&direct.initrd)?;
            command.arg("-kernel").arg(&direct.kernel);
            command.arg("-initrd").arg(&direct.initrd);
            command.args(["-append", &direct.append]);
        }
        if !self.forward.is_empty() {
            // No boot ROM: firmware would wait for PXE.
            let card = "virtio-net-pci,netdev=network,romfile=";
            command.args(["-netdev", &self.network(), "-device", card]);
        }
        Ok(command)
    }

    /// Port 0 lets QEMU choose a free one, which no other process can take
    /// in between.
    fn network(&self) -> String {
        let mut network = "user,id=network".to_owned();
        for port in &self.forward {
            network += &format!(",hostfwd=tcp:127.0.0.1:0-:{port}");
        }
        network
    }
}

const fn devices(bus: Bus) -> &'static [&'static str] {
    match bus {
        Bus::Virtio => &["virtio-blk-pci,drive=disk,bootindex=0"],
        Bus::Scsi => &["virtio-scsi-pci", "scsi-hd,drive=disk,bootindex=0"],
        Bus::Nvme => &["nvme,drive=disk,serial=disk,bootindex=0"],
        Bus::Ide => &["ide-hd,drive=disk,bootindex=0"],
    }
}

/// QEMU's options are split at commas, and a doubled comma is one.
pub(super) fn option(before: &str, path: &Path, after: &str) -> OsString {
    let mut option = OsString::from(before);
    let mut parts = path.as_os_str().as_bytes().split(|byte| *byte == b',');
    option.push(OsStr::from_bytes(parts.next().unwrap_or_default()));
    for part in parts {
        option.push(",,");
        option.push(OsStr::from_bytes(part));
    }
    option.push(after);
    option
}

fn present(path: &Path) -> Result<()> {
    if !path.is_file() {
        bail!("no file {}", path.display());
    }
    Ok(())
}

/// A folder whose path is short enough for a socket in it.
pub(super) fn private_folder() -> Result<TempDir> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    if folder.path().join("monitor").as_os_str().len() <= LONGEST_SOCKET {
        return Ok(folder);
    }
    tempfile::tempdir_in("/tmp").context("cannot make a folder in /tmp")
}

/// The fields of `/proc/PID/stat` after the command's name (proc(5)).
fn stat(pid: u32) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .with_context(|| format!("cannot read the state of process {pid}"))?;
    // The name may hold anything, brackets too.
    let (_, fields) = text
        .rsplit_once(')')
        .ok_or_else(|| anyhow!("an odd /proc/{pid}/stat"))?;
    Ok(fields.split_whitespace().map(str::to_owned).collect())
}

/// Whether a child that has not been waited for has ended.
pub(super) fn has_ended(pid: u32) -> Result<bool> {
    Ok(matches!(
        stat(pid)?.first().map(String::as_str),
        Some("Z" | "X")
    ))
}

/// User and system time of a child that has not been waited for.
pub(super) fn cpu_time(pid: u32) -> Result<Duration> {
    let fields = stat(pid)?;
    // utime and stime are the fields 14 and 15; the state is 3.
    let ticks = |index: usize| -> Option<u64> { fields.get(index)?.parse().ok() };
    match (ticks(11), ticks(12)) {
        (Some(user), Some(system)) => Ok(Duration::from_millis(
            (user + system).saturating_mul(1000 / TICKS_PER_SECOND),
        )),
        _ => bail!("an odd /proc/{pid}/stat"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(boot: &Boot) -> String {
        let folder = tempfile::tempdir().unwrap();
        let command = boot.command(folder.path(), Path::new("/s,1")).unwrap();
        let words: Vec<_> = command
            .get_args()
            .map(|word| word.to_string_lossy())
            .collect();
        words.join(" ")
    }

    #[test]
    fn forwarding_is_for_loopback_only_and_no_network_is_the_default() {
        let boot = Boot {
            forward: vec![80, 22],
            ..Boot::default()
        };
        let line = shown(&boot);
        assert!(line.contains(
            "-netdev user,id=network,hostfwd=tcp:127.0.0.1:0-:80,hostfwd=tcp:127.0.0.1:0-:22"
        ));
        assert!(line.contains("unix:/s,,1,server=on") && !line.contains("kvm"));
        assert!(!shown(&Boot::default()).contains("net"));
    }

    #[test]
    fn a_disk_is_never_written_and_must_exist() {
        let disk = tempfile::NamedTempFile::new().unwrap();
        for bus in [Bus::Virtio, Bus::Scsi, Bus::Nvme, Bus::Ide] {
            let mut boot = Boot::raw_disk(disk.path(), Firmware::SeaBios);
            boot.disk.as_mut().unwrap().bus = bus;
            let line = shown(&boot);
            assert!(line.contains("snapshot=on,format=raw,file=") && line.contains("drive=disk"));
        }
        let gone = Boot::raw_disk("/no/such/disk", Firmware::SeaBios);
        let error = gone.command(Path::new("/"), Path::new("/s")).unwrap_err();
        assert_eq!(error.to_string(), "no file /no/such/disk");
    }

    #[test]
    fn a_childs_end_and_time_are_read_before_it_is_waited_for() {
        let mut child = Command::new("sh")
            .args(["-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"])
            .spawn()
            .unwrap();
        while !has_ended(child.id()).unwrap() {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(cpu_time(child.id()).unwrap() > Duration::ZERO);
        child.wait().unwrap();
    }
}
