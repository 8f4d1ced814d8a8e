//! Process 1: the move off rootfs, then the boot in a thread of its own while this one takes
//! signals and collects processes.

use std::convert::Infallible;
use std::ffi::{CString, OsStr};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, thread};

use rustix::fs::{Mode, OFlags};

use crate::cmdline::Cmdline;
use crate::console::{self, say};
use crate::error::{Doing, Result};
use crate::machine::Machine;
use crate::signals::Request;
use crate::{boot, emergency, mounts, root, shutdown, signals};

/// How often processes are collected when no signal came: a lost SIGCHLD must not matter.
const TICK: Duration = Duration::from_secs(10);

/// Runs the machine; never returns, whatever happens.
pub(crate) fn run() -> ! {
    emergency::watch_panics();
    let error = match std::panic::catch_unwind(start) {
        Ok(Err(error)) => error.to_string(),
        Ok(Ok(never)) => match never {},
        Err(_) => "it panicked".to_owned(),
    };
    emergency::stay(&error)
}

fn start() -> Result<Infallible> {
    let own = own_path();
    rustix::process::umask(Mode::from_raw_mode(0o022));
    mounts::early();
    detach_from_console();
    let cmdline = Cmdline::of_kernel();
    let mut on_rootfs = root::is_rootfs();
    if on_rootfs {
        match root::leave_rootfs(&cmdline) {
            Ok(()) => {
                console::flush(Duration::from_secs(1));
                // Gives back the memory of the file that has moved. Should it fail, this process
                // serves as well.
                let error = Command::new(&own).env_clear().exec();
                say!("nodeimage: cannot start {} again: {error}", own.display());
                on_rootfs = false;
                mounts::early();
            }
            Err(error) => say!("nodeimage: staying on rootfs: {error}"),
        }
    }
    signals::block().doing(|| "block signals".to_owned())?;
    let _ = rustix::system::reboot(rustix::system::RebootCommand::CadOff);
    let machine = Arc::new(Machine::new(cmdline, own, on_rootfs));
    let booting = Arc::clone(&machine);
    thread::Builder::new()
        .name("boot".to_owned())
        .spawn(move || {
            let run = AssertUnwindSafe(|| boot::run(&booting));
            if std::panic::catch_unwind(run).is_err() {
                say!("nodeimage: the boot ends here; the machine stays on for inspection");
            }
        })
        .doing(|| "start the boot's thread".to_owned())?;
    loop {
        if let Some(Request::Shutdown(goal)) = signals::wait(TICK) {
            shutdown::begin(&machine, goal);
        }
        machine.reaper.reap();
    }
}

/// The path of this program, read while the file has it.
fn own_path() -> PathBuf {
    let known = fs::read_link("/proc/self/exe").ok();
    let called = || std::env::args_os().next().map(PathBuf::from);
    known
        .or_else(called)
        .filter(|path| path.is_absolute())
        .unwrap_or_else(|| Path::new("/init").to_path_buf())
}

/// Makes the standard streams /dev/null: a console that is stuck, or gone, must not hold up what
/// writes to them, and programs we start get theirs explicitly.
fn detach_from_console() {
    let path = CString::new(OsStr::new("/dev/null").as_bytes()).unwrap_or_default();
    let Ok(null) = rustix::fs::open(path.as_c_str(), OFlags::RDWR, Mode::empty()) else {
        return;
    };
    let _ = rustix::stdio::dup2_stdin(null.as_fd());
    let _ = rustix::stdio::dup2_stdout(null.as_fd());
    let _ = rustix::stdio::dup2_stderr(null.as_fd());
    // When a standard stream was closed the file has taken its place, and must keep it.
    if rustix::fd::AsRawFd::as_raw_fd(&null) <= 2 {
        std::mem::forget(null);
    }
}
