//! The file systems every machine has, at the places and with the options of LinuxKit's init.

pub(crate) mod options;
pub(crate) mod table;

mod cgroups;

use std::ffi::CString;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change, mount_remount};

use crate::cmdline::Cmdline;
use crate::console::say;
use crate::error::{Doing, Result};

const SAFE: MountFlags = MountFlags::NODEV
    .union(MountFlags::NOSUID)
    .union(MountFlags::NOEXEC)
    .union(MountFlags::RELATIME);
const NO_DEVICES: MountFlags = MountFlags::NODEV
    .union(MountFlags::NOSUID)
    .union(MountFlags::NOEXEC);
const DEVICES: MountFlags = MountFlags::NOSUID
    .union(MountFlags::NOEXEC)
    .union(MountFlags::RELATIME);

/// A file system of the kernel's, by its place.
struct Fixed {
    source: &'static str,
    target: &'static str,
    kind: &'static str,
    flags: MountFlags,
    data: &'static str,
}

const fn fixed(
    source: &'static str,
    target: &'static str,
    kind: &'static str,
    flags: MountFlags,
    data: &'static str,
) -> Fixed {
    Fixed {
        source,
        target,
        kind,
        flags,
        data,
    }
}

const PROC: Fixed = fixed("proc", "/proc", "proc", SAFE, "");
const RUN: Fixed = fixed("tmpfs", "/run", "tmpfs", SAFE, "size=10%,mode=755");
const TMP: Fixed = fixed("tmpfs", "/tmp", "tmpfs", SAFE, "size=10%,mode=1777");
const VAR: Fixed = fixed("tmpfs", "/var", "tmpfs", SAFE, "size=50%,mode=755");
const DEV: Fixed = fixed(
    "dev",
    "/dev",
    "devtmpfs",
    DEVICES,
    "size=10m,nr_inodes=248418,mode=755",
);
const SYS: Fixed = fixed("sysfs", "/sys", "sysfs", NO_DEVICES, "");

const IN_DEV: [Fixed; 3] = [
    fixed("mqueue", "/dev/mqueue", "mqueue", NO_DEVICES, ""),
    fixed("shm", "/dev/shm", "tmpfs", NO_DEVICES, "mode=1777"),
    fixed(
        "devpts",
        "/dev/pts",
        "devpts",
        MountFlags::NOSUID.union(MountFlags::NOEXEC),
        "gid=5,mode=0620",
    ),
];

/// Present or not according to the kernel's configuration.
const OPTIONAL: [Fixed; 9] = [
    fixed("securityfs", "/sys/kernel/security", "securityfs", SAFE, ""),
    fixed("debugfs", "/sys/kernel/debug", "debugfs", SAFE, ""),
    fixed("configfs", "/sys/kernel/config", "configfs", SAFE, ""),
    fixed("fusectl", "/sys/fs/fuse/connections", "fusectl", SAFE, ""),
    fixed(
        "selinuxfs",
        "/sys/fs/selinux",
        "selinuxfs",
        MountFlags::NOSUID.union(MountFlags::NOEXEC),
        "",
    ),
    fixed("pstore", "/sys/fs/pstore", "pstore", SAFE, ""),
    fixed("bpffs", "/sys/fs/bpf", "bpf", SAFE, ""),
    fixed(
        "efivarfs",
        "/sys/firmware/efi/efivars",
        "efivarfs",
        SAFE,
        "",
    ),
    fixed(
        "binfmt_misc",
        "/proc/sys/fs/binfmt_misc",
        "binfmt_misc",
        SAFE,
        "",
    ),
];

const VAR_FOLDERS: [&str; 8] = [
    "cache", "empty", "lib", "local", "lock", "log", "opt", "spool",
];

/// What consoles and the kernel command line need; errors show later, in [`all`].
pub(crate) fn early() {
    for entry in [PROC, DEV, SYS] {
        let _ = entry.mount();
    }
}

/// Everything; what fails is told and left out.
pub(crate) fn all(cmdline: &Cmdline) {
    tell(PROC.mount());
    // Nothing else has to bring them, and soon they can't be made.
    for entry in [RUN, TMP, VAR] {
        folder(entry.target, 0o755);
    }
    // The image's files do not change while the machine runs. Fails on a root that is read-only
    // already, or busy.
    let _ = mount_remount("/", MountFlags::RDONLY, "");
    tell(RUN.mount());
    tell(TMP.mount());
    tell(VAR.mount());
    tell(var_layout());
    tell(DEV.mount());
    tell(device_nodes());
    for entry in IN_DEV {
        tell(entry.mount());
    }
    tell(SYS.mount());
    for entry in OPTIONAL {
        let _ = entry.mount();
    }
    tell(cgroups::mount_all(
        cmdline.value("linuxkit.unified_cgroup_hierarchy") != Some("0"),
    ));
    tell(
        mount_change(
            "/",
            MountPropagationFlags::SHARED | MountPropagationFlags::REC,
        )
        .doing(|| "make / shared".to_owned()),
    );
}

fn tell(result: Result<()>) {
    if let Err(error) = result {
        say!("nodeimage: {error}");
    }
}

impl Fixed {
    /// Mounts it unless something of its kind is there already.
    fn mount(&self) -> Result<()> {
        if table::kind_at(Path::new(self.target)).as_deref() == Some(self.kind) {
            return Ok(());
        }
        folder(self.target, 0o755);
        let data = CString::new(self.data).unwrap_or_default();
        mount(
            self.source,
            self.target,
            self.kind,
            self.flags,
            data.as_c_str(),
        )
        .doing(|| format!("mount {} on {}", self.kind, self.target))
    }
}

/// Makes a folder and its parents; a mount on it tells when that failed.
fn folder(path: &str, mode: u32) {
    let _ = DirBuilder::new().recursive(true).mode(mode).create(path);
}

fn var_layout() -> Result<()> {
    for name in VAR_FOLDERS {
        let path = format!("/var/{name}");
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(&path)
            .doing(|| format!("make {path}"))?;
    }
    folder("/var/tmp", 0o1777);
    fs::set_permissions("/var/tmp", fs::Permissions::from_mode(0o1777))
        .doing(|| "make /var/tmp".to_owned())?;
    link("/run", "/var/run")
}

fn device_nodes() -> Result<()> {
    let nodes = [
        ("/dev/console", 0o600, 5, 1),
        ("/dev/tty1", 0o620, 4, 1),
        ("/dev/tty", 0o666, 5, 0),
        ("/dev/null", 0o666, 1, 3),
        ("/dev/kmsg", 0o660, 1, 11),
    ];
    for (path, mode, major, minor) in nodes {
        if Path::new(path).exists() {
            continue;
        }
        rustix::fs::mknodat(
            CWD,
            path,
            FileType::CharacterDevice,
            Mode::from_raw_mode(mode),
            rustix::fs::makedev(major, minor),
        )
        .doing(|| format!("make {path}"))?;
    }
    link("/proc/self/fd", "/dev/fd")?;
    link("/proc/self/fd/0", "/dev/stdin")?;
    link("/proc/self/fd/1", "/dev/stdout")?;
    link("/proc/self/fd/2", "/dev/stderr")?;
    link("/proc/kcore", "/dev/kcore")
}

fn link(target: &str, path: &str) -> Result<()> {
    if fs::symlink_metadata(path).is_ok() {
        return Ok(());
    }
    symlink(target, path).doing(|| format!("link {path} to {target}"))
}
