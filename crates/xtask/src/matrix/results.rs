//! The results so far, in cargo's target folder.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// How an entry came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outcome {
    pub(super) seconds: u64,
    /// Why it failed.
    pub(super) error: Option<String>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.error {
            None => "ran",
            Some(_) => "failed",
        };
        write!(f, "{word} ({} s)", self.seconds)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Ran,
    Failed,
    NotRun,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ran => "ran",
            Self::Failed => "failed",
            Self::NotRun => "not run",
        })
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Stored {
    /// What they are about; with another they start anew.
    subject: String,
    outcomes: BTreeMap<String, Outcome>,
}

#[derive(Debug)]
pub(super) struct Results {
    path: PathBuf,
    stored: Stored,
}

impl Results {
    /// Those of `subject` in `folder`, which is made. A damaged file counts as none.
    pub(super) fn load(folder: &Path, subject: &str) -> Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let path = folder.join("results.json");
        let stored = std::fs::read(&path)
            .ok()
            .and_then(|text| serde_json::from_slice::<Stored>(&text).ok())
            .filter(|stored| stored.subject == subject)
            .unwrap_or_else(|| Stored {
                subject: subject.to_owned(),
                ..Stored::default()
            });
        Ok(Self { path, stored })
    }

    pub(super) fn state(&self, name: &str) -> State {
        match self.stored.outcomes.get(name) {
            None => State::NotRun,
            Some(Outcome { error: None, .. }) => State::Ran,
            Some(Outcome { error: Some(_), .. }) => State::Failed,
        }
    }

    pub(super) fn error(&self, name: &str) -> Option<&str> {
        self.stored.outcomes.get(name)?.error.as_deref()
    }

    /// What the results are about, shortened.
    pub(super) fn subject(&self) -> &str {
        self.stored.subject.get(..12).unwrap_or_default()
    }

    /// Keeps a result at once: the next entry may be broken off.
    pub(super) fn put(&mut self, name: &str, outcome: Outcome) -> Result<()> {
        self.stored.outcomes.insert(name.to_owned(), outcome);
        let aside = self.path.with_extension("new");
        std::fs::write(&aside, serde_json::to_vec_pretty(&self.stored)?)
            .and_then(|()| std::fs::rename(&aside, &self.path))
            .with_context(|| format!("cannot write {}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_last_as_long_as_what_they_are_about() {
        let folder = tempfile::tempdir().unwrap();
        let load = |subject| Results::load(folder.path(), subject).unwrap();
        let mut first = load("one");
        assert_eq!(first.state("a"), State::NotRun);
        let outcome = |error: Option<&str>| Outcome {
            seconds: 3,
            error: error.map(str::to_owned),
        };
        first.put("a", outcome(None)).unwrap();
        first.put("b", outcome(Some("why"))).unwrap();
        let again = load("one");
        assert_eq!(
            (again.state("a"), again.state("b")),
            (State::Ran, State::Failed)
        );
        assert_eq!((again.error("a"), again.error("b")), (None, Some("why")));
        assert_eq!(load("two").state("a"), State::NotRun);
        std::fs::write(folder.path().join("results.json"), "{").unwrap();
        assert_eq!(load("one").state("a"), State::NotRun);
    }
}
