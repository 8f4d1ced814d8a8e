//! One run of the executable, and what came of it.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;
use wait4::Wait4;

/// A call that has not been made yet.
#[derive(Debug)]
pub struct Call {
    command: Command,
    stdin: Option<Vec<u8>>,
}

impl Call {
    pub(super) fn new(executable: &Path, dir: &Path, home: &Path) -> Self {
        let mut command = Command::new(executable);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("HOME", home)
            .current_dir(dir);
        Self {
            command,
            stdin: None,
        }
    }

    /// Adds arguments, separated by spaces.
    #[must_use]
    pub fn args(mut self, arguments: &str) -> Self {
        self.command.args(arguments.split_whitespace());
        self
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs elsewhere than in the sandbox's directory.
    #[must_use]
    pub fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// What the executable reads.
    #[must_use]
    pub fn stdin(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(text.into());
        self
    }

    /// Lets a shell run `script` first, in the same process: `umask 077`, `ulimit …`.
    #[must_use]
    pub fn after(self, script: &str) -> Self {
        let inner = self.command;
        let mut command = Command::new("/bin/sh");
        command
            .arg("-c")
            .arg(format!("{script}\nexec \"$@\""))
            .arg("sh")
            .arg(inner.get_program())
            .args(inner.get_args())
            .env_clear();
        for (name, value) in inner.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        if let Some(dir) = inner.get_current_dir() {
            command.current_dir(dir);
        }
        Self {
            command,
            stdin: self.stdin,
        }
    }

    /// Starts it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(mut self) -> Result<Running> {
        let shown = format!("{:?}", self.command);
        let stdin = if self.stdin.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        };
        let mut child = self
            .command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {shown}"))?;
        if let (Some(text), Some(mut pipe)) = (self.stdin, child.stdin.take()) {
            // Who does not read to the end says so in its result.
            std::thread::spawn(move || pipe.write_all(&text));
        }
        let stdout = child.stdout.take().map(collect);
        let stderr = child.stderr.take().map(collect);
        Ok(Running {
            child: Some(child),
            shown,
            stdout,
            stderr,
        })
    }

    /// Runs it to its end, whatever that is.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn run(self) -> Result<Done> {
        self.start()?.wait()
    }

    /// Runs it; it must succeed.
    ///
    /// # Errors
    /// When it fails; what it printed is in the error.
    pub fn success(self) -> Result<Done> {
        let done = self.run()?;
        if done.status.success() {
            Ok(done)
        } else {
            Err(done.unexpected("success"))
        }
    }

    /// Runs it; it must fail with code 1, which is what it does after telling why. A panic has
    /// another code.
    ///
    /// # Errors
    /// When it ends in another way.
    pub fn failure(self) -> Result<Done> {
        let done = self.run()?;
        if done.status.code() == Some(1) {
            Ok(done)
        } else {
            Err(done.unexpected("exit code 1"))
        }
    }
}

fn collect(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came until an error is still of use.
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

/// A call under way. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    child: Option<Child>,
    shown: String,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

impl Running {
    /// Its process id, until it is waited for.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Sends SIGKILL.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub fn kill(&mut self) -> Result<()> {
        match &mut self.child {
            Some(child) => child.kill().context("cannot kill it"),
            None => Ok(()),
        }
    }

    /// Sends SIGINT, as Ctrl-C does.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub fn interrupt(&self) -> Result<()> {
        let id = self.id().ok_or_else(|| anyhow!("it has ended"))?;
        crate::tool::run(Path::new("/"), "kill", &["-INT", &id.to_string()]).map(drop)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn wait(mut self) -> Result<Done> {
        let mut child = self
            .child
            .take()
            .ok_or_else(|| anyhow!("it has been waited for"))?;
        let used = child
            .wait4()
            .with_context(|| format!("cannot wait for {}", self.shown))?;
        let text = |pipe: Option<JoinHandle<Vec<u8>>>| {
            let bytes = pipe.and_then(|pipe| pipe.join().ok()).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        Ok(Done {
            shown: std::mem::take(&mut self.shown),
            status: used.status,
            stdout: text(self.stdout.take()),
            stderr: text(self.stderr.take()),
            peak: used.rusage.maxrss,
            cpu: used.rusage.utime + used.rusage.stime,
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Nothing to be done about a failure here.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A call that has ended.
#[derive(Clone, Debug)]
pub struct Done {
    shown: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The most memory it held, in bytes.
    pub peak: u64,
    /// User and system time.
    pub cpu: Duration,
}

impl Done {
    /// Both outputs.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// The signal that ended it.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    /// The lines of `--json`; each must be an event of schema 1.
    ///
    /// # Errors
    /// When a line is not.
    pub fn events(&self) -> Result<Vec<Value>> {
        let parse = |line: &str| {
            let event: Value =
                serde_json::from_str(line).with_context(|| format!("no JSON: {line}"))?;
            if event["schema"] != 1 || !event["event"].is_string() {
                bail!("no event of schema 1: {line}");
            }
            Ok(event)
        };
        self.stdout.lines().map(parse).collect()
    }

    /// The one event of this kind.
    ///
    /// # Errors
    /// When there is none, or more.
    pub fn event(&self, kind: &str) -> Result<Value> {
        let mut events = self.events()?;
        events.retain(|event| event["event"] == kind);
        match (events.pop(), events.len()) {
            (Some(event), 0) => Ok(event),
            (_, more) => Err(self.unexpected(&format!("one event {kind}, not {more}"))),
        }
    }

    /// Fails unless standard error has each of `parts`.
    ///
    /// # Errors
    /// The part that is not there, and what is.
    pub fn says(&self, parts: &[&str]) -> Result<()> {
        for part in parts {
            if !self.stderr.contains(part) {
                return Err(self.unexpected(&format!("{part:?} in its errors")));
            }
        }
        Ok(())
    }

    fn unexpected(&self, wanted: &str) -> anyhow::Error {
        let Self {
            shown,
            status,
            stdout,
            stderr,
            ..
        } = self;
        anyhow!("wanted {wanted} of {shown}\n{status}\n{stdout}{stderr}")
    }
}
