//! The difference as people read it in a review.

mod contents;
mod settings;

use crate::quantity::bytes;

use super::{Change, Diff, Identity, Moved, Pin};

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detail {
    /// Lines of one list; the others are counted.
    pub lines: usize,
    /// Whether values of settings are told, or only that they changed.
    pub values: bool,
    /// Digits of a digest.
    pub digits: usize,
}

impl Detail {
    /// For a terminal.
    pub const TERMINAL: Self = Self {
        lines: 40,
        values: true,
        digits: 12,
    };
    /// For a plan, which others read too.
    pub const PLAN: Self = Self {
        lines: 12,
        values: false,
        digits: 12,
    };
}

/// The difference as text; no line break at its end.
pub fn text(diff: &Diff, detail: Detail) -> String {
    let mut lines = Lines(Vec::new());
    head(diff, detail, &mut lines);
    if diff.is_same_image() {
        lines.add("the same image");
    } else {
        references(&diff.references, detail, &mut lines);
        settings::tell(diff, detail, &mut lines);
        contents::packages(diff, detail, &mut lines);
        contents::files(diff, detail, &mut lines);
        contents::sizes(diff, detail, &mut lines);
    }
    contents::blocks(diff, &mut lines);
    let mut reasons: Vec<(Vec<&str>, &str)> = Vec::new();
    for skipped in &diff.not_compared {
        match reasons.iter_mut().find(|(_, why)| *why == skipped.why) {
            Some((what, _)) => what.push(skipped.what),
            None => reasons.push((vec![skipped.what], &skipped.why)),
        }
    }
    for (what, why) in reasons {
        lines.add(format!("not compared: {}: {why}", what.join(", ")));
    }
    lines.0.join("\n")
}

/// Lines of text, grouped under titles.
struct Lines(Vec<String>);

impl Lines {
    fn add(&mut self, line: impl Into<String>) {
        self.0.push(line.into());
    }

    /// A list under its title, cut where it gets long.
    fn list(&mut self, title: &str, items: Vec<String>, detail: Detail) {
        if items.is_empty() {
            return;
        }
        self.add(title);
        let more = items.len().saturating_sub(detail.lines);
        // One line that says "1 more" is no shorter than the line itself.
        let shown = if more == 1 { items.len() } else { detail.lines };
        let left = items.len().saturating_sub(shown);
        for item in items.into_iter().take(shown) {
            self.add(format!("  {item}"));
        }
        if left > 0 {
            self.add(format!("  … and {left} more"));
        }
    }
}

fn head(diff: &Diff, detail: Detail, lines: &mut Lines) {
    let name = |side: &Option<Identity>| match side {
        Some(side) => match &side.id {
            Some(id) => short(id, detail),
            None => "not pinned".to_owned(),
        },
        None => "unknown".to_owned(),
    };
    let architecture = match (&diff.from, &diff.to) {
        (Some(from), Some(to)) if from.architecture == to.architecture => {
            format!(" ({})", to.architecture)
        }
        _ => String::new(),
    };
    let (from, to) = (name(&diff.from), name(&diff.to));
    if from == to && diff.is_same_image() {
        lines.add(format!("image {to}{architecture}"));
    } else {
        lines.add(format!("image {from} → {to}{architecture}"));
    }
}

fn references(moved: &[Moved], detail: Detail, lines: &mut Lines) {
    let items = moved.iter().map(|moved| reference(moved, detail)).collect();
    // All of them, whatever the limit: this is what a lock is reviewed for.
    let all = Detail {
        lines: usize::MAX,
        ..detail
    };
    lines.list("references", items, all);
}

/// One reference that moved: `~ nginx:1.24 → nginx:1.25  sha256:… → sha256:…`.
pub(super) fn reference(moved: &Moved, detail: Detail) -> String {
    let sign = moved.change.sign();
    let digest = |pin: &Pin| match &pin.digest {
        Some(digest) => short(digest, detail),
        None => "not pinned".to_owned(),
    };
    match (&moved.from, &moved.to) {
        (Some(from), Some(to)) if from.reference == to.reference => {
            format!("{sign} {}  {} → {}", to.reference, digest(from), digest(to))
        }
        (Some(from), Some(to)) => format!(
            "{sign} {} → {}  {}",
            from.reference,
            tail(&from.reference, &to.reference),
            match (digest(from), digest(to)) {
                (from, to) if from == to => to,
                (from, to) => format!("{from} → {to}"),
            }
        ),
        (Some(pin), None) | (None, Some(pin)) => {
            format!("{sign} {}  {}", pin.reference, digest(pin))
        }
        (None, None) => String::new(),
    }
}

/// The later reference without what both begin with, up to the tag.
fn tail<'a>(from: &str, to: &'a str) -> &'a str {
    let at = to.rfind('/').map_or(0, |at| at + 1);
    let colon = to[at..].find([':', '@']).map(|colon| at + colon);
    match colon {
        Some(colon) if from.get(..colon) == to.get(..colon) => &to[colon..],
        _ => to,
    }
}

/// `sha256:` and the first digits.
fn short(digest: &str, detail: Detail) -> String {
    let len = "sha256:".len() + detail.digits;
    digest.get(..len).unwrap_or(digest).to_owned()
}

/// `1.0 MiB → 1.5 MiB (+512.0 KiB)`.
fn growth(from: u64, to: u64) -> String {
    if from == to {
        return bytes(to);
    }
    let (sign, by) = if to > from {
        ('+', to - from)
    } else {
        ('-', from - to)
    };
    format!("{} → {} ({sign}{})", bytes(from), bytes(to), bytes(by))
}

fn sign_of(change: Change, flagged: bool) -> String {
    let sign = change.sign();
    // What a reviewer must not overlook.
    if flagged {
        format!("!{sign}")
    } else {
        sign.to_string()
    }
}

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
