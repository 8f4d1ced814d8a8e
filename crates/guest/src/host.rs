//! What makes a machine of a kernel: its name, clock, limits, and loopback.

mod name;

use std::fs::{self, File};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::time::{ClockId, Timespec, clock_settime};

use crate::console::say;
use crate::error::{Doing, Error, Result};
use crate::net::link;

pub(crate) use name::set as set_name;

/// Open files a process may have, as in LinuxKit.
const OPEN_FILES: u64 = 1 << 20;

/// Sets up everything here but the name; what fails is told.
pub(crate) fn set_up() {
    for result in [clock(), link::loopback(), limits(), resolv_conf()] {
        if let Err(error) = result {
            say!("nodeimage: {error}");
        }
    }
}

/// Sets the system clock from a hardware clock, unless the kernel has.
fn clock() -> Result<()> {
    let Ok(clocks) = fs::read_dir("/sys/class/rtc") else {
        return Ok(());
    };
    let mut clocks: Vec<_> = clocks.flatten().map(|entry| entry.path()).collect();
    clocks.sort();
    let set_by_kernel = |clock: &Path| {
        fs::read_to_string(clock.join("hctosys")).is_ok_and(|text| text.trim() == "1")
    };
    if clocks.iter().any(|clock| set_by_kernel(clock)) {
        return Ok(());
    }
    let Some(clock) = clocks.first() else {
        return Ok(());
    };
    let what = || format!("read the clock {}", clock.display());
    let text = fs::read_to_string(clock.join("since_epoch")).doing(what)?;
    let seconds: i64 = text
        .trim()
        .parse()
        .map_err(|_| Error::invalid(clock.display().to_string(), "it has no time"))?;
    // A clock that was never set must not turn time back.
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs());
    if u64::try_from(seconds).unwrap_or(0) <= now {
        return Ok(());
    }
    let time = Timespec {
        tv_sec: seconds,
        tv_nsec: 0,
    };
    clock_settime(ClockId::Realtime, time).doing(|| "set the system clock".to_owned())
}

fn limits() -> Result<()> {
    let both = |limit| Rlimit {
        current: limit,
        maximum: limit,
    };
    setrlimit(Resource::Nofile, both(Some(OPEN_FILES)))
        .doing(|| "set the limit of open files".to_owned())?;
    setrlimit(Resource::Nproc, both(None)).doing(|| "lift the limit of processes".to_owned())
}

/// Makes the file that /etc/resolv.conf points to, so that it can be bound into containers.
fn resolv_conf() -> Result<()> {
    let Ok(target) = fs::read_link("/etc/resolv.conf") else {
        return Ok(());
    };
    let target = Path::new("/etc").join(target);
    let what = || format!("make {}", target.display());
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder).doing(what)?;
    }
    File::options()
        .append(true)
        .create(true)
        .open(&target)
        .map(drop)
        .doing(what)
}
