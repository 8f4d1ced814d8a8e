//! A small tree with ordered keys, and its two notations.

use std::fmt::Write as _;

use serde_json::Value;

use crate::yaml::is_plain_text;

/// What is printed.
#[derive(Clone, Debug)]
pub(super) enum Tree {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    /// Base64.
    Binary(String),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

impl Default for Tree {
    fn default() -> Self {
        Self::Map(Vec::new())
    }
}

impl From<Value> for Tree {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => Self::Number(number.to_string()),
            Value::String(text) => Self::Text(text),
            Value::Array(list) => Self::List(list.into_iter().map(Self::from).collect()),
            Value::Object(map) => Self::Map(
                map.into_iter()
                    .map(|(key, value)| (key, Self::from(value)))
                    .collect(),
            ),
        }
    }
}

/// Block YAML with a line break at the end.
pub(super) fn yaml(tree: &Tree) -> String {
    let mut out = String::new();
    match tree {
        Tree::Map(pairs) if !pairs.is_empty() => yaml_map(&mut out, pairs, 0, false),
        other => yaml_value(&mut out, other, 0),
    }
    out
}

/// `started`: the first key stands behind a `- ` that is written already.
fn yaml_map(out: &mut String, pairs: &[(String, Tree)], indent: usize, started: bool) {
    for (index, (key, value)) in pairs.iter().enumerate() {
        if index > 0 || !started {
            let _ = write!(out, "{:indent$}", "");
        }
        yaml_key(out, key);
        out.push(':');
        yaml_value(out, value, indent);
    }
}

/// The longest key that YAML takes without a `?` in front.
const MAX_SIMPLE_KEY: usize = 1000;

fn yaml_key(out: &mut String, key: &str) {
    let mut text = String::new();
    yaml_text(&mut text, key);
    if text.chars().count() > MAX_SIMPLE_KEY {
        out.push_str("? ");
        out.push_str(&text);
        out.push('\n');
    } else {
        out.push_str(&text);
    }
}

/// What follows a `:`, with the line break.
fn yaml_value(out: &mut String, value: &Tree, indent: usize) {
    match value {
        Tree::List(items) if !items.is_empty() => {
            out.push('\n');
            yaml_list(out, items, indent);
        }
        Tree::Map(pairs) if !pairs.is_empty() => {
            out.push('\n');
            yaml_map(out, pairs, indent + 2, false);
        }
        Tree::Text(text) if is_block(text) => yaml_block(out, text, indent + 2),
        scalar => {
            out.push(' ');
            yaml_scalar(out, scalar);
            out.push('\n');
        }
    }
}

fn yaml_list(out: &mut String, items: &[Tree], indent: usize) {
    for item in items {
        let _ = write!(out, "{:indent$}-", "");
        match item {
            Tree::Map(pairs) if !pairs.is_empty() => {
                out.push(' ');
                yaml_map(out, pairs, indent + 2, true);
            }
            Tree::List(inner) if !inner.is_empty() => {
                out.push('\n');
                yaml_list(out, inner, indent + 2);
            }
            Tree::Text(text) if is_block(text) => yaml_block(out, text, indent + 2),
            scalar => {
                out.push(' ');
                yaml_scalar(out, scalar);
                out.push('\n');
            }
        }
    }
}

fn yaml_scalar(out: &mut String, value: &Tree) {
    match value {
        Tree::Null => out.push_str("null"),
        Tree::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Tree::Number(number) => out.push_str(number),
        Tree::Text(text) => yaml_text(out, text),
        Tree::Binary(packed) => {
            out.push_str("!!binary ");
            yaml_text(out, packed);
        }
        Tree::List(_) => out.push_str("[]"),
        Tree::Map(_) => out.push_str("{}"),
    }
}

fn yaml_text(out: &mut String, text: &str) {
    if is_plain(text) {
        out.push_str(text);
    } else {
        quote(out, text);
    }
}

/// Whether a text can stand without quotes: a strict choice, well within what YAML allows.
fn is_plain(text: &str) -> bool {
    let first = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_');
    let inner =
        |c: char| first(c) || matches!(c, '.' | '-' | '+' | '=' | ',' | '@' | '%' | ' ' | ':');
    text.starts_with(first)
        && text.chars().all(inner)
        && !text.contains(": ")
        && !text.ends_with([' ', ':'])
        && is_plain_text(text)
}

/// Several lines that a literal block keeps as they are.
fn is_block(text: &str) -> bool {
    let printable = |c: char| c == '\n' || c == '\t' || (' '..='~').contains(&c);
    text.trim_end_matches('\n').contains('\n')
        && !text.starts_with([' ', '\n', '\t'])
        && text.chars().all(printable)
        // A line of blanks alone would be at the mercy of editors.
        && text.lines().all(|line| line.is_empty() || !line.trim().is_empty())
}

fn yaml_block(out: &mut String, text: &str, indent: usize) {
    let body = text.trim_end_matches('\n');
    let breaks = text.len() - body.len();
    out.push_str(match breaks {
        0 => " |-\n",
        1 => " |\n",
        _ => " |+\n",
    });
    for line in body.split('\n') {
        if !line.is_empty() {
            let _ = write!(out, "{:indent$}{line}", "");
        }
        out.push('\n');
    }
    for _ in 1..breaks {
        out.push('\n');
    }
}

/// JSON's quoting, which YAML reads the same.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{0}'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}'
            | '\u{fffe}'
            | '\u{ffff}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

/// JSON with four spaces, without a line break at the end.
pub(super) fn json(tree: &Tree) -> String {
    let mut out = String::new();
    json_value(&mut out, tree, 0);
    out
}

fn json_value(out: &mut String, value: &Tree, indent: usize) {
    let inner = indent + 4;
    match value {
        Tree::Null => out.push_str("null"),
        Tree::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Tree::Number(number) => out.push_str(number),
        Tree::Text(text) | Tree::Binary(text) => quote(out, text),
        // A section without entries; a list of a container that is empty says something.
        Tree::List(items) if items.is_empty() => {
            out.push_str(if indent == 4 { "null" } else { "[]" })
        }
        Tree::Map(pairs) if pairs.is_empty() => out.push_str("{}"),
        Tree::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                let _ = write!(out, "{}\n{:inner$}", if index > 0 { "," } else { "" }, "");
                json_value(out, item, inner);
            }
            let _ = write!(out, "\n{:indent$}]", "");
        }
        Tree::Map(pairs) => {
            out.push('{');
            for (index, (key, item)) in pairs.iter().enumerate() {
                let _ = write!(out, "{}\n{:inner$}", if index > 0 { "," } else { "" }, "");
                quote(out, key);
                out.push_str(": ");
                json_value(out, item, inner);
            }
            let _ = write!(out, "\n{:indent$}}}", "");
        }
    }
}
