//! What YAML 1.2 allows and go-yaml does not, because it grew from a reader of YAML 1.1: tabs in
//! front of what a line begins with, some escapes and directives, names of aliases beyond ASCII.
//!
//! Refused here as well: a spec that is taken must be LinuxKit's.

use std::collections::BTreeSet;

use serde_saphyr::granit_parser::{ScalarStyle, Span};

use super::{Source, Spot};
use crate::fault::Fault;

/// Gathers what the tabs of a document stand in.
#[derive(Debug, Default)]
pub(super) struct Strict {
    /// Lines that begin inside a scalar or a flow collection, where tabs are text or space.
    inside: BTreeSet<usize>,
    /// Lines with whose end a plain scalar ends; blank lines behind it are read with it.
    plain: BTreeSet<usize>,
}

impl Strict {
    /// Lines from behind `first` to `last` begin inside of something.
    pub(super) fn cover(&mut self, first: usize, last: usize) {
        self.inside.extend(first + 1..=last);
    }

    /// Notes a scalar; says what go-yaml has against it.
    pub(super) fn scalar(
        &mut self,
        source: &Source<'_>,
        span: &Span,
        style: ScalarStyle,
    ) -> Option<(Spot, Fault)> {
        let (first, mut last) = (span.start.line(), span.end.line());
        match style {
            ScalarStyle::Literal | ScalarStyle::Folded => {
                if span.end.col() == 0 && last > first {
                    last -= 1;
                }
                self.cover(first, last);
                tab_in_indentation(source, Spot::new(&span.start))
            }
            ScalarStyle::DoubleQuoted => {
                self.cover(first, last);
                escape(source, span)
            }
            ScalarStyle::Plain => {
                self.cover(first, last);
                self.plain.insert(last);
                None
            }
            ScalarStyle::SingleQuoted => {
                self.cover(first, last);
                None
            }
        }
    }

    /// A tab in front of the first word of a line, up to the line `last`.
    pub(super) fn tab(&self, source: &Source<'_>, last: usize) -> Option<(Spot, Fault)> {
        for line in (1..=last).filter(|line| !self.inside.contains(line)) {
            let text = source.line(line);
            let Some(at) = text.find('\t') else {
                continue;
            };
            if is_beginning(&text[..at]) && !self.belongs_to_plain(source, line, at) {
                let column = at + 1;
                let fault = Fault::new("", "YAML syntax: a tab stands where a line begins");
                let fault = fault.help("use spaces there, or remove it");
                return Some((Spot { line, column }, fault));
            }
        }
        None
    }

    /// Whether an otherwise blank line is read as the end of a plain scalar before it.
    fn belongs_to_plain(&self, source: &Source<'_>, line: usize, at: usize) -> bool {
        let rest = source.line(line).trim_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with('#') {
            return false;
        }
        let blank = |line: &usize| source.line(*line).trim_matches([' ', '\t']).is_empty();
        let before = (1..line).rev().find(|line| !blank(line));
        before.is_some_and(|before| {
            let text = source.line(before);
            let indent = text.len() - text.trim_start_matches(' ').len();
            self.plain.contains(&before) && at > indent
        })
    }
}

/// Whether only blanks and the marks of lists and keys stand before a place.
fn is_beginning(prefix: &str) -> bool {
    let mut rest = prefix.trim_start_matches(' ');
    while let Some(behind) = rest.strip_prefix(['-', '?', ':']) {
        if !behind.is_empty() && !behind.starts_with(' ') {
            return false;
        }
        rest = behind.trim_start_matches(' ');
    }
    rest.is_empty()
}

/// A tab among the blanks from which the indentation of a block scalar is told. `text` is a place
/// in its first line of text or in its header.
fn tab_in_indentation(source: &Source<'_>, text: Spot) -> Option<(Spot, Fault)> {
    let header = (1..=text.line).rev().find_map(|line| {
        let marks = header_marks(source.line(line))?;
        Some((line, marks))
    });
    let (header, marks) = header?;
    if marks.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    for line in header + 1..=source.lines() {
        let text = source.line(line);
        let rest = text.trim_start_matches(' ');
        if rest.starts_with('\t') {
            let column = text.len() - rest.len() + 1;
            let fault = Fault::new("", "YAML syntax: the text of a block begins with a tab")
                .help("give its indentation, such as `|2`, or put the text in double quotes");
            return Some((Spot { line, column }, fault));
        }
        if !rest.is_empty() {
            break;
        }
    }
    None
}

/// What follows the `|` or `>` with which a line ends, if it does.
fn header_marks(line: &str) -> Option<&str> {
    let line = line.find(" #").map_or(line, |at| &line[..at]).trim_end();
    let head = line.trim_end_matches(|c: char| matches!(c, '+' | '-') || c.is_ascii_digit());
    head.ends_with(['|', '>']).then(|| &line[head.len()..])
}

/// An escape that go-yaml doesn't know.
fn escape(source: &Source<'_>, span: &Span) -> Option<(Spot, Fault)> {
    for line in span.start.line()..=span.end.line() {
        let from = if line == span.start.line() {
            span.start.col()
        } else {
            0
        };
        let to = if line == span.end.line() {
            span.end.col()
        } else {
            usize::MAX
        };
        let mut chars = source.line(line).chars().enumerate().skip(from);
        while let Some((at, c)) = chars.next() {
            if at >= to {
                break;
            }
            if c != '\\' {
                continue;
            }
            let spot = Spot {
                line,
                column: at + 1,
            };
            match chars.next() {
                Some((_, '/')) => {
                    let fault =
                        Fault::new("", "YAML syntax: LinuxKit does not know the escape `\\/`");
                    return Some((spot, fault.help("write `/`")));
                }
                Some((_, 'u')) => {
                    let digits: String = chars.clone().take(4).map(|(_, c)| c).collect();
                    let code = u32::from_str_radix(&digits, 16).unwrap_or_default();
                    if (0xd800..0xe000).contains(&code) {
                        let message = "YAML syntax: `\\u` escapes half of a character";
                        let help = "write the character itself, or `\\U` and its eight digits";
                        return Some((spot, Fault::new("", message).help(help)));
                    }
                }
                _ => {}
            }
        }
    }
    None
}

/// A directive that go-yaml refuses.
pub(super) fn directive(source: &Source<'_>) -> Option<(Spot, Fault)> {
    for line in 1..=source.lines() {
        let text = source.line(line).trim_start_matches('\u{feff}');
        let spot = Spot { line, column: 1 };
        if let Some(name) = text.strip_prefix('%') {
            let mut words = name.split_ascii_whitespace();
            let fault = match (words.next(), words.next()) {
                (Some("YAML"), Some("1.1")) | (Some("TAG"), _) => continue,
                (Some("YAML"), _) => "YAML syntax: LinuxKit takes no version but 1.1 here",
                _ => "YAML syntax: LinuxKit does not know this directive",
            };
            return Some((spot, Fault::new("", fault).help("remove the line")));
        }
        let rest = text.trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with('#') {
            break;
        }
    }
    None
}

/// Whether go-yaml takes this for the name of an anchor.
pub(super) fn is_name(name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    !name.is_empty() && name.chars().all(word)
}
