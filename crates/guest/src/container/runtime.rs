//! The container runtime of the image: `runc` or `crun`, whose commands are alike.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::bundle::Bundle;
use super::output::Output;
use super::version;
use crate::cmdline::Cmdline;
use crate::error::{Doing, Error, Result};
use crate::machine::RUN;
use crate::reaper::{Mark, Reaper};

/// Where programs are looked for, in order.
const FOLDERS: [&str; 5] = ["/usr/bin", "/bin", "/usr/local/bin", "/sbin", "/usr/sbin"];
const NAMES: [&str; 2] = ["runc", "crun"];

/// The search path of programs we start.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A runtime.
#[derive(Debug)]
pub(crate) struct Runtime {
    program: PathBuf,
    /// It may know OCI 1.0 only: see [`version`].
    crun: bool,
    /// `linuxkit.runc_debug=1`.
    debug: bool,
    /// / is rootfs, which `pivot_root` cannot leave.
    no_pivot: bool,
}

/// A container that exists and has not started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Created {
    /// Its first process.
    pub(crate) pid: i32,
    /// From before that process was there.
    pub(crate) mark: Mark,
}

impl Runtime {
    /// Finds the image's.
    pub(crate) fn find(cmdline: &Cmdline, no_pivot: bool) -> Result<Self> {
        let program = NAMES
            .iter()
            .flat_map(|name| {
                FOLDERS
                    .iter()
                    .map(move |folder| Path::new(folder).join(name))
            })
            .find(|path| path.is_file())
            .ok_or_else(|| Error::Missing {
                what: "a container runtime".to_owned(),
                hint: "add an image with runc or crun to the init section; without one no \
                       container runs"
                    .to_owned(),
            })?;
        Ok(Self {
            crun: program.ends_with("crun"),
            program,
            debug: cmdline.flag("linuxkit.runc_debug"),
            no_pivot,
        })
    }

    /// Makes the container and its namespaces; its first process waits for [`Runtime::start`].
    pub(crate) fn create(
        &self,
        reaper: &Reaper,
        bundle: &Bundle,
        output: &Output,
    ) -> Result<Created> {
        let folder = Path::new(RUN).join("containers");
        std::fs::create_dir_all(&folder).doing(|| format!("make {}", folder.display()))?;
        let pid_file = folder.join(format!("{}.pid", bundle.name));
        let mut command = self.command("create");
        if self.crun {
            let config = folder.join(format!("{}.json", bundle.name));
            version::rewrite(&bundle.path.join("config.json"), &config)?;
            command.arg("--config").arg(config);
        }
        command.arg("--bundle").arg(&bundle.path);
        command.arg("--pid-file").arg(&pid_file);
        if self.no_pivot {
            command.arg("--no-pivot");
        }
        command.arg(&bundle.name);
        output.give(&mut command)?;
        let mark = reaper.mark();
        self.run(reaper, command, output)?;
        let what = || format!("read {}", pid_file.display());
        let text = std::fs::read_to_string(&pid_file).doing(what)?;
        let _ = std::fs::remove_file(&pid_file);
        let pid = text.trim().parse().map_err(|_| {
            Error::invalid(pid_file.display().to_string(), "it holds no process id")
        })?;
        Ok(Created { pid, mark })
    }

    /// Lets the container run.
    pub(crate) fn start(&self, reaper: &Reaper, bundle: &Bundle, output: &Output) -> Result<()> {
        let mut command = self.command("start");
        command.arg(&bundle.name);
        output.give(&mut command)?;
        // Its own output is nobody's log.
        command.stdout(Stdio::null());
        self.run(reaper, command, output)
    }

    /// Removes the container, running or not; that there is none is no error.
    pub(crate) fn delete(&self, reaper: &Reaper, name: &str) {
        let mut command = self.command("delete");
        command.args(["--force", name]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let _ = reaper.run(&mut command);
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().env("PATH", PATH).current_dir("/");
        if self.debug {
            command.arg("--debug");
        }
        command.arg(verb);
        command
    }

    fn run(&self, reaper: &Reaper, mut command: Command, output: &Output) -> Result<()> {
        let start = output.lengths();
        let exit = reaper.run(&mut command)?;
        if exit.success() {
            return Ok(());
        }
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
        Err(Error::Command {
            command: words.join(" "),
            exit,
            detail: output.last_error(start),
        })
    }
}
