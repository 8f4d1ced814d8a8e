//! Leaving rootfs: the kernel unpacks an initramfs into a file system that `pivot_root` cannot
//! leave, that has no size limit (ramfs) or one that nobody chose (half the memory), and that may
//! lack extended attributes. The whole tree moves to a tmpfs of a known size.

mod size;
mod tree;

use std::ffi::CString;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_move, unmount};

use crate::cmdline::Cmdline;
use crate::console::say;
use crate::error::{Doing, Result};
use crate::mounts::table;
use size::RootSize;

/// Where the new root is mounted while it fills.
const NEW: &str = ".nodeimage-root";

/// Whether / is the kernel's rootfs.
pub(crate) fn is_rootfs() -> bool {
    table::kind_at(Path::new("/")).as_deref() == Some("rootfs")
}

/// Moves the tree to a tmpfs and makes that the root. Consoles work until and after it; /proc,
/// /sys and /dev are unmounted in the end. An error leaves rootfs as root, complete.
pub(crate) fn leave_rootfs(cmdline: &Cmdline) -> Result<()> {
    let old = open_folder("/")?;
    let measure = tree::measure(old.as_fd(), NEW);
    let memory = total_memory();
    let wish = match cmdline.value("nodeimage.root_size").map(RootSize::parse) {
        Some(Ok(size)) => size,
        Some(Err(error)) => {
            say!("nodeimage: {error}; taking half of the memory");
            RootSize::default()
        }
        None => RootSize::default(),
    };
    let (bytes, short) = wish.bytes(memory, measure.bytes);
    if short {
        say!(
            "nodeimage: the image's {} MiB do not fit a root of the wanted size; it gets {} MiB",
            measure.bytes >> 20,
            bytes >> 20
        );
    }
    let data = format!(
        "size={bytes},nr_inodes={},mode=755",
        size::inodes(memory, measure.entries)
    );
    // No variable part can hold a NUL.
    let data = CString::new(data).unwrap_or_default();
    rustix::fs::mkdirat(CWD, format!("/{NEW}"), Mode::RWXU).doing(|| format!("make /{NEW}"))?;
    mount(
        "tmpfs",
        format!("/{NEW}"),
        "tmpfs",
        MountFlags::empty(),
        data.as_c_str(),
    )
    .doing(|| "mount a tmpfs for the root".to_owned())?;
    let new = open_folder(&format!("/{NEW}"))?;
    let faults = tree::move_all(old.as_fd(), new.as_fd(), NEW);
    for fault in faults.first() {
        say!("nodeimage: {fault}");
    }
    if faults.more() > 0 {
        say!("nodeimage: {} more files could not be moved", faults.more());
    }
    for mounted in ["/sys", "/proc", "/dev"] {
        // Busy or not there: what matters is mounted again on the new root.
        let _ = unmount(mounted, UnmountFlags::DETACH);
    }
    let what = || "make the tmpfs the root".to_owned();
    rustix::process::fchdir(new.as_fd()).doing(what)?;
    mount_move(".", "/").doing(what)?;
    rustix::process::chroot(".").doing(what)?;
    rustix::process::chdir("/").doing(what)?;
    crate::mounts::early();
    Ok(())
}

fn open_folder(path: &str) -> Result<rustix::fd::OwnedFd> {
    rustix::fs::open(
        path,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .doing(|| format!("open {path}"))
}

/// The machine's memory, bytes.
fn total_memory() -> u64 {
    let info = rustix::system::sysinfo();
    #[allow(clippy::useless_conversion, reason = "32 bits on 32-bit machines")]
    let units = u64::from(info.totalram);
    units.saturating_mul(u64::from(info.mem_unit))
}
