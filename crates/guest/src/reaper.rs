//! The one place where processes are waited for.
//!
//! Process 1 inherits every orphan: containers (their `runc create` parent is gone by then) and
//! strangers. A single loop collects them all and hands each end to whoever asked for it.
//!
//! Two races are closed. A process is looked at without collecting it, then collected under the
//! lock, and [`Reaper::spawn`] holds that lock while it forks: so a child cannot be collected
//! before it is known, nor stolen from the standard library, which waits itself when `exec`
//! fails. Ends nobody asked for are remembered for a while, for a container that dies between
//! its creation and [`Reaper::on_exit`].

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::process::Command;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};

use crate::error::{Doing, Error, Result};
use crate::exit::Exit;
use crate::sync::lock;

/// How many ends that nobody asked for are remembered.
const REMEMBERED: usize = 1024;

/// Called once with the end of a process.
pub(crate) type OnExit = Box<dyn FnOnce(Exit) + Send>;

/// A point in the order of ends; later ones belong to processes that lived after it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark(u64);

/// Collects the ends of processes.
#[derive(Default)]
pub(crate) struct Reaper {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: BTreeMap<i32, OnExit>,
    unclaimed: VecDeque<(u64, i32, Exit)>,
    ends: u64,
}

impl Reaper {
    /// Starts `command`; its end goes to the returned channel.
    pub(crate) fn spawn(&self, command: &mut Command) -> io::Result<(i32, Receiver<Exit>)> {
        let (sender, receiver) = channel();
        let mut state = lock(&self.state);
        let child = command.spawn()?;
        let pid = child.id().cast_signed();
        let notify: OnExit = Box::new(move |exit| {
            // The receiver may have lost interest.
            let _ = sender.send(exit);
        });
        state.waiting.insert(pid, notify);
        Ok((pid, receiver))
    }

    /// Runs `command` to its end.
    pub(crate) fn run(&self, command: &mut Command) -> Result<Exit> {
        let program = command.get_program().display().to_string();
        let what = || format!("run {program}");
        let (_, end) = match self.spawn(command) {
            Ok(started) => started,
            Err(error) => return Err(error).doing(what),
        };
        end.recv()
            .map_err(|_| io::Error::other("its end was not seen"))
            .doing(what)
    }

    /// Now, for [`Reaper::on_exit`].
    pub(crate) fn mark(&self) -> Mark {
        Mark(lock(&self.state).ends)
    }

    /// Calls `notify` with the end of `pid`, at once when it ended since `mark`.
    pub(crate) fn on_exit(&self, pid: i32, mark: Mark, notify: OnExit) -> Result<()> {
        let mut state = lock(&self.state);
        let ended = state
            .unclaimed
            .iter()
            .find(|(at, known, _)| *at >= mark.0 && *known == pid)
            .map(|(_, _, exit)| *exit);
        if let Some(exit) = ended {
            drop(state);
            notify(exit);
            return Ok(());
        }
        if pid <= 0 || sys::peek(sys::Whom::One(pid)).is_err() {
            return Err(Error::invalid(
                format!("process {pid}"),
                "it is not a child of init; the container runtime gave a wrong process id",
            ));
        }
        state.waiting.insert(pid, notify);
        Ok(())
    }

    /// Collects every process that has ended; never waits.
    pub(crate) fn reap(&self) {
        while let Ok(Some(pid)) = sys::peek(sys::Whom::Any) {
            let mut state = lock(&self.state);
            // Already collected by a failed spawn: look again.
            let Ok(Some(exit)) = sys::collect(pid) else {
                continue;
            };
            let number = state.ends;
            state.ends += 1;
            if let Some(notify) = state.waiting.remove(&pid) {
                drop(state);
                notify(exit);
            } else {
                if state.unclaimed.len() == REMEMBERED {
                    state.unclaimed.pop_front();
                }
                state.unclaimed.push_back((number, pid, exit));
            }
        }
    }

    /// Whether any process of ours is left; also true when the kernel does not say.
    pub(crate) fn has_children(&self) -> bool {
        !matches!(sys::peek(sys::Whom::Any), Err(error) if error.raw_os_error() == Some(libc::ECHILD))
    }
}

#[expect(
    unsafe_code,
    reason = "waitid with the process id in its answer is in no safe wrapper"
)]
mod sys {
    //! `waitid(2)`.
    use std::io;

    use crate::exit::Exit;

    /// Whom to wait for.
    pub(super) enum Whom {
        /// Any child.
        Any,
        /// This child.
        One(i32),
    }

    /// A child that has ended, left uncollected; `None` when none has yet.
    pub(super) fn peek(whom: Whom) -> io::Result<Option<i32>> {
        let (kind, id) = match whom {
            Whom::Any => (libc::P_ALL, 0),
            Whom::One(pid) => (libc::P_PID, pid.cast_unsigned()),
        };
        let info = waitid(kind, id, libc::WNOWAIT)?;
        // SAFETY: waitid filled in the fields of SIGCHLD, or left the structure zero.
        let pid = unsafe { info.si_pid() };
        Ok((pid != 0).then_some(pid))
    }

    /// Collects `pid` if it has ended.
    pub(super) fn collect(pid: i32) -> io::Result<Option<Exit>> {
        let info = waitid(libc::P_PID, pid.cast_unsigned(), 0)?;
        // SAFETY: as in `peek`.
        let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
        Ok((pid != 0).then_some(match info.si_code {
            libc::CLD_EXITED => Exit::Code(status),
            _ => Exit::Signal(status),
        }))
    }

    fn waitid(
        kind: libc::idtype_t,
        id: libc::id_t,
        more: libc::c_int,
    ) -> io::Result<libc::siginfo_t> {
        // SAFETY: all-zero is a valid siginfo_t, and means "nothing" when it comes back.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        let options = libc::WEXITED | libc::WNOHANG | more;
        // SAFETY: `info` is valid for writes for the whole call.
        match unsafe { libc::waitid(kind, id, &raw mut info, options) } {
            0 => Ok(info),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;

    /// One test: every reaper of a process sees all its children.
    #[test]
    fn ends_reach_those_who_asked() {
        let reaper = Arc::new(Reaper::default());
        let stop = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let (reaper, stop) = (Arc::clone(&reaper), Arc::clone(&stop));
            move || {
                while !stop.load(Ordering::Relaxed) {
                    reaper.reap();
                    thread::sleep(Duration::from_millis(1));
                }
            }
        });
        let shell = |script: &str| {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", script]);
            command
        };
        for code in 0..50 {
            let exit = reaper.run(&mut shell(&format!("exit {code}"))).unwrap();
            assert_eq!(exit, Exit::Code(code));
        }
        assert_eq!(
            reaper.run(&mut shell("kill -9 $$")).unwrap(),
            Exit::Signal(9)
        );
        // The standard library collects the child itself here.
        for _ in 0..50 {
            assert!(reaper.run(&mut Command::new("/nonexistent")).is_err());
        }
        // Ended and collected before anyone asked.
        let mark = reaper.mark();
        let pid = shell("exit 7").spawn().unwrap().id().cast_signed();
        while reaper.mark().0 == mark.0 {
            thread::sleep(Duration::from_millis(1));
        }
        let (sender, receiver) = channel();
        let notify = Box::new(move |exit| sender.send(exit).unwrap());
        reaper.on_exit(pid, mark, notify).unwrap();
        assert_eq!(receiver.recv().unwrap(), Exit::Code(7));
        // Not ours, or before the mark.
        assert!(reaper.on_exit(1, mark, Box::new(|_| {})).is_err());
        assert!(
            reaper
                .on_exit(pid, reaper.mark(), Box::new(|_| {}))
                .is_err()
        );
        assert!(!reaper.has_children());
        stop.store(true, Ordering::Relaxed);
        thread.join().unwrap();
    }
}
