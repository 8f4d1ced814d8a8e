//! What is printed: results on standard output, everything else on standard error.

use std::borrow::Cow;
use std::io::{self, Write};

use serde_json::{Value, json};

use crate::error::Failure;

/// The version of the JSON lines; raised when a field changes its meaning or goes.
const SCHEMA: u32 = 1;

/// Text or JSON lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
}

impl Output {
    /// A result: the text for people, or an event of the JSON stream.
    pub(crate) fn result(self, event: &str, text: &str, fields: Value) -> io::Result<()> {
        if self.json {
            return self.line(event, fields);
        }
        let mut out = io::stdout().lock();
        writeln!(out, "{}", printable(text))?;
        out.flush()
    }

    /// Something worth knowing, not a result.
    pub(crate) fn note(self, event: &str, text: &str, fields: Value) -> io::Result<()> {
        if self.json {
            return self.line(event, fields);
        }
        if self.quiet {
            return Ok(());
        }
        // Work goes on when nobody listens.
        let _ = writeln!(io::stderr().lock(), "{}", printable(text));
        Ok(())
    }

    /// A failure; in JSON with one entry per fault of the YAML.
    pub(crate) fn failure(self, failure: &Failure) -> io::Result<()> {
        if !self.json {
            let text = failure.text();
            let prefix = if matches!(failure, Failure::Spec(_)) {
                ""
            } else {
                "error: "
            };
            return writeln!(io::stderr().lock(), "{prefix}{}", printable(&text));
        }
        let faults = match failure {
            Failure::Spec(faults) => json!(faults),
            _ => json!([]),
        };
        self.line(
            "error",
            json!({ "message": failure.text(), "faults": faults }),
        )
    }

    /// One JSON line.
    pub(crate) fn line(self, event: &str, fields: Value) -> io::Result<()> {
        let mut line = json!({ "schema": SCHEMA, "event": event });
        if let (Value::Object(line), Value::Object(fields)) = (&mut line, fields) {
            line.extend(fields);
        }
        let mut out = io::stdout().lock();
        writeln!(out, "{line}")?;
        out.flush()
    }
}

/// The text without what a terminal would obey: names in images, disks and answers are anybody's.
fn printable(text: &str) -> Cow<'_, str> {
    let is_odd = |c: char| {
        let is_direction = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        is_direction || (c.is_control() && !matches!(c, '\n' | '\t'))
    };
    if !text.contains(is_odd) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_odd(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_not_told_what_to_do() {
        assert!(matches!(printable("a\n\tü \u{1f600}"), Cow::Borrowed(_)));
        assert_eq!(
            printable("a\x1b[2J\r\u{9b}\u{202e}\x7f"),
            "a\\u{1b}[2J\\u{d}\\u{9b}\\u{202e}\\u{7f}"
        );
    }
}
