//! Findings in the Static Analysis Results Interchange Format, version 2.1.0 (OASIS), as code hosts
//! show them beside the lines of a change.

use serde_json::{Value, json};

use super::fingerprint::fingerprints;
use super::{Facts, Group, LINTS, UNKNOWN_LINT};
use crate::fault::{Fault, Faults, Severity};
use crate::model::Spec;

/// The rule of faults that no lint found: what can't be built.
const INVALID: &str = "invalid";

/// A log with one run. `names` are those of the documents; relative ones are taken to be relative to
/// the root of the source tree. Columns count characters. What was not looked at is a notification.
pub fn sarif(spec: &Spec, names: &[&str], faults: &Faults, facts: &Facts) -> Value {
    let results: Vec<Value> = faults
        .iter()
        .zip(fingerprints(spec, faults.iter()))
        .map(|(fault, fingerprint)| result(names, fault, &fingerprint))
        .collect();
    let artifacts: Vec<Value> = names
        .iter()
        .map(|name| json!({ "location": { "uri": uri(name) } }))
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": driver() },
            "invocations": [{
                "executionSuccessful": true,
                "toolExecutionNotifications": notifications(faults, facts),
            }],
            "artifacts": artifacts,
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn driver() -> Value {
    let lints = LINTS.iter().map(|lint| {
        json!({
            "id": lint.id,
            "shortDescription": { "text": lint.about },
            "fullDescription": { "text": format!("{} ({})", lint.about, lint.basis) },
            "help": { "text": format!(
                "A comment `# nodeimage: allow {}` on the line, or on the line above it, allows it.",
                lint.id
            ) },
            "defaultConfiguration": {
                "level": level(lint.severity),
                "enabled": lint.group == Group::Default,
            },
            "properties": { "tags": [lint.group.name()] },
        })
    });
    let own = [
        (
            UNKNOWN_LINT,
            "a comment allows a lint that there is not",
            Severity::Warning,
        ),
        (INVALID, "nothing can be built from this", Severity::Error),
    ];
    let own = own.map(|(id, about, severity)| {
        json!({
            "id": id,
            "shortDescription": { "text": about },
            "defaultConfiguration": { "level": level(severity), "enabled": true },
        })
    });
    json!({
        "name": "nodeimage",
        "version": env!("CARGO_PKG_VERSION"),
        "informationUri": env!("CARGO_PKG_REPOSITORY"),
        "rules": lints.chain(own).collect::<Vec<_>>(),
    })
}

/// The place of a rule in the driver's list.
fn rule_index(id: &str) -> usize {
    let lint = LINTS.iter().position(|lint| lint.id == id);
    lint.unwrap_or(LINTS.len() + usize::from(id != UNKNOWN_LINT))
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn result(names: &[&str], fault: &Fault, fingerprint: &str) -> Value {
    let id = fault.id.unwrap_or(INVALID);
    let text = match &fault.help {
        Some(help) => format!("{}; {help}", fault.message),
        None => fault.message.clone(),
    };
    // What concerns the whole is shown at its first line.
    let (document, region) = match &fault.place {
        Some(place) => (
            place.document,
            json!({
                "startLine": place.line,
                "startColumn": place.column,
                "endColumn": place.column.saturating_add(place.length),
            }),
        ),
        None => (0, json!({ "startLine": 1 })),
    };
    let mut location = json!({});
    if let Some(name) = names.get(document) {
        location["physicalLocation"] = json!({
            "artifactLocation": { "uri": uri(name), "index": document },
            "region": region,
        });
    }
    if !fault.path.is_empty() {
        location["logicalLocations"] = json!([{ "fullyQualifiedName": fault.path }]);
    }
    json!({
        "ruleId": id,
        "ruleIndex": rule_index(id),
        "level": level(fault.severity),
        "message": { "text": text },
        "locations": [location],
        "partialFingerprints": { "nodeimageFinding/v1": fingerprint },
    })
}

fn notifications(faults: &Faults, facts: &Facts) -> Vec<Value> {
    let mut all: Vec<Value> = facts
        .skipped
        .iter()
        .map(|skipped| {
            let text = format!(
                "{} could not look at {}: {}",
                skipped.lints.join(", "),
                skipped.subject,
                skipped.reason
            );
            json!({ "level": "warning", "message": { "text": text } })
        })
        .collect();
    let more = faults.len() - faults.iter().count();
    if more > 0 {
        let text = format!("{more} more findings are left out");
        all.push(json!({ "level": "warning", "message": { "text": text } }));
    }
    all
}

/// The path as a URI reference (RFC 3986): absolute ones of the scheme `file`.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    if path.starts_with('/') {
        uri.push_str("file://");
    }
    for byte in path.bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => uri.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(byte)),
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
#[path = "sarif_tests.rs"]
mod tests;
