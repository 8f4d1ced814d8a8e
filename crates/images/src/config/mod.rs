//! `nodeimage.toml`: where images are read on this machine. Nothing in it changes an image.
//!
//! ```toml
//! [sources]                                   # the longest prefix that fits wins
//! "docker.io/library" = "oci:images"          # relative to this file
//! "ghcr.io/acme" = "https://mirror.acme.example/ghcr"
//! builtin = "oci:base-images"
//!
//! [registries."mirror.acme.example"]
//! username = "ci"
//! password_env = "ACME_TOKEN"                 # or password_file
//! ca_file = "acme.pem"
//!
//! [registries."localhost:5000"]
//! plain_http = true                           # on this machine only
//!
//! [trust]                                     # what it takes for an image to be used
//! "ghcr.io/acme" = { cosign = ["acme.pub"] }   # or "accept", "digest", "reject"
//! default = "digest"
//!
//! [limits]
//! layer_bytes = 68719476736                   # also layer_ratio, entries, name_bytes
//! ```

mod error;
mod login;
mod parse;
mod value;

pub use error::{ConfigError, Fault};
pub use login::LoginError;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::limits::Limits;
use nodeimage_trust::Policy;

/// Longest file that is read, in bytes.
const MAX_BYTES: u64 = 4 << 20;

/// What `nodeimage.toml` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Prefixes of expanded references (`docker.io/library`, `builtin`) to where they are read.
    pub sources: BTreeMap<String, Source>,
    /// Registries by host, with port if any.
    pub registries: BTreeMap<String, RegistryConfig>,
    /// How much an image may cost.
    pub limits: Limits,
    /// What it takes for an image to be used: every one of these policies must let it pass. None:
    /// every image may be used.
    pub trust: Vec<Policy>,
    /// Whether `builtin:` images are those that come with the program: they pass a policy that has
    /// no line for them.
    pub builtin_is_ours: bool,
}

/// Where references are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A directory with an OCI image layout.
    Oci(PathBuf),
    /// A tar of an OCI image layout.
    OciArchive(PathBuf),
    /// A tar of `docker save`.
    DockerArchive(PathBuf),
    /// A registry and a prefix in it: `host/prefix`.
    Mirror(String),
}

/// How a registry is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistryConfig {
    /// Name to log in with.
    pub username: Option<String>,
    /// Where its password stands; the password itself is never held here.
    pub password: Option<PasswordFrom>,
    /// Certificates (PEM) to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Speak http.
    pub plain_http: bool,
}

/// Where a password stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordFrom {
    /// In this environment variable.
    Env(String),
    /// In this file, without the line break at its end.
    File(PathBuf),
}

impl Config {
    /// Reads the file at `path`; relative paths in it are relative to its directory.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |error| ConfigError::new(path, vec![Fault::unreadable(&error)]);
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let mut text = String::new();
        let mut bounded = std::io::Read::take(file, MAX_BYTES + 1);
        std::io::Read::read_to_string(&mut bounded, &mut text).map_err(unreadable)?;
        if text.len() as u64 > MAX_BYTES {
            return Err(ConfigError::new(path, vec![Fault::too_long()]));
        }
        Self::parse(&text, path)
    }

    /// Reads `text` as the file at `path`, which need not be there. All faults are reported.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        parse::parse(text, path).map_err(|faults| ConfigError::new(path, faults))
    }

    /// Reads `builtin:` references from the OCI layout at `dir`, unless the file says otherwise.
    #[must_use]
    pub fn with_builtin(mut self, dir: impl Into<PathBuf>) -> Self {
        let entry = self.sources.entry("builtin".into());
        self.builtin_is_ours = matches!(entry, std::collections::btree_map::Entry::Vacant(_));
        entry.or_insert_with(|| Source::Oci(dir.into()));
        self
    }

    /// Reads references from `sources` before those of the file.
    pub fn prefer(&mut self, sources: BTreeMap<String, Source>) {
        self.builtin_is_ours &= !sources.contains_key("builtin");
        self.sources.extend(sources);
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Oci(path) => write!(f, "oci:{}", path.display()),
            Self::OciArchive(path) => write!(f, "oci-archive:{}", path.display()),
            Self::DockerArchive(path) => write!(f, "docker-archive:{}", path.display()),
            Self::Mirror(host) => f.write_str(host),
        }
    }
}

#[cfg(test)]
mod tests;
