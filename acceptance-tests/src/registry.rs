//! Debian's docker-registry on the loopback interface.
//!
//! Images are pushed through its own API while it is open to everybody; it can then be started
//! again on the same storage with a password or a certificate.

mod http;
mod push;
mod tls;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

pub use tls::Certificates;

/// The user of a registry with a password.
pub const USER: &str = "tester";
/// The user's password. It must never be seen in what nodeimage prints.
pub const PASSWORD: &str = "correct-horse-9";
/// The same for the registry, as bcrypt.
const HTPASSWD: &str = "tester:$2b$04$abcdefghijklmnopqrstuudO62L7Qkirs/huImrwIVmHMiSKU/YP.\n";

const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

/// Who may read from the registry, and how.
#[derive(Clone, Copy, Debug, Default)]
pub struct Access<'a> {
    /// Only [`USER`] may.
    pub password: bool,
    /// By https, with these certificates.
    pub tls: Option<&'a Certificates>,
}

/// A running registry. Dropping it kills it.
#[derive(Debug)]
pub struct Registry {
    child: Child,
    port: u16,
    dir: PathBuf,
}

impl Registry {
    /// Starts one that keeps its blobs and its log in `dir`, on a free port.
    ///
    /// # Errors
    /// When it is not installed, or does not start.
    pub fn start(dir: &Path, access: Access<'_>) -> Result<Self> {
        Self::start_on(dir, access, 0)
    }

    /// Starts one on a port of its own that it had before.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_on(dir: &Path, access: Access<'_>, port: u16) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let dir = dir.canonicalize()?;
        let config = dir.join("config.yml");
        std::fs::write(&config, configuration(&dir, access, port)?)?;
        let log = dir.join("log");
        let mut child = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .current_dir(&dir)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            // No collector listens there.
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()
            .context("cannot run docker-registry: run cargo xtask setup")?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = std::fs::read_to_string(&log)?;
            if let Some(port) = listening(&text) {
                return Ok(Self { child, port, dir });
            }
            if child.try_wait()?.is_some() || Instant::now() > deadline {
                let _ = child.kill();
                let _ = child.wait();
                bail!("docker-registry does not start:\n{text}");
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `127.0.0.1:PORT`.
    #[must_use]
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Pushes every image of an OCI layout. `ghcr.io/acme/node:1` becomes `acme/node:1`,
    /// `builtin:init` becomes `builtin:init`.
    ///
    /// # Errors
    /// When it does not take one; it must be open, and speak http.
    pub fn push(&self, layout: &Path) -> Result<()> {
        push::layout(self.port, layout)
    }

    /// The file in which it keeps a blob.
    #[must_use]
    pub fn blob(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
        let two = hex.get(..2).unwrap_or_default();
        self.dir
            .join("storage/docker/registry/v2/blobs/sha256")
            .join(two)
            .join(hex)
            .join("data")
    }

    /// The requests it has logged.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.dir.join("log"))?)
    }

    /// Ends it at once, as a crash does.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // Nothing to be done about a failure here; one that has been waited for is not signalled.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(dir: &Path, access: Access<'_>, port: u16) -> Result<String> {
    let mut text = format!(
        "version: 0.1\nlog:\n  level: info\n  accesslog:\n    disabled: true\n\
         storage:\n  filesystem:\n    rootdirectory: {}/storage\n  delete:\n    enabled: true\n\
         http:\n  addr: 127.0.0.1:{port}\n  secret: of-no-use-with-one-instance\n",
        dir.display()
    );
    if let Some(tls) = access.tls {
        text += &format!(
            "  tls:\n    certificate: {}\n    key: {}\n",
            tls.certificate.display(),
            tls.key.display()
        );
    }
    if access.password {
        let path = dir.join("htpasswd");
        std::fs::write(&path, HTPASSWD)?;
        text += &format!(
            "auth:\n  htpasswd:\n    realm: test\n    path: {}\n",
            path.display()
        );
    }
    Ok(text)
}

/// The port from the line in which it says that it listens.
fn listening(log: &str) -> Option<u16> {
    let (_, rest) = log.split_once("listening on 127.0.0.1:")?;
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    rest[..end].parse().ok()
}
