//! Block YAML as Go's `yaml.v2` writes it: two spaces, lists at the level of their key, lines
//! folded at the first blank beyond column 80.

use std::fmt::Write as _;

use super::tree::Tree;
use crate::yaml::is_plain_to_go;

mod order;
mod text;

use text::Style;

/// Columns after which a text is folded at its next blank.
const WIDTH: usize = 80;
/// Bytes of the longest key that stands without a `?` in front.
const SIMPLE_KEY: usize = 128;
/// Base64 digits on a line.
const BINARY_LINE: usize = 70;

/// The whole text, with a line break at the end.
pub(super) fn print(tree: &Tree) -> String {
    let mut out = Printer::default();
    match tree {
        Tree::Map(pairs) if !pairs.is_empty() => out.map(pairs, 0),
        other => out.scalar(other, 0, false),
    }
    out.end_line();
    out.text
}

#[derive(Debug, Default)]
struct Printer {
    text: String,
    /// Characters on the line that is being written.
    column: usize,
}

impl Printer {
    fn put(&mut self, c: char) {
        self.text.push(c);
        self.column = if c == '\n' { 0 } else { self.column + 1 };
    }

    fn put_all(&mut self, text: &str) {
        text.chars().for_each(|c| self.put(c));
    }

    fn end_line(&mut self) {
        if self.column > 0 {
            self.put('\n');
        }
    }

    /// A line with `indent` blanks; the line that is begun already if it has no more than that.
    fn indent(&mut self, indent: usize) {
        if self.column > indent {
            self.put('\n');
        }
        while self.column < indent {
            self.put(' ');
        }
    }

    fn map(&mut self, pairs: &[(String, Tree)], indent: usize) {
        for (index, (key, value)) in pairs.iter().enumerate() {
            // The first key may stand behind a `- `.
            if index > 0 {
                self.end_line();
            }
            self.indent(indent);
            self.key(key, indent);
            self.put(':');
            match value {
                Tree::List(items) if !items.is_empty() => self.list(items, indent),
                Tree::Map(pairs) if !pairs.is_empty() => {
                    self.end_line();
                    self.map(pairs, indent + 2);
                }
                scalar => {
                    self.put(' ');
                    self.scalar(scalar, indent + 2, false);
                }
            }
        }
    }

    fn key(&mut self, key: &str, indent: usize) {
        let simple = key.len() <= SIMPLE_KEY && !key.contains(text::LINE_BREAKS);
        if simple {
            self.quoted(key, indent + 2, true);
        } else {
            self.put_all("? ");
            self.quoted(key, indent + 2, false);
            self.end_line();
            self.indent(indent);
        }
    }

    fn list(&mut self, items: &[Tree], indent: usize) {
        for item in items {
            self.end_line();
            self.indent(indent);
            self.put('-');
            match item {
                Tree::Map(pairs) if !pairs.is_empty() => self.map(pairs, indent + 2),
                Tree::List(inner) if !inner.is_empty() => self.list(inner, indent + 2),
                scalar => {
                    self.put(' ');
                    self.scalar(scalar, indent + 2, false);
                }
            }
        }
    }

    fn scalar(&mut self, value: &Tree, indent: usize, key: bool) {
        match value {
            Tree::Null => self.put_all("null"),
            Tree::Bool(value) => self.put_all(if *value { "true" } else { "false" }),
            Tree::Number(number) => self.put_all(number),
            Tree::Text(text) => self.quoted(text, indent, key),
            Tree::Binary(packed) => self.binary(packed, indent),
            Tree::List(_) => self.put_all("[]"),
            Tree::Map(_) => self.put_all("{}"),
        }
    }

    fn binary(&mut self, packed: &str, indent: usize) {
        self.put_all("!!binary ");
        if packed.len() < BINARY_LINE {
            self.put_all(packed);
            return;
        }
        let mut lines = String::new();
        for (index, c) in packed.chars().enumerate() {
            if index > 0 && index % BINARY_LINE == 0 {
                lines.push('\n');
            }
            lines.push(c);
        }
        lines.push('\n');
        self.literal(&lines, indent);
    }

    fn quoted(&mut self, text: &str, indent: usize, key: bool) {
        match text::style(text, is_plain_to_go(text) && !(key && text == "<<"), key) {
            Style::Plain => self.folded(text, indent, !key, 0),
            Style::Single => {
                self.put('\'');
                self.folded(text, indent, !key, 1);
                self.put('\'');
            }
            Style::Double => self.double(text, indent, !key),
            Style::Literal => self.literal(text, indent),
        }
    }

    /// A text without line breaks. `edge`: how many characters at each end are never a fold.
    fn folded(&mut self, text: &str, indent: usize, fold: bool, edge: usize) {
        let mut blank_before = false;
        let mut at = 0;
        for (c, next) in with_next(text) {
            let inside = edge == 0 || (at > 0 && at + 1 < text.len());
            let blank = c == ' ';
            if blank && fold && !blank_before && self.column > WIDTH && inside && next != Some(' ')
            {
                self.put('\n');
                self.indent(indent);
            } else {
                if c == '\'' && edge == 1 {
                    self.put('\'');
                }
                self.put(c);
            }
            blank_before = blank;
            at += c.len_utf8();
        }
    }

    fn double(&mut self, text: &str, indent: usize, fold: bool) {
        self.put('"');
        let mut blank_before = false;
        let mut at = 0;
        for (c, next) in with_next(text) {
            let inside = at > 0 && at + 1 < text.len();
            if text::needs_escape(c) {
                let mut escaped = String::new();
                text::escape(&mut escaped, c);
                self.put_all(&escaped);
                blank_before = false;
            } else if c == ' ' {
                if fold && !blank_before && self.column > WIDTH && inside {
                    self.put('\n');
                    self.indent(indent);
                    if next == Some(' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(' ');
                }
                blank_before = true;
            } else {
                self.put(c);
                blank_before = false;
            }
            at += c.len_utf8();
        }
        self.put('"');
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.put('|');
        if text.starts_with([' ', '\n']) {
            self.put('2');
        }
        if !text.ends_with('\n') {
            self.put('-');
        } else if text.len() == 1 || text.ends_with("\n\n") {
            self.put('+');
        }
        self.put('\n');
        for line in text.split_inclusive('\n') {
            if line != "\n" {
                let _ = write!(self.text, "{:indent$}", "");
                self.column = indent;
            }
            self.put_all(line);
        }
    }
}

/// Puts free keys in their order. That of `yaml.v2` has circles (`a1b`, `a2b`, `a10b`), which the
/// standard library's sorting may answer with a panic; merging takes any order.
pub(super) fn sort(pairs: Vec<(String, Tree)>) -> Vec<(String, Tree)> {
    let mut left = pairs;
    if left.len() < 2 {
        return left;
    }
    let right = left.split_off(left.len() / 2);
    let mut left = sort(left).into_iter().peekable();
    let mut right = sort(right).into_iter().peekable();
    let mut out = Vec::with_capacity(left.len() + right.len());
    while let (Some((a, _)), Some((b, _))) = (left.peek(), right.peek()) {
        let next = match order::compare(a, b) {
            std::cmp::Ordering::Greater => right.next(),
            _ => left.next(),
        };
        out.extend(next);
    }
    out.extend(left);
    out.extend(right);
    out
}

/// Each character with the one behind it.
fn with_next(text: &str) -> impl Iterator<Item = (char, Option<char>)> {
    let next = text.chars().skip(1).map(Some).chain([None]);
    text.chars().zip(next)
}
