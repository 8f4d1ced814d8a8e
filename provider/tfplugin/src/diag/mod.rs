//! What a user is told: errors and warnings, each at a place in the
//! configuration if it has one.

mod path;

use std::fmt;

pub use path::{Path, Step};

use crate::protocol::message;

/// How grave a [`Diagnostic`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The operation failed.
    Error,
    /// The operation goes on.
    Warning,
}

/// One message to the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How grave it is.
    pub severity: Severity,
    /// One line. Terraform folds warnings with the same summary into one, so
    /// keep it constant and put what varies into `detail`.
    pub summary: String,
    /// The whole story: what is wrong and what to do.
    pub detail: String,
    /// The attribute it is about; Terraform shows its source line.
    pub path: Path,
}

impl Diagnostic {
    /// An error about the whole resource.
    pub fn error(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            summary: summary.into(),
            detail: detail.into(),
            path: Path::root(),
        }
    }

    /// A warning about the whole resource.
    pub fn warning(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(summary, detail)
        }
    }

    /// The same, about the attribute at `path`.
    #[must_use]
    pub fn at(mut self, path: Path) -> Self {
        self.path = path;
        self
    }

    pub(crate) fn to_wire(&self) -> message::Diagnostic {
        message::Diagnostic {
            severity: match self.severity {
                Severity::Error => message::Severity::Error,
                Severity::Warning => message::Severity::Warning,
            }
            .into(),
            summary: wire_text(&self.summary),
            detail: wire_text(&self.detail),
            attribute: (!self.path.is_root()).then(|| self.path.to_shown()),
        }
    }
}

/// Control characters (but newline and tab) could rewrite the terminal.
fn wire_text(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => c,
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_root() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.summary)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        Ok(())
    }
}

/// Any number of messages, in the order they arose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// No messages.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a message.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Adds all messages of `other`.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// True if one of them is an error.
    pub fn has_error(&self) -> bool {
        self.0.iter().any(|d| d.severity == Severity::Error)
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The messages.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// `Err` with the messages if one of them is an error.
    ///
    /// # Errors
    /// As said.
    pub fn into_result(self) -> Result<(), Self> {
        if self.has_error() { Err(self) } else { Ok(()) }
    }

    pub(crate) fn to_wire(&self) -> Vec<message::Diagnostic> {
        self.iter().map(Diagnostic::to_wire).collect()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(iter: I) -> Self {
        Self(iter.into_iter().collect())
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, diagnostic) in self.iter().enumerate() {
            write!(f, "{}{diagnostic}", if i > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

/// Turns errors of other crates into diagnostics.
pub trait Diagnose<T> {
    /// The error and its causes become the detail under `summary`.
    ///
    /// # Errors
    /// If `self` is one.
    fn diagnose(self, summary: &str) -> Result<T, Diagnostics>;

    /// Likewise, about the attribute at `path`.
    ///
    /// # Errors
    /// If `self` is one.
    fn diagnose_at(self, path: Path, summary: &str) -> Result<T, Diagnostics>;
}

impl<T, E: std::error::Error> Diagnose<T> for Result<T, E> {
    fn diagnose(self, summary: &str) -> Result<T, Diagnostics> {
        self.diagnose_at(Path::root(), summary)
    }

    fn diagnose_at(self, path: Path, summary: &str) -> Result<T, Diagnostics> {
        self.map_err(|error| {
            Diagnostic::error(summary, with_causes(&error))
                .at(path)
                .into()
        })
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some errors already print their cause.
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path;

    #[test]
    fn several_at_once_with_their_places() {
        let mut all = Diagnostics::new();
        all.push(Diagnostic::warning("old", "use `b`").at(path!("a", 1, ["k"])));
        assert!(!all.has_error());
        all.push(Diagnostic::error("bad\u{1b}[31m", ""));
        assert!(all.has_error());
        assert_eq!(all.to_string(), "a[1][\"k\"]: old: use `b`\nbad\u{1b}[31m");
        let wire = all.to_wire();
        assert_eq!(wire[0].severity, message::Severity::Warning as i32);
        assert_eq!(
            wire[0].attribute,
            Some(path!("a", 1).to_wire()),
            "as deep as Terraform looks"
        );
        let nested = Diagnostic::error("bad", "").at(path!("a", "b", "c"));
        assert_eq!(
            nested.to_wire().attribute,
            Some(path!("a", ["b"]).to_wire())
        );
        assert_eq!(wire[1].summary, "bad\u{fffd}[31m");
        assert_eq!(wire[1].attribute, None);
    }

    #[test]
    fn causes_are_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("can't read a")]
        struct Outer(#[source] std::io::Error);
        let error: Result<(), _> = Err(Outer(std::io::Error::other("no such thing")));
        let told = error.diagnose("failed").unwrap_err();
        assert_eq!(told.to_string(), "failed: can't read a: no such thing");
    }
}
