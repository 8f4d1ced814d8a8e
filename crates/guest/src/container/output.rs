//! Where a container's output goes: `NAME.log` is its standard error, `NAME.out.log` its standard
//! output.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Doing, Result};

/// Bytes of a log looked at for its last line.
const LAST_LINE: u64 = 1024;

/// The two logs of a container.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    /// Standard error.
    pub(crate) errors: PathBuf,
    /// Standard output.
    pub(crate) output: PathBuf,
    /// Both go to /dev/console instead: `linuxkit.runc_console=1`.
    pub(crate) to_console: bool,
}

/// How long the logs were at some time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lengths {
    errors: u64,
    output: u64,
}

impl Output {
    /// The logs of `name` in `folder`, which is made.
    pub(crate) fn new(folder: &Path, name: &str, to_console: bool) -> Result<Self> {
        fs::create_dir_all(folder).doing(|| format!("make {}", folder.display()))?;
        Ok(Self {
            errors: folder.join(format!("{name}.log")),
            output: folder.join(format!("{name}.out.log")),
            to_console,
        })
    }

    /// Sends a command's output there.
    pub(crate) fn give(&self, command: &mut Command) -> Result<()> {
        command
            .stdin(Stdio::null())
            .stdout(self.open(&self.output)?)
            .stderr(self.open(&self.errors)?);
        Ok(())
    }

    /// The present lengths.
    pub(crate) fn lengths(&self) -> Lengths {
        let length = |path: &Path| fs::metadata(path).map_or(0, |data| data.len());
        Lengths {
            errors: length(&self.errors),
            output: length(&self.output),
        }
    }

    /// What was written since, output before errors, at most the last `limit` bytes of each.
    pub(crate) fn since(&self, start: Lengths, limit: u64) -> String {
        let mut text = tail(&self.output, start.output, limit);
        text.push_str(&tail(&self.errors, start.errors, limit));
        text
    }

    /// The last line of standard error since `start`, empty if there is none.
    pub(crate) fn last_error(&self, start: Lengths) -> String {
        let text = tail(&self.errors, start.errors, LAST_LINE);
        let line = text.lines().rev().find(|line| !line.trim().is_empty());
        line.unwrap_or_default().trim().to_owned()
    }

    fn open(&self, path: &Path) -> Result<File> {
        if self.to_console
            && let Ok(console) = OpenOptions::new().write(true).open("/dev/console")
        {
            return Ok(console);
        }
        // Appending, so that a log can be cut while its writer goes on.
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .doing(|| format!("open {}", path.display()))
    }
}

fn tail(path: &Path, from: u64, limit: u64) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(from.max(length.saturating_sub(limit))))?;
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_new_and_only_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let output = Output::new(&dir.path().join("log"), "x", false).unwrap();
        let write = |script: &str| {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", script]);
            output.give(&mut command).unwrap();
            // Not `status`: another test's reaper may collect it.
            let _ = command.spawn().unwrap().wait();
        };
        write("echo old >&2; echo old");
        let start = output.lengths();
        assert_eq!(output.last_error(start), "");
        write("echo out; echo one >&2; echo two >&2; echo >&2");
        assert_eq!(output.since(start, 100), "out\none\ntwo\n\n");
        assert_eq!(output.since(start, 5), "out\ntwo\n\n");
        assert_eq!(output.last_error(start), "two");
    }
}
