//! What the program does when it is not process 1: `nodeimage-init SUBCOMMAND`, or the command
//! it is called as (`poweroff`, `reboot`, `halt`, `modprobe`), or the kernel's request for a
//! module.

use std::ffi::OsString;
use std::path::Path;

use rustix::process::{Pid, kill_process};

use crate::cmdline::Cmdline;
use crate::error::{Doing, Error, Result};
use crate::modules::Modules;
use crate::services::{control, status};
use crate::shutdown::Goal;
use crate::signals;

const HELP: &str = "\
nodeimage-init: the init of a nodeimage machine

as process 1 it boots the machine; otherwise:
  nodeimage-init status                            the services and their states
  nodeimage-init service stop|start|restart NAME   control a service
  nodeimage-init poweroff|reboot|halt              stop the machine
  nodeimage-init modprobe NAME...                  load kernel modules
  nodeimage-init --version
poweroff, reboot, halt and modprobe also work as names of the program
";

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    Help,
    Version,
    Status,
    Service(String, String),
    Stop(Goal),
    /// Names, and whether an unknown one is no matter.
    Modules(Vec<String>, bool),
    Wrong(String),
}

/// Runs the command; returns the exit status.
pub(crate) fn run(arguments: Vec<OsString>) -> i32 {
    let words: Vec<String> = arguments
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    match obey(wish(&words)) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("nodeimage-init: {error}");
            1
        }
    }
}

fn wish(words: &[String]) -> Wish {
    let program = words.first().map_or("", String::as_str);
    let name = Path::new(program)
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let rest: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
    match (name.as_str(), rest.as_slice()) {
        // Called by the kernel through /proc/sys/kernel/modprobe.
        (_, ["-q", "--", modules @ ..]) => Wish::Modules(owned(modules), true),
        (command @ ("poweroff" | "reboot" | "halt" | "modprobe"), rest) => {
            command_wish(command, rest)
        }
        (
            _,
            [
                command @ ("poweroff" | "reboot" | "halt" | "modprobe"),
                rest @ ..,
            ],
        ) => command_wish(command, rest),
        (_, ["status"]) => Wish::Status,
        (_, ["service", order, service]) => {
            Wish::Service((*order).to_owned(), (*service).to_owned())
        }
        (_, ["--version" | "-V"]) => Wish::Version,
        (_, [] | ["--help" | "-h" | "help"]) => Wish::Help,
        (_, other) => Wish::Wrong(other.join(" ")),
    }
}

fn command_wish(command: &str, rest: &[&str]) -> Wish {
    match command {
        "poweroff" => Wish::Stop(Goal::PowerOff),
        "reboot" => Wish::Stop(Goal::Reboot),
        "halt" => Wish::Stop(Goal::Halt),
        _ => {
            let quiet = rest
                .iter()
                .any(|word| word.starts_with('-') && word.contains('q'));
            let names: Vec<&str> = rest
                .iter()
                .copied()
                .filter(|word| !word.starts_with('-'))
                .collect();
            Wish::Modules(owned(&names), quiet)
        }
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn obey(wish: Wish) -> Result<()> {
    match wish {
        Wish::Help => print!("{HELP}"),
        Wish::Version => println!("nodeimage-init {}", env!("CARGO_PKG_VERSION")),
        Wish::Status => show_status()?,
        Wish::Service(order, name) => control::ask(&order, &name)?,
        Wish::Stop(goal) => kill_process(Pid::INIT, signals::signal_for(goal))
            .doing(|| "signal process 1 (as root, in a container with `pid: host`)".to_owned())?,
        Wish::Modules(names, quiet) => {
            let modules = Modules::of_kernel(&Cmdline::of_kernel());
            for name in names {
                match modules.load_name(&name) {
                    // The kernel asks for many things that do not exist.
                    Err(Error::Missing { .. }) if quiet => {}
                    result => result?,
                }
            }
        }
        Wish::Wrong(words) => {
            return Err(Error::invalid(
                format!("command {words:?}"),
                "see nodeimage-init --help",
            ));
        }
    }
    Ok(())
}

fn show_status() -> Result<()> {
    println!(
        "{:<24} {:<9} {:>7} {:>8}  LAST EXIT",
        "SERVICE", "STATE", "PID", "RESTARTS"
    );
    for service in status::read_all()? {
        let state = format!("{:?}", service.state).to_lowercase();
        let pid = service
            .pid
            .map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        println!(
            "{:<24} {state:<9} {pid:>7} {:>8}  {}",
            service.name,
            service.restarts,
            service.last_exit.as_deref().unwrap_or("-")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Wish {
        wish(&owned(&line.split(' ').collect::<Vec<_>>()))
    }

    #[test]
    fn names_and_subcommands() {
        assert_eq!(of("/sbin/poweroff"), Wish::Stop(Goal::PowerOff));
        assert_eq!(of("reboot -f"), Wish::Stop(Goal::Reboot));
        assert_eq!(of("/init poweroff"), Wish::Stop(Goal::PowerOff));
        assert_eq!(of("/init halt"), Wish::Stop(Goal::Halt));
        assert_eq!(of("nodeimage-init status"), Wish::Status);
        assert_eq!(
            of("nodeimage-init service stop web"),
            Wish::Service("stop".to_owned(), "web".to_owned())
        );
        assert_eq!(of("nodeimage-init --version"), Wish::Version);
        assert_eq!(of("nodeimage-init"), Wish::Help);
        assert!(matches!(of("nodeimage-init what"), Wish::Wrong(_)));
    }

    #[test]
    fn module_requests() {
        let names = vec!["fs-overlay".to_owned()];
        assert_eq!(
            of("/init -q -- fs-overlay"),
            Wish::Modules(names.clone(), true)
        );
        assert_eq!(
            of("/sbin/modprobe fs-overlay"),
            Wish::Modules(names.clone(), false)
        );
        assert_eq!(
            of("/init modprobe -bq fs-overlay"),
            Wish::Modules(names, true)
        );
    }
}
