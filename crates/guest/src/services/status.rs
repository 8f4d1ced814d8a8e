//! What is known of a service, for `nodeimage-init status`: a file per service below
//! [`FOLDER`], replaced whole.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Doing, Error, Result};
use crate::exit::Exit;

/// Where the files are.
pub(crate) const FOLDER: &str = "/run/nodeimage/services";

/// A service's state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// Being started, or not yet a second old.
    #[default]
    Starting,
    /// Running for a second at least.
    Running,
    /// Ended with status 0; not started again.
    Finished,
    /// Ended otherwise; not started again.
    Failed,
    /// Ended; started again after a pause.
    Waiting,
    /// Stopped by order.
    Stopped,
}

/// One file's content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Status {
    /// The service.
    pub(crate) name: String,
    /// Its state.
    pub(crate) state: State,
    /// Its first process while it runs.
    pub(crate) pid: Option<i32>,
    /// How often it was started again because it had ended.
    pub(crate) restarts: u64,
    /// How it ended last.
    pub(crate) last_exit: Option<String>,
}

impl Status {
    /// Notes how it ended.
    pub(crate) fn ended(&mut self, exit: Exit) {
        self.pid = None;
        self.last_exit = Some(exit.to_string());
    }

    /// Writes the file of this service.
    pub(crate) fn write(&self) -> Result<()> {
        self.write_in(Path::new(FOLDER))
    }

    fn write_in(&self, folder: &Path) -> Result<()> {
        let path = folder.join(format!("{}.json", self.name));
        let what = || format!("write {}", path.display());
        let mut text = serde_json::to_string(self)
            .map_err(|error| Error::invalid("status", error.to_string()))?;
        text.push('\n');
        fs::create_dir_all(folder).doing(what)?;
        // The dot keeps a half-written file out of `read_all`.
        let new = folder.join(format!(".{}", self.name));
        fs::write(&new, text)
            .and_then(|()| fs::rename(&new, &path))
            .doing(what)
    }
}

/// All services, in the order of their names.
pub(crate) fn read_all() -> Result<Vec<Status>> {
    read_in(Path::new(FOLDER))
}

fn read_in(folder: &Path) -> Result<Vec<Status>> {
    let what = || format!("read {}", folder.display());
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).doing(what)?.flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|end| end == "json") {
            let text = fs::read(&path).doing(|| format!("read {}", path.display()))?;
            let status: Status = serde_json::from_slice(&text)
                .map_err(|error| Error::invalid(path.display().to_string(), error.to_string()))?;
            all.push(status);
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let mut b = Status {
            name: "b".to_owned(),
            state: State::Running,
            pid: Some(12),
            ..Status::default()
        };
        let a = Status {
            name: "a".to_owned(),
            ..Status::default()
        };
        b.write_in(dir.path()).unwrap();
        a.write_in(dir.path()).unwrap();
        b.ended(Exit::Code(3));
        b.state = State::Waiting;
        b.write_in(dir.path()).unwrap();
        assert_eq!(read_in(dir.path()).unwrap(), [a, b.clone()]);
        let text = fs::read_to_string(dir.path().join("b.json")).unwrap();
        assert_eq!(
            text,
            "{\"name\":\"b\",\"state\":\"waiting\",\"pid\":null,\"restarts\":0,\
             \"last_exit\":\"exit status 3\"}\n"
        );
    }
}
