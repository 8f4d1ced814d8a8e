//! Aliases: patterns of device identities and the modules that serve them (modules.alias).
//!
//! There are tens of thousands, and one lookup per device: they lie by the text before the first
//! colon, the bus, so that a lookup tries those of its own bus.

use std::collections::BTreeMap;

use super::dep::normal;

/// Patterns by bus; those without a plain bus lie under the empty name.
#[derive(Debug, Default)]
pub(super) struct Aliases {
    by_bus: BTreeMap<Box<str>, Vec<Alias>>,
}

#[derive(Debug)]
struct Alias {
    pattern: Box<str>,
    module: Box<str>,
}

impl Aliases {
    /// Adds the lines `alias PATTERN MODULE` of `text`.
    pub(super) fn read(&mut self, text: &str) {
        for line in text.lines() {
            let mut words = line.split_whitespace();
            if let (Some("alias"), Some(pattern), Some(module)) =
                (words.next(), words.next(), words.next())
            {
                self.add(pattern, module);
            }
        }
    }

    /// Adds one.
    pub(super) fn add(&mut self, pattern: &str, module: &str) {
        let pattern = normal_pattern(pattern);
        let bus = bus(&pattern).into();
        self.by_bus.entry(bus).or_default().push(Alias {
            pattern: pattern.into(),
            module: normal(module).into(),
        });
    }

    /// The modules whose patterns match `alias`, each once, in the file's order.
    pub(super) fn find(&self, alias: &str) -> Vec<String> {
        let alias = normal(alias);
        let own = bus(&alias);
        let mut found: Vec<String> = Vec::new();
        let buckets = [own, ""];
        let buckets = if own.is_empty() {
            &buckets[1..]
        } else {
            &buckets[..]
        };
        for Alias { pattern, module } in buckets
            .iter()
            .filter_map(|bus| self.by_bus.get(*bus))
            .flatten()
        {
            if matches(pattern.as_bytes(), alias.as_bytes())
                && !found.iter().any(|known| **known == **module)
            {
                found.push(module.to_string());
            }
        }
        found
    }
}

/// What stands before the first colon, if it is plain.
fn bus(text: &str) -> &str {
    match text.split_once(':') {
        Some((bus, _)) if !bus.contains(['*', '?', '[']) => bus,
        _ => "",
    }
}

/// Dashes are underscores, but not inside brackets, where they are ranges.
fn normal_pattern(pattern: &str) -> String {
    let mut inside = false;
    pattern
        .chars()
        .map(|c| {
            match c {
                '[' => inside = true,
                ']' => inside = false,
                '-' if !inside => return '_',
                _ => {}
            }
            c
        })
        .collect()
}

/// Shell patterns: `*`, `?`, `[a-z]`. One remembered star suffices, so the time is at most the
/// product of the lengths.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        match step(pattern, p, text.get(t).copied()) {
            Step::Done => return true,
            Step::Star => {
                star = Some((p + 1, t));
                p += 1;
            }
            Step::Next(next) => {
                p = next;
                t += 1;
            }
            Step::Miss => match star {
                Some((after, from)) if from < text.len() => {
                    star = Some((after, from + 1));
                    (p, t) = (after, from + 1);
                }
                _ => return false,
            },
        }
    }
}

enum Step {
    /// Pattern and text end together.
    Done,
    /// A star stands here.
    Star,
    /// The character fits; the pattern goes on there.
    Next(usize),
    /// It does not fit.
    Miss,
}

fn step(pattern: &[u8], at: usize, character: Option<u8>) -> Step {
    match (pattern.get(at), character) {
        (None, None) => Step::Done,
        (Some(b'*'), _) => Step::Star,
        (None, Some(_)) | (Some(_), None) => Step::Miss,
        (Some(b'?'), Some(_)) => Step::Next(at + 1),
        (Some(b'['), Some(c)) => match class(pattern, at + 1, c) {
            Some((true, next)) => Step::Next(next),
            _ => Step::Miss,
        },
        (Some(plain), Some(c)) if *plain == c => Step::Next(at + 1),
        _ => Step::Miss,
    }
}

/// Whether `c` is in the class that begins at `at`, and where the pattern goes on behind it;
/// `None` when the class never ends.
fn class(pattern: &[u8], mut at: usize, c: u8) -> Option<(bool, usize)> {
    let mut fits = false;
    loop {
        let from = *pattern.get(at)?;
        if from == b']' {
            return Some((fits, at + 1));
        }
        match (pattern.get(at + 1), pattern.get(at + 2)) {
            (Some(b'-'), Some(to)) if *to != b']' => {
                fits |= (from..=*to).contains(&c);
                at += 3;
            }
            _ => {
                fits |= from == c;
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fits(pattern: &str, text: &str) -> bool {
        matches(pattern.as_bytes(), text.as_bytes())
    }

    #[test]
    fn patterns() {
        assert!(fits("virtio:d00000001v*", "virtio:d00000001v00001AF4"));
        assert!(!fits("virtio:d00000001v*", "virtio:d00000002v00001AF4"));
        assert!(fits(
            "pci:v*d*sv*sd*bc01sc06i01*",
            "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01"
        ));
        assert!(fits("a[0-9b]c", "a5c") && fits("a[0-9b]c", "abc"));
        assert!(!fits("a[0-9b]c", "aac") && !fits("a[0", "a0"));
        assert!(fits("a?c*", "abc") && !fits("a?c", "ac"));
        assert!(fits("*", "") && fits("**", "x") && !fits("", "x"));
        assert!(!fits("a*b*c", "a-c-b"));
    }

    #[test]
    fn lookups_stay_on_the_bus() {
        let mut aliases = Aliases::default();
        aliases.read(
            "# Aliases\nalias virtio:d00000001v* virtio-net\nalias pci:v*d* other\n\
             alias fs-overlay overlay\nalias *:odd odd\nalias broken\n\
             alias virtio:d00000001v* virtio_net\n",
        );
        assert_eq!(aliases.find("virtio:d00000001v00001AF4"), ["virtio_net"]);
        assert_eq!(aliases.find("fs-overlay"), ["overlay"]);
        assert_eq!(aliases.find("fs_overlay"), ["overlay"]);
        assert_eq!(aliases.find("x:odd"), ["odd"]);
        assert!(aliases.find("usb:v1").is_empty());
    }

    #[test]
    fn input_devices_have_dashes() {
        let mut aliases = Aliases::default();
        aliases.read("alias input:b*v*p*e*-e*1,*k*14A,*r*a*m*l*s*f*w* mousedev\nalias input:b*v*p*e*-e*k*r*a*m*l*s*f*w* evdev\n");
        let button = "input:b0019v0000p0001e0000-e0,1,k74,ramlsfw";
        assert_eq!(aliases.find(button), ["evdev"]);
    }

    proptest! {
        #[test]
        fn plain_text_matches_itself_only(a in "[a-c]{0,6}", b in "[a-c]{0,6}") {
            prop_assert_eq!(fits(&a, &b), a == b);
        }

        #[test]
        fn star_is_any_middle(a in "[ab]{0,4}", b in "[ab]{0,4}", text in "[ab]{0,12}") {
            let wanted = text.len() >= a.len() + b.len()
                && text.starts_with(&a) && text.ends_with(&b);
            prop_assert_eq!(fits(&format!("{a}*{b}"), &text), wanted);
        }

        #[test]
        fn any_pattern_ends(pattern in any::<Vec<u8>>(), text in any::<Vec<u8>>()) {
            let _ = matches(&pattern, &text);
        }
    }
}
