//! What a client is told. Nothing here reads the environment: see
//! [`Config::from_env`].

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::auth::credential::Login;
use crate::mirror::MirrorRule;
use crate::retry::{Clock, RetryPolicy, SystemClock};
use crate::secret::Secret;

/// Configuration of a [`crate::Client`]. The default knows no credential, file,
/// mirror or proxy.
#[derive(Debug, Clone)]
pub struct Config {
    /// Explicit credentials; the first source asked.
    pub credentials: Vec<Login>,
    /// Credential files, asked after the explicit ones: Docker's, then podman's.
    pub credential_files: CredentialFiles,
    /// Where to look before, or instead of, a registry.
    pub mirrors: Vec<MirrorRule>,
    /// The proxy, if any.
    pub proxies: Proxies,
    /// PEM files of certificate authorities trusted beside the system's.
    pub ca_files: Vec<PathBuf>,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// How often and how far apart to try again.
    pub retry: RetryPolicy,
    /// The time that retries and token expiry go by.
    pub clock: Arc<dyn Clock>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            credentials: Vec::new(),
            credential_files: CredentialFiles::default(),
            mirrors: Vec::new(),
            proxies: Proxies::default(),
            ca_files: Vec::new(),
            timeouts: Timeouts::default(),
            retry: RetryPolicy::default(),
            clock: Arc::new(SystemClock),
        }
    }
}

/// Files that may hold credentials. A missing file is an empty one.
#[derive(Debug, Clone, Default)]
pub struct CredentialFiles {
    /// Docker's `config.json`.
    pub docker: Option<PathBuf>,
    /// Podman's `auth.json` files, in the order they are asked.
    pub podman: Vec<PathBuf>,
    /// Directories searched for `docker-credential-NAME` programs.
    pub helper_dirs: Vec<PathBuf>,
}

/// Proxies. Loopback addresses never go through one, and nothing else is spoken
/// to over plain `http`, so there is only one for `https`.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    /// Proxy of `https` URLs: `http://[USER:PASSWORD@]HOST[:PORT]` or `https://…`.
    pub https: Option<Secret>,
    /// Hosts reached directly, as in `NO_PROXY`: comma-separated names (with
    /// their subdomains), addresses, CIDR blocks or `*`.
    pub no_proxy: String,
}

/// Limits of patience. Each bounds one step, so that a large blob may take
/// hours while a stuck one does not.
#[derive(Debug, Clone)]
pub struct Timeouts {
    /// Name look-up, TCP and TLS handshake.
    pub connect: Duration,
    /// From the request to the end of the answer's headers.
    pub response: Duration,
    /// Between two pieces of a body.
    pub idle: Duration,
    /// A whole small body: manifest, token, error text.
    pub small_body: Duration,
    /// Time spent waiting for a blob in which at least `slow_bytes` must come.
    pub slow_window: Duration,
    /// See `slow_window`.
    pub slow_bytes: u64,
    /// One run of a credential helper.
    pub helper: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(20),
            response: Duration::from_secs(60),
            idle: Duration::from_secs(60),
            small_body: Duration::from_secs(120),
            slow_window: Duration::from_secs(60),
            slow_bytes: 60 * 1024,
            helper: Duration::from_secs(60),
        }
    }
}
