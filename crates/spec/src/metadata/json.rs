//! JSON as Go's `encoding/json` indents it: four spaces, no line break at the end.

use std::fmt::Write as _;

use super::tree::Tree;

/// The whole text.
pub(super) fn print(tree: &Tree) -> String {
    let mut out = String::new();
    value(&mut out, tree, 0);
    out
}

fn value(out: &mut String, tree: &Tree, indent: usize) {
    let inner = indent + 4;
    match tree {
        Tree::Null => out.push_str("null"),
        Tree::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Tree::Number(number) => out.push_str(number),
        Tree::Text(text) | Tree::Binary(text) => quote(out, text),
        Tree::List(items) if items.is_empty() => out.push_str("[]"),
        Tree::Map(pairs) if pairs.is_empty() => out.push_str("{}"),
        Tree::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                line(out, index, inner);
                value(out, item, inner);
            }
            let _ = write!(out, "\n{:indent$}]", "");
        }
        Tree::Map(pairs) => {
            out.push('{');
            for (index, (key, item)) in pairs.iter().enumerate() {
                line(out, index, inner);
                quote(out, key);
                out.push_str(": ");
                value(out, item, inner);
            }
            let _ = write!(out, "\n{:indent$}}}", "");
        }
    }
}

fn line(out: &mut String, index: usize, indent: usize) {
    let _ = write!(out, "{}\n{:indent$}", if index > 0 { "," } else { "" }, "");
}

/// With what HTML or JavaScript might stumble over escaped, as Go does.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}
