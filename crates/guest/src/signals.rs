//! The signals process 1 lives by, blocked and then taken one by one.
//!
//! A blocked signal is kept for us even where process 1 would otherwise never see it.

use std::io;
use std::time::Duration;

use crate::shutdown::Goal;

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// A process has ended.
    Reap,
    /// Someone wants the machine to stop.
    Shutdown(Goal),
}

/// busybox's meanings; SIGINT is ctrl-alt-del, SIGPWR a failing power supply.
const MEANINGS: [(libc::c_int, Request); 6] = [
    (libc::SIGCHLD, Request::Reap),
    (libc::SIGTERM, Request::Shutdown(Goal::Reboot)),
    (libc::SIGINT, Request::Shutdown(Goal::Reboot)),
    (libc::SIGUSR1, Request::Shutdown(Goal::Halt)),
    (libc::SIGUSR2, Request::Shutdown(Goal::PowerOff)),
    (libc::SIGPWR, Request::Shutdown(Goal::PowerOff)),
];

/// The signal that makes process 1 reach `goal`.
pub(crate) fn signal_for(goal: Goal) -> rustix::process::Signal {
    match goal {
        Goal::Reboot => rustix::process::Signal::TERM,
        Goal::Halt => rustix::process::Signal::USR1,
        Goal::PowerOff => rustix::process::Signal::USR2,
    }
}

/// Blocks the signals in this thread and those it starts; to be called before any other thread.
#[expect(unsafe_code, reason = "signal masks are in no safe wrapper")]
pub(crate) fn block() -> io::Result<()> {
    let set = set();
    // SAFETY: `set` is initialised and the old mask is not asked for.
    match unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Waits for a signal, at most `limit` (below an hour).
#[expect(unsafe_code, reason = "sigtimedwait is in no safe wrapper")]
pub(crate) fn wait(limit: Duration) -> Option<Request> {
    let set = set();
    // SAFETY: all-zero is a valid timespec.
    let mut time: libc::timespec = unsafe { std::mem::zeroed() };
    time.tv_sec = limit.as_secs().min(3600).cast_signed();
    // SAFETY: `set` and `time` are initialised; the details of the signal are not asked for.
    let signal =
        unsafe { libc::sigtimedwait(&raw const set, std::ptr::null_mut(), &raw const time) };
    MEANINGS
        .iter()
        .find(|(known, _)| *known == signal)
        .map(|(_, request)| *request)
}

#[expect(unsafe_code, reason = "signal sets are in no safe wrapper")]
fn set() -> libc::sigset_t {
    // SAFETY: sigemptyset initialises the set, and both calls get a valid pointer and signals
    // that exist, so they cannot fail.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for (signal, _) in MEANINGS {
            libc::sigaddset(&raw mut set, signal);
        }
        set
    }
}
