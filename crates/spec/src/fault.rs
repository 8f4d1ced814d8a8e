//! What is wrong with a document, where, and what to do: collected, sorted, printed.
//!
//! A [`Fault`] has its parts as fields, for editors, Terraform's diagnostics and JSON, and
//! [`Faults`] prints them all as compilers do: message, file with line and column, the source line
//! with a caret, help. Lint findings are faults with an id and, mostly, a lesser severity.

use std::fmt::{self, Write as _};

use serde::Serialize;

use crate::secret;

/// More faults than this are counted, not kept.
const MAX_FAULTS: usize = 500;

/// Characters of a source line that are shown at most.
const EXCERPT_CHARS: usize = 120;

/// How bad a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing can be built.
    Error,
    /// An image can be built, but probably not the wanted one.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// A place in one of the documents.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// Index of the document in the list that was parsed.
    pub document: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Name of the document as the caller gave it.
    pub name: String,
    /// How many characters the caret underlines, at least 1.
    pub length: usize,
    /// The source line, shortened; none where it seems to hold a secret or the text is not at hand.
    pub excerpt: Option<Excerpt>,
}

/// A piece of a source line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Excerpt {
    /// The text, without control characters.
    pub text: String,
    /// Column in `text`, from 1, that the caret points at.
    pub column: usize,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// How bad it is.
    pub severity: Severity,
    /// The lint's name, for lint findings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<&'static str>,
    /// What is wrong: one line, lower case.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Path of the value in the merged spec, such as `services[2].image`; empty for a whole document.
    pub path: String,
    /// Where it stands, when that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

impl Fault {
    /// An error at `path`, its place not known yet.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            id: None,
            message: message.into(),
            help: None,
            path: path.into(),
            place: None,
        }
    }

    /// The same fault with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same fault with its place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.severity)?;
        if let Some(id) = self.id {
            write!(f, "[{id}]")?;
        }
        write!(f, ": {}", self.message)?;
        match &self.place {
            Some(place) => snippet(f, place)?,
            None if !self.path.is_empty() => write!(f, "\n --> {}", self.path)?,
            None => {}
        }
        if let Some(help) = &self.help {
            let indent = self.place.as_ref().map_or(1, |place| digits(place.line));
            write!(f, "\n{:indent$} = help: {help}", "")?;
        }
        Ok(())
    }
}

fn snippet(f: &mut fmt::Formatter<'_>, place: &Place) -> fmt::Result {
    let width = digits(place.line);
    write!(
        f,
        "\n{:width$}--> {}:{}:{}",
        "", place.name, place.line, place.column
    )?;
    let Some(excerpt) = &place.excerpt else {
        return Ok(());
    };
    let room = excerpt
        .text
        .chars()
        .count()
        .saturating_sub(excerpt.column - 1)
        .max(1);
    let caret = "^".repeat(place.length.clamp(1, room));
    write!(f, "\n{:width$} |", "")?;
    write!(f, "\n{} | {}", place.line, excerpt.text)?;
    write!(
        f,
        "\n{:width$} | {:skip$}{caret}",
        "",
        "",
        skip = excerpt.column - 1
    )
}

fn digits(line: usize) -> usize {
    line.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// All faults of all documents, in the order of the text.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(transparent)]
pub struct Faults {
    list: Vec<Fault>,
    #[serde(skip)]
    more: usize,
}

impl Faults {
    /// Adds a fault. Beyond 500 they are counted only.
    pub fn push(&mut self, fault: Fault) {
        if self.list.len() < MAX_FAULTS {
            self.list.push(fault);
        } else {
            self.more += 1;
        }
    }

    /// Adds a fault at a place. Both are only worked out when the fault is kept: a hostile text has
    /// a great many.
    pub(crate) fn push_at(&mut self, fault: impl FnOnce() -> Fault, place: impl FnOnce() -> Place) {
        if self.list.len() < MAX_FAULTS {
            self.list.push(fault().at(place()));
        } else {
            self.more += 1;
        }
    }

    /// Adds all of another collection.
    pub fn append(&mut self, other: Self) {
        self.more += other.more;
        for fault in other.list {
            self.push(fault);
        }
    }

    /// The faults kept.
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.list.iter()
    }

    /// How many there are, those not kept included.
    pub fn len(&self) -> usize {
        self.list.len() + self.more
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether one of them is an error, not only a warning.
    pub fn has_errors(&self) -> bool {
        self.more > 0
            || self
                .list
                .iter()
                .any(|fault| fault.severity == Severity::Error)
    }

    /// Puts them in the order of the text and drops exact repeats.
    pub fn sort(&mut self) {
        self.list.sort_by(|a, b| {
            let key = |fault: &Fault| {
                let place = fault.place.as_ref();
                place.map(|place| (place.document, place.line, place.column))
            };
            key(a).cmp(&key(b)).then_with(|| a.path.cmp(&b.path))
        });
        self.list.dedup();
    }

    /// Fills in places from paths, for faults that were found without the text at hand.
    pub(crate) fn locate(&mut self, find: impl Fn(&str) -> Option<Place>) {
        for fault in &mut self.list {
            if fault.place.is_none() {
                fault.place = find(&fault.path);
            }
        }
    }

    /// `Ok` with the value when there is no error.
    pub(crate) fn or<T>(mut self, value: T) -> Result<T, Self> {
        if self.has_errors() {
            self.sort();
            Err(self)
        } else {
            Ok(value)
        }
    }
}

impl IntoIterator for Faults {
    type Item = Fault;
    type IntoIter = std::vec::IntoIter<Fault>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self {
            list: vec![fault],
            more: 0,
        }
    }
}

impl From<Box<Fault>> for Faults {
    fn from(fault: Box<Fault>) -> Self {
        Self::from(*fault)
    }
}

impl FromIterator<Fault> for Faults {
    fn from_iter<I: IntoIterator<Item = Fault>>(iter: I) -> Self {
        let mut faults = Self::default();
        iter.into_iter().for_each(|fault| faults.push(fault));
        faults
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            fault.fmt(f)?;
        }
        if self.more > 0 {
            write!(f, "\n\n… and {} more", self.more)?;
        }
        Ok(())
    }
}

/// A source line cut down to what a terminal shows; none when it is enormous or seems to hold a
/// secret.
pub(crate) fn excerpt(line: &str, column: usize) -> Option<Excerpt> {
    const MAX_LINE: usize = 8192;
    if line.len() > MAX_LINE || secret::find(line).is_some() {
        return None;
    }
    let column = column.max(1);
    // Enough before the caret to see the key, the rest behind it.
    let start = if column > EXCERPT_CHARS * 2 / 3 {
        column - EXCERPT_CHARS / 3
    } else {
        1
    };
    let mut text = String::new();
    let mut shown = column;
    if start > 1 {
        text.push('…');
        shown = column - start + 2;
    }
    let mut rest = line.chars().skip(start - 1);
    for c in rest.by_ref().take(EXCERPT_CHARS) {
        text.push(if c.is_control() { ' ' } else { c });
    }
    if rest.next().is_some() {
        text.push('…');
    }
    Some(Excerpt {
        text,
        column: shown,
    })
}

/// A value from the text for use in a message: short, in backquotes, control characters escaped.
pub(crate) fn quoted(value: &str) -> String {
    const MAX: usize = 160;
    const SCANNED: usize = 4096;
    let scanned = value
        .char_indices()
        .nth(SCANNED)
        .map_or(value, |(end, _)| &value[..end]);
    if secret::find(scanned).is_some() {
        return "a value that looks like a secret".to_owned();
    }
    let mut out = String::from("`");
    for (index, c) in value.chars().enumerate() {
        if index == MAX {
            out.push('…');
            break;
        }
        if c.is_control() {
            let _ = write!(out, "{}", c.escape_default());
        } else {
            out.push(c);
        }
    }
    out.push('`');
    out
}

#[cfg(test)]
#[path = "fault_tests.rs"]
mod tests;
