//! Pulling from OCI registries: tags to digests, manifests and blobs, verified
//! while they stream in.
//!
//! Follows the OCI Distribution Specification 1.1 (pull side), the Docker
//! registry token specification (GET and OAuth 2 POST flows), Docker's
//! `config.json` with its credential helpers and `containers-auth.json(5)`.
//! Knows nothing of image contents.
//!
//! # Why an own client over `reqwest` and not `oci-client`
//! `oci-client` 0.18 reads manifests, token answers and error bodies without a
//! limit, leaves redirects to the HTTP library (so `https` may fall to `http`),
//! knows one mirror, speaks neither identity tokens nor the POST flow, decides
//! `http` or `https` by a fixed list, and has no retries. Wrapping it would
//! leave the first two, which are the ones that matter against a hostile
//! registry. The pull side is three requests, so this crate makes them itself;
//! TLS, HTTP, proxies and challenge parsing stay in libraries (`rustls` with
//! aws-lc-rs, `reqwest`, `http-auth`).
//!
//! # Rules
//! - Every answer is hostile: bodies are bounded, content is never decoded
//!   (`Content-Encoding` is not believed), length and SHA-256 decide.
//! - `https` everywhere; `http` only to `localhost`, 127.0.0.0/8 and `::1`, and
//!   only when the request did not come from elsewhere.
//! - A credential goes to the registry it belongs to and to the token service
//!   that registry names, never along a redirect to another origin.
//! - Secrets live in [`Secret`] and are in no error, `Debug` text or log line.
//! - The surface is blocking and may be called from any thread, one that drives
//!   another runtime too.

mod answer;
mod auth;
mod blob;
mod body;
mod client;
mod config;
mod core;
mod digest;
mod endpoint;
mod env;
mod error;
mod exchange;
mod loopback;
mod manifest;
mod mirror;
mod redirect;
mod referrers;
mod retry;
mod secret;
mod target;
mod tls;
mod transport;
mod wait;

pub use auth::credential::{Credential, Login};
pub use blob::BlobReader;
pub use client::{Client, Progress};
pub use config::{Config, CredentialFiles, Proxies, Timeouts};
pub use digest::{Digest, DigestError};
pub use error::{Error, ErrorKind, Result};
pub use manifest::{MANIFEST_LIMIT, Manifest};
pub use mirror::{Mirror, MirrorRule};
pub use referrers::Referrer;
pub use retry::{Clock, RetryPolicy, SystemClock};
pub use secret::Secret;
pub use target::{Reference, Target};
pub use wait::Cancel;
