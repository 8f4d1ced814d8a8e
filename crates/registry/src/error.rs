//! What can go wrong, where, and what to do about it.

use std::fmt;
use std::io;
use std::time::Duration;

use url::Url;

/// Result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed operation: the reference it was for, the URL that failed (without
/// user information and query), the cause and a remedy.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    reference: String,
    url: Option<Box<str>>,
    kind: ErrorKind,
    mirrors: Vec<String>,
}

/// The cause of an [`Error`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The reference itself is malformed.
    #[error("bad reference: {0}")]
    BadReference(String),
    /// The configuration cannot be used.
    #[error("bad registry configuration: {0}")]
    BadConfig(String),
    /// The caller raised its [`crate::Cancel`].
    #[error("cancelled")]
    Cancelled,
    /// No connection could be made.
    #[error("cannot connect: {0}; check the host name, the network and the proxy settings")]
    Connect(String),
    /// The TLS handshake failed.
    #[error("cannot establish TLS: {0}; {1}")]
    Tls(String, &'static str),
    /// Nothing, or next to nothing, came for too long.
    #[error("timed out: {what} took longer than {after:?}")]
    Timeout {
        /// What was waited for.
        what: &'static str,
        /// The limit.
        after: Duration,
    },
    /// The connection broke in the middle.
    #[error("the connection broke: {0}")]
    Interrupted(String),
    /// 401, or the token service refused.
    #[error("not authorized: {0}")]
    Unauthorized(String),
    /// 403.
    #[error("access denied: {0}")]
    Denied(String),
    /// 404.
    #[error("not found: {0}; check repository and tag, and whether the image is private")]
    NotFound(String),
    /// 429.
    #[error("too many requests: {message}; {hint}")]
    TooManyRequests {
        /// The registry's words.
        message: String,
        /// What to do.
        hint: String,
    },
    /// 5xx and 408.
    #[error("the registry failed with status {status}: {message}")]
    Server {
        /// HTTP status.
        status: u16,
        /// The registry's words.
        message: String,
    },
    /// Any other status.
    #[error("unexpected status {status}: {message}")]
    Status {
        /// HTTP status.
        status: u16,
        /// The registry's words.
        message: String,
    },
    /// A body beyond its limit.
    #[error("{what} is longer than the limit of {limit} bytes")]
    TooLarge {
        /// Which body.
        what: &'static str,
        /// The limit in bytes.
        limit: u64,
    },
    /// Content that is not what its digest says.
    #[error("the content has digest {actual}, not the expected {expected}{note}")]
    DigestMismatch {
        /// Digest asked for.
        expected: crate::Digest,
        /// Digest of what came.
        actual: crate::Digest,
        /// A likely reason, with its own separator; may be empty.
        note: &'static str,
    },
    /// Content of another length than announced.
    #[error("the content is {actual} bytes long, not the expected {expected}")]
    LengthMismatch {
        /// Length asked for.
        expected: u64,
        /// What came: a number, or "more".
        actual: String,
    },
    /// A digest that is not SHA-256.
    #[error("{0}")]
    UnsupportedDigest(String),
    /// A redirect that is not followed.
    #[error("refused to follow a redirect: {0}")]
    Redirect(String),
    /// The token service misbehaved.
    #[error("the token service failed: {0}")]
    Token(String),
    /// An answer outside the specification.
    #[error("the registry broke the protocol: {0}")]
    Protocol(String),
}

impl ErrorKind {
    /// Whether the same request may succeed a moment later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Connect(_)
                | Self::Timeout { .. }
                | Self::Interrupted(_)
                | Self::TooManyRequests { .. }
                | Self::Server { .. }
        )
    }
}

impl Error {
    pub(crate) fn new(reference: impl fmt::Display, kind: ErrorKind) -> Self {
        Self(Box::new(Inner {
            reference: reference.to_string(),
            url: None,
            kind,
            mirrors: Vec::new(),
        }))
    }

    /// `mirrors`: what went wrong at the mirrors tried before.
    pub(crate) fn from_failure(
        reference: impl fmt::Display,
        failure: Failure,
        mirrors: Vec<String>,
    ) -> Self {
        let Failure { kind, url, .. } = failure;
        Self(Box::new(Inner {
            reference: reference.to_string(),
            url,
            kind,
            mirrors,
        }))
    }

    /// The cause.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// The reference the operation was for; empty for configuration errors.
    pub fn reference(&self) -> &str {
        &self.0.reference
    }

    /// The URL that failed, without user information and query.
    pub fn url(&self) -> Option<&str> {
        self.0.url.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            reference,
            url,
            kind,
            mirrors,
        } = &*self.0;
        if !reference.is_empty() {
            write!(f, "{reference}: ")?;
        }
        write!(f, "{kind}")?;
        if let Some(url) = url {
            write!(f, " ({url})")?;
        }
        for mirror in mirrors {
            write!(f, "; before that, {mirror}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl From<Error> for io::Error {
    /// Never `Interrupted`: callers would repeat the read for ever.
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::Timeout { .. } => io::ErrorKind::TimedOut,
            ErrorKind::DigestMismatch { .. } | ErrorKind::LengthMismatch { .. } => {
                io::ErrorKind::InvalidData
            }
            ErrorKind::NotFound(_) => io::ErrorKind::NotFound,
            ErrorKind::Unauthorized(_) | ErrorKind::Denied(_) => io::ErrorKind::PermissionDenied,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

/// One failed attempt, before it is known whether it is the last.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    pub(crate) url: Option<Box<str>>,
    /// How long the registry asked us to wait.
    pub(crate) retry_after: Option<Duration>,
}

impl Failure {
    pub(crate) fn new(kind: ErrorKind) -> Self {
        Self {
            kind,
            url: None,
            retry_after: None,
        }
    }

    pub(crate) fn at(kind: ErrorKind, url: &Url) -> Self {
        Self {
            url: Some(shown(url).into()),
            ..Self::new(kind)
        }
    }

    pub(crate) fn protocol(what: impl Into<String>, url: &Url) -> Self {
        Self::at(ErrorKind::Protocol(what.into()), url)
    }

    pub(crate) fn text(&self) -> String {
        match &self.url {
            Some(url) => format!("{} ({url})", self.kind),
            None => self.kind.to_string(),
        }
    }
}

/// A URL fit for an error or a log: user information, query and fragment carry
/// secrets (signed storage URLs), so they go; very long paths are cut.
pub(crate) fn shown(url: &Url) -> String {
    const LONGEST: usize = 400;
    let mut url = url.clone();
    // Both fail only for URLs that cannot have user information.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    let mut text = String::from(url);
    if text.len() > LONGEST {
        // A serialised URL is ASCII, so any place is a character boundary.
        text.truncate(LONGEST);
        text.push('…');
    }
    text
}

/// Words of the other side, fit for one line of an error: bounded, no control
/// characters.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 300;
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut out: String = text.trim().chars().take(LONGEST).map(clean).collect();
    if text.trim().chars().nth(LONGEST).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lose_their_secrets() {
        let url = Url::parse("https://me:pw@cdn.example/blob/1?X-Signature=s3cret#f").unwrap();
        assert_eq!(shown(&url), "https://cdn.example/blob/1");
        let long = Url::parse(&format!("https://h/{}", "é".repeat(500))).unwrap();
        assert!(shown(&long).len() < 410);
    }

    #[test]
    fn foreign_words_are_tamed() {
        assert_eq!(quoted(" a\x1b[31m\nb "), "a [31m b");
        assert_eq!(quoted(&"é".repeat(400)).chars().count(), 301);
    }
}
