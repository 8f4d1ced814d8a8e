//! Comments that silence lints.

use std::ops::RangeInclusive;

use crate::parse::Parsed;
use crate::yaml::{Comment, Source};

/// A `# nodeimage: allow ID` comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    /// Index of the document.
    pub document: usize,
    /// From the comment's own line to the last line that it speaks for.
    pub lines: RangeInclusive<usize>,
    /// The lint's id as written.
    pub id: String,
}

impl Allow {
    /// All of a document. One comment may name several lints, separated by commas or spaces.
    pub(crate) fn all(document: usize, source: &Source<'_>, comments: &[Comment]) -> Vec<Self> {
        let mut allows = Vec::new();
        for comment in comments {
            let words = comment
                .text
                .trim()
                .strip_prefix("nodeimage:")
                .map(str::trim_start);
            let Some(ids) = words.and_then(|words| words.strip_prefix("allow ")) else {
                continue;
            };
            let lines = comment.line..=last_line(source, comment.line);
            let ids = ids.split([',', ' ', '\t']).filter(|id| !id.is_empty());
            allows.extend(ids.map(|id| Self {
                document,
                lines: lines.clone(),
                id: id.to_owned(),
            }));
        }
        allows
    }
}

/// A comment behind a value speaks for its line, one that stands alone for the next line that
/// holds something.
fn last_line(source: &Source<'_>, line: usize) -> usize {
    let comment = |line: usize| source.line(line).trim_start().starts_with('#');
    let mut last = line;
    if comment(line) {
        while comment(last) && last < source.lines() {
            last += 1;
        }
    }
    last
}

/// Whether a comment silences a lint for the value at `path`.
pub(super) fn allowed(parsed: &Parsed, id: &str, path: &str) -> bool {
    let mut allows = parsed.allows.iter().filter(|allow| allow.id == id);
    // What concerns the whole spec or a section has no line of its own: any comment will do.
    if !path.contains(['.', '[']) {
        return allows.next().is_some();
    }
    let allows: Vec<&Allow> = allows.collect();
    let mut path = path;
    loop {
        if let Some(location) = parsed.locations.get(path)
            && allows.iter().any(|allow| {
                allow.document == location.document && allow.lines.contains(&location.line)
            })
        {
            return true;
        }
        // Outwards as far as the entry of a list.
        match path.rfind(['.', '[']) {
            Some(end) if path[..end].contains('[') => path = &path[..end],
            _ => return false,
        }
    }
}
