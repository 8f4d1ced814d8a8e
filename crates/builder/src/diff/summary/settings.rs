//! Settings: command line, disk, containers, `files`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::{Change, Diff, Setting};
use super::{Detail, Lines, sign_of};

/// Longest value that is told whole, in characters.
const MAX_VALUE: usize = 160;

pub(super) fn tell(diff: &Diff, detail: Detail, lines: &mut Lines) {
    let moved: BTreeSet<(&str, &str)> = diff
        .references
        .iter()
        .filter_map(|moved| {
            let (from, to) = (moved.from.as_ref()?, moved.to.as_ref()?);
            Some((from.reference.as_str(), to.reference.as_str()))
        })
        .collect();
    // Whole containers and files that come or go are one line, not one for each key.
    let mut groups: BTreeMap<&str, Vec<&Setting>> = BTreeMap::new();
    for setting in &diff.settings {
        if !is_told_as_reference(setting, &moved) {
            groups.entry(&setting.of).or_default().push(setting);
        }
    }
    let mut items = Vec::new();
    for (of, group) in groups {
        let first = if of.starts_with("files ") {
            "type"
        } else {
            "image"
        };
        let whole = group
            .iter()
            .find(|it| it.key == first && it.change != Change::Changed && of.contains(' '));
        match whole {
            Some(whole) => items.push(one(of, whole, &group, detail)),
            None => items.extend(group.iter().map(|setting| line(setting, detail))),
        }
    }
    lines.list("settings", items, detail);
}

/// A container or file that only one image has.
fn one(of: &str, whole: &Setting, group: &[&Setting], detail: Detail) -> String {
    let powerful = group.iter().any(|it| is_power(it));
    let flagged = whole.change == Change::Added && powerful;
    let mut text = format!("{} {of}", sign_of(whole.change, flagged));
    let image = whole.to.as_ref().or(whole.from.as_ref());
    if let Some(Value::String(image)) = image.filter(|_| whole.key == "image" && detail.values) {
        text.push_str(&format!("  {image}"));
    }
    if flagged {
        let keys: Vec<&str> = group
            .iter()
            .filter(|it| is_power(it))
            .map(|it| it.key.as_str())
            .collect();
        text.push_str(&format!("  ({})", keys.join(", ")));
    }
    text
}

/// An image's line among the references says it already; so does the order of init images.
fn is_told_as_reference(setting: &Setting, moved: &BTreeSet<(&str, &str)>) -> bool {
    let told = |from: &Value, to: &Value| match (from, to) {
        (Value::String(from), Value::String(to)) => {
            from == to || moved.contains(&(from.as_str(), to.as_str()))
        }
        _ => false,
    };
    if setting.key == "order" && setting.of != "init" {
        return !is_reordered(setting);
    }
    match (&setting.from, &setting.to) {
        (Some(Value::Array(from)), Some(Value::Array(to))) if setting.of == "init" => {
            from.len() == to.len() && from.iter().zip(to).all(|(from, to)| told(from, to))
        }
        (Some(from), Some(to)) => setting.key == "image" && told(from, to),
        _ => false,
    }
}

/// Whether containers that both images have run in another order.
fn is_reordered(setting: &Setting) -> bool {
    let (Some(Value::Array(from)), Some(Value::Array(to))) = (&setting.from, &setting.to) else {
        return false;
    };
    let old = from.iter().filter(|name| to.contains(name));
    let new = to.iter().filter(|name| from.contains(name));
    !old.eq(new)
}

fn line(setting: &Setting, detail: Detail) -> String {
    let flagged = is_power(setting) && setting.change != Change::Removed;
    let sign = sign_of(setting.change, flagged);
    let Setting { of, key, .. } = setting;
    let mut text = format!("{sign} {of} {key}");
    if !detail.values {
        return text;
    }
    match (&setting.from, &setting.to) {
        (Some(from), Some(to)) => text.push_str(&format!("  {}", change(from, to))),
        (None, Some(value)) => text.push_str(&format!("  {}", shown(value))),
        (Some(value), None) => text.push_str(&format!("  {} → default", shown(value))),
        (None, None) => {}
    }
    text
}

/// Keys that give a container more of the machine.
fn is_power(setting: &Setting) -> bool {
    const KEYS: [&str; 10] = [
        "ambient",
        "binds",
        "binds.add",
        "capabilities",
        "capabilities.add",
        "devices",
        "ipc",
        "net",
        "pid",
        "userns",
    ];
    let in_container = ["onboot ", "onshutdown ", "services "];
    in_container
        .iter()
        .any(|section| setting.of.starts_with(section))
        && KEYS.contains(&setting.key.as_str())
}

fn change(from: &Value, to: &Value) -> String {
    let words = |value: &Value| -> Option<Vec<String>> {
        match value {
            Value::Array(items) => items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect(),
            Value::String(text) if text.contains(' ') => {
                Some(text.split_whitespace().map(str::to_owned).collect())
            }
            _ => None,
        }
    };
    if let (Some(old), Some(new)) = (words(from), words(to)) {
        let kept = old.iter().filter(|word| new.contains(word));
        let moved = !kept.eq(new.iter().filter(|word| old.contains(word)));
        let gone = old
            .iter()
            .filter(|word| !new.contains(word))
            .map(|word| format!("-{word}"));
        let come = new
            .iter()
            .filter(|word| !old.contains(word))
            .map(|word| format!("+{word}"));
        let parts: Vec<String> = gone.chain(come).collect();
        if !parts.is_empty() && !moved {
            return cut(parts.join(" "));
        }
        // Words in another order: both lists say more.
    }
    format!("{} → {}", shown(from), shown(to))
}

fn shown(value: &Value) -> String {
    cut(match value {
        Value::String(text) if !text.is_empty() && !text.contains(char::is_control) => text.clone(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    })
}

fn cut(text: String) -> String {
    match text.char_indices().nth(MAX_VALUE) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
