//! The OCI version that a `config.json` claims.
//!
//! The builder writes 1.2.1, as LinuxKit does; crun before 1.8.2 refuses whatever is not 1.0. The
//! versions since have only added keys, which an older crun ignores, so it gets a copy that
//! claims 1.0.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use super::config;
use crate::error::{Doing, Error, Result};

const OLDEST: &str = "1.0.2";

/// Writes a copy of `from` that claims the oldest version to `to`.
pub(super) fn rewrite(from: &Path, to: &Path) -> Result<()> {
    let config: Option<Map<String, Value>> = config::read(from)?;
    let Some(mut config) = config else {
        return Err(Error::Missing {
            what: from.display().to_string(),
            hint: "build the image again".to_owned(),
        });
    };
    config.insert("ociVersion".to_owned(), Value::from(OLDEST));
    let text = serde_json::to_vec(&config)
        .map_err(|error| Error::invalid(from.display().to_string(), error.to_string()))?;
    fs::write(to, text).doing(|| format!("write {}", to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_version_changes() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("config.json"), dir.path().join("copy"));
        assert!(rewrite(&from, &to).is_err());
        let config = r#"{"ociVersion": "1.2.1", "process": {"rlimits": [
            {"type": "RLIMIT_NOFILE", "hard": 18446744073709551615, "soft": 1}]}}"#;
        fs::write(&from, config).unwrap();
        rewrite(&from, &to).unwrap();
        let old: Value = serde_json::from_str(&config.replace("1.2.1", OLDEST)).unwrap();
        let new: Value = serde_json::from_slice(&fs::read(&to).unwrap()).unwrap();
        assert_eq!(new, old);
    }
}
