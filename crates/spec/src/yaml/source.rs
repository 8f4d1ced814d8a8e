//! The text of a document by lines.

use super::Spot;
use crate::fault::{Place, excerpt};

/// A named text that knows where its lines start.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    index: usize,
    name: &'a str,
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Source<'a> {
    /// `index` is the document's place in the list that is parsed.
    pub(crate) fn new(index: usize, name: &'a str, text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let mut starts = vec![0];
        for (at, byte) in bytes.iter().enumerate() {
            let breaks = match byte {
                b'\n' => true,
                b'\r' => bytes.get(at + 1) != Some(&b'\n'),
                _ => false,
            };
            if breaks {
                starts.push(at + 1);
            }
        }
        Self {
            index,
            name,
            text,
            starts,
        }
    }

    /// A line, counted from 1, without its line break; empty beyond the end.
    pub(crate) fn line(&self, line: usize) -> &'a str {
        let Some(start) = line.checked_sub(1).and_then(|index| self.starts.get(index)) else {
            return "";
        };
        let end = self.starts.get(line).copied().unwrap_or(self.text.len());
        self.text
            .get(*start..end)
            .unwrap_or_default()
            .trim_end_matches(['\n', '\r'])
    }

    /// How many lines there are.
    pub(crate) fn lines(&self) -> usize {
        self.starts.len()
    }

    /// Whether nothing but blanks, and a tab among them, stands in front of a place.
    pub(crate) fn is_tab_indented(&self, spot: Spot) -> bool {
        let blanks = self
            .line(spot.line)
            .bytes()
            .take_while(|byte| matches!(byte, b' ' | b'\t'));
        let (mut count, mut tab) = (0, false);
        for byte in blanks.take(spot.column) {
            count += 1;
            tab |= byte == b'\t' && count < spot.column;
        }
        tab && count + 1 >= spot.column
    }

    /// A place for a fault, with the source line.
    pub(crate) fn place(&self, spot: Spot, length: usize) -> Place {
        Place {
            document: self.index,
            name: self.name.to_owned(),
            line: spot.line,
            column: spot.column,
            length: length.max(1),
            excerpt: excerpt(self.line(spot.line), spot.column),
        }
    }
}
