//! A string that never prints itself.

use std::fmt;

/// A password, token or proxy address with a password in it. `Debug` hides it
/// and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Call it only where the secret goes onto the wire.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `text` with every occurrence of this secret blanked out: registries may
    /// echo in an error what they were sent.
    pub(crate) fn scrub(&self, text: &str) -> String {
        // Very short texts would blank out innocent words and protect nothing.
        if self.0.len() < 4 {
            return text.to_owned();
        }
        text.replace(&self.0, "***")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_itself_and_its_echoes() {
        let secret = Secret::new("hunter22");
        assert_eq!(format!("{secret:?}"), "Secret(***)");
        assert_eq!(secret.scrub("bad password hunter22!"), "bad password ***!");
    }
}
