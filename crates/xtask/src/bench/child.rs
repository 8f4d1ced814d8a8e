//! A program's cost: processor time, wall time and peak memory of it and of
//! all it started and waited for.

use std::mem::MaybeUninit;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process;

/// What one run cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cost {
    /// User and system time.
    pub(super) cpu: Duration,
    pub(super) wall: Duration,
    /// Bytes; never below this process's own, which a child begins with.
    pub(super) peak: u64,
}

impl Cost {
    /// The least of each time, and the most memory, of several runs: other
    /// programs can only have made a time longer.
    pub(super) fn best(runs: &[Self]) -> Option<Self> {
        runs.iter().copied().reduce(|a, b| Self {
            cpu: a.cpu.min(b.cpu),
            wall: a.wall.min(b.wall),
            peak: a.peak.max(b.peak),
        })
    }
}

/// Runs a program to its end and measures it. What it prints is dropped, save
/// for errors.
pub(super) fn measure(command: &mut Command) -> Result<Cost> {
    let words = tempfile::tempfile().context("cannot make a temporary file")?;
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(words.try_clone().context("cannot share a file")?);
    let start = Instant::now();
    let child = command
        .spawn()
        .with_context(|| format!("cannot run {}", process::shown(command)))?;
    let (status, usage) =
        wait(child.id()).with_context(|| format!("cannot wait for {}", process::shown(command)))?;
    let wall = start.elapsed();
    if !status.success() {
        let said = read(words).unwrap_or_default();
        bail!(
            "{} failed ({status}):\n{}",
            process::shown(command),
            process::tail(&said)
        );
    }
    Ok(Cost {
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        wall,
        // Linux counts KiB (getrusage(2)).
        peak: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
    })
}

fn read(mut file: std::fs::File) -> std::io::Result<Vec<u8>> {
    use std::io::{Read, Seek};
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[expect(
    unsafe_code,
    reason = "the standard library has no wait that tells what a child used"
)]
fn wait(pid: u32) -> std::io::Result<(ExitStatus, libc::rusage)> {
    let pid = libc::pid_t::try_from(pid).map_err(std::io::Error::other)?;
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    loop {
        // SAFETY: both pointers are to live variables of the types that
        // wait4(2) writes, and it writes nothing else.
        let waited = unsafe { libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()) };
        if waited == pid {
            // SAFETY: wait4 filled it in; before that it was zeros, which are
            // valid for a structure of integers.
            let usage = unsafe { usage.assume_init() };
            return Ok((ExitStatus::from_raw(status), usage));
        }
        let error = std::io::Error::last_os_error();
        if error.kind() != std::io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

fn time(value: libc::timeval) -> Duration {
    let seconds = u64::try_from(value.tv_sec).unwrap_or(0);
    let micros = u64::try_from(value.tv_usec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_and_memory_of_a_child_are_its_own() {
        let busy = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";
        let cost = measure(Command::new("sh").args(["-c", busy])).unwrap();
        assert!(cost.cpu > Duration::from_millis(5) && cost.cpu <= cost.wall * 2);
        let large = "dd if=/dev/zero of=/dev/null bs=64M count=1";
        let large = measure(Command::new("sh").args(["-c", large])).unwrap();
        assert!(large.peak >= 64 << 20, "{large:?}");
        let idle = measure(Command::new("sleep").arg("0.1")).unwrap();
        assert!(idle.cpu < idle.wall && idle.peak < large.peak);
    }

    #[test]
    fn a_failure_has_the_programs_words() {
        let error = measure(Command::new("sh").args(["-c", "echo odd >&2; exit 4"])).unwrap_err();
        assert!(error.to_string().ends_with("odd"), "{error}");
    }

    #[test]
    fn the_best_of_runs() {
        let cost = |cpu, wall, peak| Cost {
            cpu: Duration::from_millis(cpu),
            wall: Duration::from_millis(wall),
            peak,
        };
        let runs = [cost(3, 10, 5), cost(4, 9, 7)];
        assert_eq!(Cost::best(&runs), Some(cost(3, 9, 7)));
        assert_eq!(Cost::best(&[]), None);
    }
}
