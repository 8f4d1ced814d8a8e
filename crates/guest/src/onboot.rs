//! Containers that run one after the other: onboot, and onshutdown.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use crate::console::say;
use crate::container::bundle::{self, Bundle, Section};
use crate::container::config::{self, OnFailure};
use crate::container::launch::launch;
use crate::container::output::Output;
use crate::container::prepare;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::machine::Machine;
use crate::services::backoff::Backoff;

/// How often a container with `nodeimage.onfailure: retry` is run.
const TRIES: u32 = 10;

/// Bytes of a container's log shown on the consoles.
const SHOWN: u64 = 64 << 10;

const ONBOOT_LOGS: &str = "/run/log/onboot";
const SHUTDOWN_LOGS: &str = "/run/log/shutdown";

/// Whether the boot goes on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It does.
    Continue,
    /// This container's failure forbids it.
    Stop(String),
}

/// Runs the onboot containers.
pub(crate) fn run(machine: &Machine) -> Verdict {
    link_logs();
    let verdict = bundle::list(Section::Onboot)
        .iter()
        .find_map(|bundle| {
            let go_on = machine.shutdown.begun() || one(machine, bundle);
            (!go_on).then(|| Verdict::Stop(bundle.name.clone()))
        })
        .unwrap_or(Verdict::Continue);
    // Again: one of them may have mounted a disk on /var.
    link_logs();
    verdict
}

/// Runs the onshutdown containers.
pub(crate) fn run_at_shutdown(machine: &Machine) {
    for bundle in bundle::list(Section::Onshutdown) {
        if machine.shutdown.hurried() {
            say!("nodeimage: {} is left out", bundle.name);
            continue;
        }
        if let Err(error) = attempt(machine, &bundle, Section::Onshutdown) {
            say!("nodeimage: onshutdown {} failed: {error}", bundle.name);
        }
    }
}

/// LinuxKit's tools look for the logs in /var/log too.
fn link_logs() {
    let _ = std::fs::create_dir_all("/var/log");
    // There already, or /var is read-only.
    let _ = symlink(ONBOOT_LOGS, "/var/log/onboot");
}

/// Runs one as its annotation says; false when the boot must stop.
fn one(machine: &Machine, bundle: &Bundle) -> bool {
    let (policy, fault) = config::policy(&bundle.path);
    if let Some(fault) = fault {
        say!("nodeimage: {fault}");
    }
    let tries = match policy.on_failure {
        OnFailure::Retry => TRIES,
        OnFailure::Continue | OnFailure::Stop => 1,
    };
    let mut backoff = Backoff::default();
    for number in 1..=tries {
        let Err(error) = attempt(machine, bundle, Section::Onboot) else {
            return true;
        };
        say!("nodeimage: onboot {} failed: {error}", bundle.name);
        if machine.shutdown.begun() {
            break;
        }
        if number < tries {
            let pause = backoff.next(Duration::ZERO);
            say!(
                "nodeimage: onboot {} runs again in {} s (try {} of {tries})",
                bundle.name,
                pause.as_secs(),
                number + 1
            );
            machine.shutdown.sleep(pause);
        }
    }
    policy.on_failure == OnFailure::Continue || machine.shutdown.begun()
}

/// Runs a container once; a status other than 0 is an error. Its output is shown when it ends.
fn attempt(machine: &Machine, bundle: &Bundle, section: Section) -> Result<()> {
    let (folder, stage) = match section {
        Section::Onshutdown => (SHUTDOWN_LOGS, "shutdown"),
        Section::Onboot | Section::Services => (ONBOOT_LOGS, "onboot"),
    };
    let name = format!("{stage}.{}", bundle.name);
    let to_console = machine.cmdline.flag("linuxkit.runc_console");
    let output = Output::new(Path::new(folder), &name, to_console)?;
    let start = output.lengths();
    let result = run_once(machine, bundle, &output);
    prepare::clean(bundle);
    let text = output.since(start, SHOWN);
    if !text.trim().is_empty() {
        say!("{text}");
    }
    match result? {
        exit if exit.success() => Ok(()),
        exit => Err(Error::Ended {
            exit,
            log: output.errors.display().to_string(),
        }),
    }
}

fn run_once(machine: &Machine, bundle: &Bundle, output: &Output) -> Result<Exit> {
    let config = config::runtime(&bundle.path)?;
    prepare::prepare(bundle, &config)?;
    let (sender, end) = channel();
    let notify = Box::new(move |exit| {
        let _ = sender.send(exit);
    });
    let result = launch(machine, bundle, &config, output, notify).and_then(|_| {
        loop {
            match end.recv_timeout(Duration::from_secs(1)) {
                Ok(exit) => return Ok(exit),
                Err(RecvTimeoutError::Timeout) if machine.shutdown.hurried() => {
                    return Err(Error::invalid("its end", "nobody waits for it any more"));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::invalid("its end", "it was not seen"));
                }
            }
        }
    });
    if let Ok(runtime) = machine.runtime() {
        runtime.delete(&machine.reaper, &bundle.name);
    }
    result
}
