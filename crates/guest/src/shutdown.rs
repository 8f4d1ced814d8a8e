//! Stopping the machine: /etc/shutdown.d and the onshutdown containers while the services still
//! run, as in LinuxKit; then TERM to everyone, KILL to those who stay, and the file systems.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::mount::{MountFlags, UnmountFlags, mount_remount, unmount};
use rustix::system::{RebootCommand, reboot};

use crate::cmdline::Cmdline;
use crate::console::{self, say};
use crate::machine::Machine;
use crate::mounts::table;
use crate::sync::lock;
use crate::{onboot, scripts};

/// Time between TERM and KILL, unless `nodeimage.stop_timeout=SECONDS` says otherwise.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longest time that can be asked for.
const PATIENCE_LIMIT: u64 = 3600;

/// How the machine is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// Off.
    PowerOff,
    /// From the start.
    Reboot,
    /// Stopped, still powered.
    Halt,
}

/// Whether the machine is stopping.
#[derive(Debug, Default)]
pub(crate) struct Shutdown {
    begun: Mutex<bool>,
    changed: Condvar,
    hurried: AtomicBool,
}

impl Shutdown {
    /// It is.
    pub(crate) fn begun(&self) -> bool {
        *lock(&self.begun)
    }

    /// Someone asked twice: no more waiting for containers.
    pub(crate) fn hurried(&self) -> bool {
        self.hurried.load(Ordering::Relaxed)
    }

    /// Sleeps, but not into the shutdown.
    pub(crate) fn sleep(&self, time: Duration) {
        let begun = lock(&self.begun);
        let _ = self
            .changed
            .wait_timeout_while(begun, time, |begun| !*begun)
            .unwrap_or_else(PoisonError::into_inner);
    }

    /// Time between TERM and KILL.
    pub(crate) fn patience(&self, cmdline: &Cmdline) -> Duration {
        cmdline
            .value("nodeimage.stop_timeout")
            .and_then(|text| text.parse().ok())
            .map_or(PATIENCE, |seconds: u64| {
                Duration::from_secs(seconds.min(PATIENCE_LIMIT))
            })
    }
}

/// Begins to stop the machine, in a thread of its own; asking again hurries.
pub(crate) fn begin(machine: &Arc<Machine>, goal: Goal) {
    {
        let mut begun = lock(&machine.shutdown.begun);
        if *begun {
            machine.shutdown.hurried.store(true, Ordering::Relaxed);
            return;
        }
        *begun = true;
        machine.shutdown.changed.notify_all();
    }
    say!(
        "nodeimage: {}",
        match goal {
            Goal::PowerOff => "powering off",
            Goal::Reboot => "rebooting",
            Goal::Halt => "halting",
        }
    );
    let stopping = Arc::clone(machine);
    let started = thread::Builder::new()
        .name("shutdown".to_owned())
        .spawn(move || stop(&stopping, goal));
    if started.is_err() {
        stop_kernel(goal);
    }
}

fn stop(machine: &Machine, goal: Goal) {
    // Whatever goes wrong on the way, the machine must end.
    let _ = std::panic::catch_unwind(|| {
        for script in scripts::list(Path::new("/etc/shutdown.d")) {
            scripts::run(machine, &script);
        }
        onboot::run_at_shutdown(machine);
    });
    end_processes(machine);
    leave_file_systems();
    say!("nodeimage: done");
    console::flush(Duration::from_secs(2));
    stop_kernel(goal);
}

fn end_processes(machine: &Machine) {
    signal_all(libc::SIGTERM);
    if await_none(machine, machine.shutdown.patience(&machine.cmdline)) {
        return;
    }
    signal_all(libc::SIGKILL);
    if !await_none(machine, Duration::from_secs(2)) {
        say!("nodeimage: some processes cannot be killed");
    }
}

/// Waits until no process is left but kernel threads, which are not our children.
fn await_none(machine: &Machine, limit: Duration) -> bool {
    let end = Instant::now() + limit;
    while machine.reaper.has_children() {
        if Instant::now() >= end {
            return false;
        }
        thread::sleep(Duration::from_millis(20));
    }
    true
}

#[expect(unsafe_code, reason = "the safe wrapper cannot name all processes")]
fn signal_all(signal: libc::c_int) {
    // SAFETY: kill takes no pointers; -1 from process 1 is everyone but itself.
    unsafe {
        libc::kill(-1, signal);
    }
}

/// Writes everything out and unmounts what has a medium; what is busy becomes read-only.
fn leave_file_systems() {
    rustix::fs::sync();
    for entry in table::read().iter().rev() {
        match medium(&entry.kind) {
            Medium::None => {}
            Medium::Network => {
                let _ = unmount(&entry.target, UnmountFlags::DETACH);
            }
            Medium::Disk => {
                if unmount(&entry.target, UnmountFlags::empty()).is_err()
                    && let Err(error) = mount_remount(&entry.target, MountFlags::RDONLY, "")
                {
                    say!(
                        "nodeimage: cannot unmount {} ({}): {error}",
                        entry.target.display(),
                        entry.kind
                    );
                }
            }
        }
    }
    rustix::fs::sync();
}

#[derive(Debug, PartialEq, Eq)]
enum Medium {
    None,
    Disk,
    Network,
}

fn medium(kind: &str) -> Medium {
    match kind {
        "ext2" | "ext3" | "ext4" | "btrfs" | "xfs" | "vfat" | "msdos" | "exfat" | "f2fs"
        | "ntfs3" | "zfs" | "bcachefs" | "overlay" => Medium::Disk,
        "nfs" | "nfs4" | "cifs" | "smb3" | "ceph" | "9p" | "virtiofs" => Medium::Network,
        _ => Medium::None,
    }
}

/// Ends the kernel. Returns never: when the kernel refuses, it is told over and over.
pub(crate) fn stop_kernel(goal: Goal) -> ! {
    let command = match goal {
        Goal::PowerOff => RebootCommand::PowerOff,
        Goal::Reboot => RebootCommand::Restart,
        Goal::Halt => RebootCommand::Halt,
    };
    loop {
        if let Err(error) = reboot(command) {
            say!("nodeimage: the kernel does not stop: {error}");
        }
        thread::sleep(Duration::from_secs(10));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_limited() {
        let shutdown = Shutdown::default();
        let of = |line: &str| shutdown.patience(&Cmdline::parse(line)).as_secs();
        assert_eq!(of(""), 5);
        assert_eq!(of("nodeimage.stop_timeout=30"), 30);
        assert_eq!(of("nodeimage.stop_timeout=0"), 0);
        assert_eq!(of("nodeimage.stop_timeout=x"), 5);
        assert_eq!(of("nodeimage.stop_timeout=999999"), 3600);
    }

    #[test]
    fn media() {
        assert_eq!(medium("ext4"), Medium::Disk);
        assert_eq!(medium("nfs4"), Medium::Network);
        assert_eq!(medium("tmpfs"), Medium::None);
        assert_eq!(medium("cgroup2"), Medium::None);
    }
}
