//! A virtual machine under test: QEMU with its serial console read along, a
//! monitor, and ports forwarded from the loopback interface.
//!
//! Always TCG, never KVM, so that a test takes the same path everywhere. The
//! disk and the firmware's variables are private to a run; nothing a machine
//! writes outlives it.

mod boot;
mod console;
mod fault;
mod firmware;
mod http;
mod monitor;

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use tempfile::TempDir;

pub use boot::{Boot, Bus, Direct, Disk};
pub use firmware::Firmware;
pub use http::Response;

use console::{Console, Waited};
use monitor::Monitor;

/// Between two looks at something that cannot be waited for.
const PAUSE: Duration = Duration::from_millis(200);

/// A running (or ended) machine. Dropping it kills it.
#[derive(Debug)]
pub struct Machine {
    child: Child,
    console: Console,
    monitor: Monitor,
    ports: BTreeMap<u16, u16>,
    deadline: Instant,
    cpu_at_end: Option<Duration>,
    // Holds the variables, the socket and, if nobody else asked, the log.
    _folder: TempDir,
}

impl Machine {
    /// Starts QEMU and returns once its monitor answers.
    ///
    /// # Errors
    /// When QEMU, its firmware or a file of `boot` is missing, or QEMU ends
    /// at once (its own words are in the error).
    pub fn boot(boot: &Boot) -> Result<Self> {
        let folder = boot::private_folder()?;
        let log = match &boot.log {
            Some(log) => log.clone(),
            None => folder.path().join("console.log"),
        };
        let file = File::create(&log).with_context(|| format!("cannot make {}", log.display()))?;
        let words = folder.path().join("qemu.log");
        let socket = folder.path().join("monitor");
        let mut command = boot.command(folder.path(), &socket)?;
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&words).context("cannot make QEMU's log")?)
            .spawn()
            .with_context(|| format!("cannot run {program}: run cargo xtask setup"))?;
        let deadline = Instant::now() + boot.time_out;
        let started = start(&mut child, file, &socket, boot, deadline);
        match started {
            Ok((console, monitor, ports)) => Ok(Self {
                child,
                console,
                monitor,
                ports,
                deadline,
                cpu_at_end: None,
                _folder: folder,
            }),
            Err(error) => {
                // Its own words explain more than the monitor's silence.
                let _ = child.kill();
                let _ = child.wait();
                let words = std::fs::read_to_string(&words).unwrap_or_default();
                Err(error.context(format!("QEMU did not start: {}", words.trim())))
            }
        }
    }

    /// Boots and waits until `text` is on the console. When the emulator itself stops, says so on
    /// standard error and tries once more.
    ///
    /// # Errors
    /// As [`Machine::boot`] and [`Machine::wait_for`].
    pub fn boot_until(boot: &Boot, text: &str, time_out: Duration) -> Result<Self> {
        let machine = Self::boot(boot)?;
        match machine.wait_for(text, time_out) {
            Ok(()) => return Ok(machine),
            Err(error) if !machine.console_has(fault::STALL) => return Err(error),
            Err(error) => eprintln!("the emulator stopped; booting once more.\n{error:#}"),
        }
        drop(machine);
        let machine = Self::boot(boot)?;
        machine.wait_for(text, time_out)?;
        Ok(machine)
    }

    /// Waits until `text` has been on the console, since the start.
    ///
    /// # Errors
    /// At once when the console shows that the boot has failed or the machine
    /// has ended; after `time_out`, or the machine's own, otherwise. The error
    /// ends with the console's last lines.
    pub fn wait_for(&self, text: &str, time_out: Duration) -> Result<()> {
        let deadline = self.deadline.min(Instant::now() + time_out);
        match self.console.wait_for(text.as_bytes(), deadline) {
            Waited::Found => Ok(()),
            Waited::Fault(fault) => Err(self.failed(&format!("{fault:?} came up"), text)),
            Waited::Ended => Err(self.failed("the machine ended", text)),
            Waited::TimedOut => Err(self.failed("the time ran out", text)),
        }
    }

    fn failed(&self, what: &str, text: &str) -> anyhow::Error {
        let tail = self.console_tail();
        anyhow!("{what} before {text:?}. The console's end:\n{tail}")
    }

    /// Whether `text` has been on the console so far.
    #[must_use]
    pub fn console_has(&self, text: &str) -> bool {
        self.console.has(text.as_bytes())
    }

    /// The last lines of the console, without control sequences.
    #[must_use]
    pub fn console_tail(&self) -> String {
        self.console.tail()
    }

    /// The loopback port that leads to a port of the guest.
    ///
    /// # Errors
    /// When [`Boot::forward`] does not have the guest's port.
    pub fn port(&self, guest: u16) -> Result<u16> {
        self.ports
            .get(&guest)
            .copied()
            .ok_or_else(|| anyhow!("port {guest} of the guest is not forwarded"))
    }

    /// Asks the guest's web server for `path`, again and again until it
    /// answers at all.
    ///
    /// # Errors
    /// When there was no answer within `time_out`, or the machine ended.
    pub fn http_get(&mut self, guest: u16, path: &str, time_out: Duration) -> Result<Response> {
        let port = self.port(guest)?;
        let deadline = self.deadline.min(Instant::now() + time_out);
        loop {
            // QEMU takes the connection even when nobody listens in the guest.
            let error = match http::get(port, path) {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            if self.ended()? {
                return Err(error.context("the machine ended before its web server answered"));
            }
            if Instant::now() >= deadline {
                let tail = self.console_tail();
                return Err(error.context(format!("no answer in time; the console's end:\n{tail}")));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Presses the power button.
    ///
    /// # Errors
    /// When the monitor does not answer.
    pub fn power_button(&mut self) -> Result<()> {
        self.monitor.run("system_powerdown").map(|_| ())
    }

    /// Waits until the machine has switched itself off.
    ///
    /// # Errors
    /// When QEMU failed, or is still running after `time_out`.
    pub fn wait_for_end(&mut self, time_out: Duration) -> Result<()> {
        let deadline = self.deadline.min(Instant::now() + time_out);
        while !self.ended()? {
            if Instant::now() >= deadline {
                bail!(
                    "the machine is still on; the console's end:\n{}",
                    self.console_tail()
                );
            }
            std::thread::sleep(PAUSE);
        }
        let status = self.child.wait().context("cannot wait for QEMU")?;
        if !status.success() {
            bail!("QEMU failed ({status}, signal {:?})", status.signal());
        }
        Ok(())
    }

    /// Processor time QEMU has used, or had when it ended.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn cpu_time(&mut self) -> Result<Duration> {
        match self.cpu_at_end {
            Some(time) => Ok(time),
            None => boot::cpu_time(self.child.id()),
        }
    }

    /// Notices an end, and what QEMU used until then: that is gone from
    /// `/proc` once the process has been waited for.
    fn ended(&mut self) -> Result<bool> {
        if self.cpu_at_end.is_none() {
            if !boot::has_ended(self.child.id())? {
                return Ok(false);
            }
            self.cpu_at_end = Some(boot::cpu_time(self.child.id())?);
            self.child.wait().context("cannot wait for QEMU")?;
        }
        Ok(true)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Nothing to be done about a failure here; a process that has been
        // waited for is not signalled again.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

type Started = (Console, Monitor, BTreeMap<u16, u16>);

fn start(
    child: &mut Child,
    log: File,
    socket: &Path,
    boot: &Boot,
    deadline: Instant,
) -> Result<Started> {
    let output = child
        .stdout
        .take()
        .ok_or_else(|| anyhow!("no pipe from QEMU"))?;
    let console = Console::capture(output, log)?;
    let mut monitor = loop {
        match Monitor::connect(socket) {
            Ok(monitor) => break monitor,
            Err(error) => {
                if child.try_wait().context("cannot wait for QEMU")?.is_some()
                    || Instant::now() >= deadline
                {
                    return Err(error);
                }
            }
        }
        std::thread::sleep(PAUSE / 4);
    };
    let ports = if boot.forward.is_empty() {
        BTreeMap::new()
    } else {
        monitor::forwarded(&monitor.human("info usernet")?)
    };
    if let Some(port) = boot.forward.iter().find(|port| !ports.contains_key(port)) {
        bail!("QEMU does not forward port {port}");
    }
    Ok((console, monitor, ports))
}
