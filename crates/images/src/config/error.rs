//! What is wrong with `nodeimage.toml`.

use std::fmt;
use std::path::{Path, PathBuf};

/// Every fault of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// Its faults, from top to bottom.
    pub faults: Vec<Fault>,
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Line, from 1; `None` for the file as a whole.
    pub line: Option<usize>,
    /// What is wrong and what to do.
    pub message: String,
}

impl ConfigError {
    pub(super) fn new(path: &Path, faults: Vec<Fault>) -> Self {
        Self {
            path: path.to_path_buf(),
            faults,
        }
    }
}

impl Fault {
    pub(super) fn unreadable(error: &std::io::Error) -> Self {
        Self {
            line: None,
            message: format!("cannot be read: {error}"),
        }
    }

    pub(super) fn too_long() -> Self {
        Self {
            line: None,
            message: "is longer than 4 MiB".into(),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, fault) in self.faults.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}", self.path.display())?;
            if let Some(line) = fault.line {
                write!(f, ":{line}")?;
            }
            write!(f, ": {}", fault.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
