//! How a text is quoted.

use std::fmt::Write as _;

/// The four ways of writing a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

/// What ends a line to readers of YAML 1.1.
pub(super) const LINE_BREAKS: [char; 5] = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];

/// The way `yaml.v2` takes. `plain`: whether a reader takes the bare text for a string.
pub(super) fn style(text: &str, plain: bool, key: bool) -> Style {
    let special = text
        .chars()
        .any(|c| c != '\n' && c != '"' && c != '\\' && needs_escape(c));
    let lines = text.contains('\n');
    // A blank before a line break would be lost in sight; one at the end too.
    let hidden = text.contains(" \n") || special;
    if lines {
        return if hidden || text.ends_with(' ') || key {
            Style::Double
        } else {
            Style::Literal
        };
    }
    if !plain || special {
        return Style::Double;
    }
    let edge = text.starts_with(' ') || text.ends_with(' ');
    if edge || has_indicator(text) {
        Style::Single
    } else {
        Style::Plain
    }
}

/// Whether something in the text means something else in block YAML.
fn has_indicator(text: &str) -> bool {
    if text.starts_with("---") || text.starts_with("...") {
        return true;
    }
    let mut before = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let blank_follows = chars.peek().is_none_or(|next| *next == ' ');
        let found = match (before, c) {
            (
                None,
                '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
                | '@' | '`',
            ) => true,
            (None, '?' | ':' | '-') => blank_follows,
            (Some(_), ':') => blank_follows,
            (Some(before), '#') => before == ' ',
            _ => false,
        };
        if found {
            return true;
        }
        before = Some(c);
    }
    false
}

/// What stands as an escape in double quotes.
pub(super) fn needs_escape(c: char) -> bool {
    let printable = matches!(c,
        ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}');
    !printable || matches!(c, '"' | '\\')
}

/// Writes the escape.
pub(super) fn escape(out: &mut String, c: char) {
    let short = match c {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        _ => {
            let code = u32::from(c);
            let _ = match code {
                0..=0xff => write!(out, "\\x{code:02X}"),
                0x100..=0xffff => write!(out, "\\u{code:04X}"),
                _ => write!(out, "\\U{code:08X}"),
            };
            return;
        }
    };
    out.push('\\');
    out.push(short);
}
