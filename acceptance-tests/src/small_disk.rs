//! A file system of a few MiB, to see what happens when it is full.
//!
//! It is a tmpfs in a mount namespace of a process that we keep: no other process sees it but
//! through `/proc`, and it is gone with the process, however the test ends. A user namespace makes
//! that possible without root.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

/// The file system. Dropping it removes it.
#[derive(Debug)]
pub struct SmallDisk {
    keeper: Child,
    path: PathBuf,
    _folder: TempDir,
}

impl SmallDisk {
    /// One of this many MiB.
    ///
    /// # Errors
    /// When the system allows no namespaces.
    pub fn new(mib: u32) -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a temporary directory")?;
        // It ends when our end of the pipe closes, so it does not outlive a killed test.
        let script = format!(
            "mount -t tmpfs -o size={mib}m,mode=755 tmpfs \"$1\" && echo ready && read -r _"
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private"]);
        if !is_root()? {
            command.args(["--user", "--map-root-user"]);
        }
        let mut keeper = command
            .args(["sh", "-c", &script, "sh"])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot run unshare: install util-linux")?;
        let mut ready = [0; 6];
        let answer = keeper.stdout.as_mut().map(|out| out.read_exact(&mut ready));
        if !matches!(answer, Some(Ok(()))) {
            let mut words = String::new();
            if let Some(mut errors) = keeper.stderr.take() {
                errors.read_to_string(&mut words)?;
            }
            keeper.wait()?;
            bail!(
                "cannot mount a tmpfs in a namespace of our own: {}",
                words.trim()
            );
        }
        let root = format!("/proc/{}/root", keeper.id());
        let path = Path::new(&root).join(folder.path().strip_prefix("/")?);
        Ok(Self {
            keeper,
            path,
            _folder: folder,
        })
    }

    /// Where it is, for this process and its children.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes all the space that is left, but for `spare` bytes.
    ///
    /// # Errors
    /// When nothing can be written at all.
    pub fn fill(&self, spare: u64) -> Result<PathBuf> {
        use std::io::Write;
        let path = self.path.join("filler");
        let mut file = std::fs::File::create(&path).context("cannot fill the disk")?;
        let block = [0_u8; 4096];
        let mut written = 0_u64;
        while file.write_all(&block).is_ok() {
            written += block.len() as u64;
        }
        file.set_len(written.saturating_sub(spare))?;
        Ok(path)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Nothing to be done about a failure here.
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

fn is_root() -> Result<bool> {
    let status = std::fs::read_to_string("/proc/self/status").context("cannot read /proc")?;
    Ok(status
        .lines()
        .any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(2) == Some("0")))
}
