//! A schema's attributes by who sets them, nested ones behind links.

use std::fmt::Write;

use crate::schema::flags::{Flags, Mode};
use crate::schema::{Attribute, Nesting, Schema, Shape};
use crate::value::{Type, Value};

/// The whole section.
pub(super) fn schema(schema: &Schema) -> String {
    let mut out = String::from("\n## Schema\n");
    let mut nested = Vec::new();
    attributes(&mut out, &schema.attributes, "", "###", &mut nested);
    while !nested.is_empty() {
        for (path, inner) in std::mem::take(&mut nested) {
            let anchor = anchor(&path);
            let _ = write!(
                out,
                "\n<a id=\"{anchor}\"></a>\n### Nested Schema for `{path}`\n"
            );
            attributes(&mut out, inner, &path, "####", &mut nested);
        }
    }
    out
}

fn anchor(path: &str) -> String {
    format!("nestedatt--{}", path.replace('.', "--"))
}

fn attributes<'a>(
    out: &mut String,
    attributes: &'a [Attribute],
    path: &str,
    level: &str,
    nested: &mut Vec<(String, &'a [Attribute])>,
) {
    for (title, modes) in [
        ("Required", &[Mode::Required][..]),
        ("Optional", &[Mode::Optional, Mode::OptionalComputed]),
        ("Read-Only", &[Mode::Computed]),
    ] {
        let mut group: Vec<&Attribute> = attributes
            .iter()
            .filter(|attribute| modes.contains(&attribute.flags.mode))
            .collect();
        if group.is_empty() {
            continue;
        }
        group.sort_by(|a, b| a.name.cmp(&b.name));
        let _ = write!(out, "\n{level} {title}\n\n");
        for attribute in group {
            let path = if path.is_empty() {
                attribute.name.clone()
            } else {
                format!("{path}.{}", attribute.name)
            };
            line(out, attribute, &path);
            if let Shape::Nested(_, inner) = &attribute.shape {
                nested.push((path, inner));
            }
        }
    }
}

fn line(out: &mut String, attribute: &Attribute, path: &str) {
    let flags = &attribute.flags;
    let mut notes = vec![kind(&attribute.shape)];
    if flags.sensitive {
        notes.push("Sensitive".to_owned());
    }
    if flags.write_only {
        notes.push("Write-only".to_owned());
    }
    if flags.deprecated.is_some() {
        notes.push("Deprecated".to_owned());
    }
    let _ = write!(out, "- `{}` ({})", attribute.name, notes.join(", "));
    for text in [list(&attribute.description), behaviour(flags)] {
        if !text.is_empty() {
            let _ = write!(out, " {text}");
        }
    }
    if matches!(attribute.shape, Shape::Nested(..)) {
        let _ = write!(out, " (see [below for nested schema](#{}))", anchor(path));
    }
    out.push('\n');
}

/// Text that stays within its item of a list.
pub(super) fn list(text: &str) -> String {
    text.replace('\n', "\n  ").replace("\n  \n", "\n\n")
}

/// What the flags say, in words.
fn behaviour(flags: &Flags) -> String {
    let mut out = Vec::new();
    if !flags.choices.is_empty() {
        let all: Vec<String> = flags.choices.iter().map(|c| format!("`{c}`")).collect();
        out.push(format!("One of {}.", all.join(", ")));
    }
    if let Some(text) = flags.default.as_ref().and_then(literal) {
        out.push(format!("Default: `{text}`."));
    }
    if let Some(instead) = &flags.deprecated {
        out.push(format!("**Deprecated:** {instead}"));
    }
    if matches!(flags.replace, crate::schema::flags::Replace::Always) {
        out.push("Changing it creates a new resource.".to_owned());
    }
    out.join(" ")
}

fn literal(value: &Value) -> Option<String> {
    match value {
        Value::Bool(b) => Some(b.to_string()),
        Value::Number(n) => Some(n.to_string()),
        Value::String(s) => Some(format!("{s:?}")),
        Value::List(items) => {
            let items: Option<Vec<String>> = items.iter().map(literal).collect();
            Some(format!("[{}]", items?.join(", ")))
        }
        Value::Dynamic(_, value) => literal(value),
        Value::Null | Value::Unknown(_) | Value::Set(_) | Value::Map(_) => None,
    }
}

fn kind(shape: &Shape) -> String {
    match shape {
        Shape::Nested(Nesting::Single, _) => "Attributes".to_owned(),
        Shape::Nested(Nesting::List, _) => "Attributes List".to_owned(),
        Shape::Nested(Nesting::Set, _) => "Attributes Set".to_owned(),
        Shape::Nested(Nesting::Map, _) => "Attributes Map".to_owned(),
        Shape::Plain(ty) => type_name(ty),
    }
}

fn type_name(ty: &Type) -> String {
    match ty {
        Type::String => "String".to_owned(),
        Type::Number => "Number".to_owned(),
        Type::Bool => "Boolean".to_owned(),
        Type::Dynamic => "Dynamic".to_owned(),
        Type::List(of) => format!("List of {}", type_name(of)),
        Type::Set(of) => format!("Set of {}", type_name(of)),
        Type::Map(of) => format!("Map of {}", type_name(of)),
        Type::Tuple(_) => "Tuple".to_owned(),
        Type::Object(_) => "Object".to_owned(),
    }
}
