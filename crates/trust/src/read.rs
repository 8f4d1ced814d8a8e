//! Text to [`Policy`]; every fault is found in one go.

use std::io::Read as _;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::key::PublicKey;
use crate::name;
use crate::policy::{Line, MAX_KEYS, Policy, Rule};
use crate::{KEY_BYTES, POLICY_BYTES};

/// A fault, and where in the text it stands, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub span: Range<usize>,
    /// What is wrong and what to do.
    pub message: String,
}

/// A fault of a policy that stands alone, with its line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct PolicyFault {
    /// What was read.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// What is wrong and what to do.
    pub message: String,
}

/// All faults of a policy that stands alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", list(.0))]
pub struct PolicyError(pub Vec<PolicyFault>);

fn list(faults: &[PolicyFault]) -> String {
    let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
    texts.join("\n")
}

impl Policy {
    /// Reads a policy that stands alone: the lines of `[trust]`, with or without that heading.
    /// `file` names it in messages; key files are relative to `base`.
    ///
    /// # Errors
    /// All faults, from top to bottom.
    pub fn parse(text: &str, file: &str, base: &Path) -> Result<Self, PolicyError> {
        let fail = |faults: Vec<Fault>| {
            let told = |fault: Fault| PolicyFault {
                file: file.to_owned(),
                line: line_of(text, fault.span.start),
                message: fault.message,
            };
            PolicyError(faults.into_iter().map(told).collect())
        };
        let whole = |message: String| {
            fail(vec![Fault {
                span: 0..0,
                message,
            }])
        };
        if text.len() > POLICY_BYTES {
            return Err(whole(format!("is longer than {POLICY_BYTES} bytes")));
        }
        let (document, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            let told = |error: &toml::de::Error| Fault {
                span: error.span().unwrap_or(0..0),
                message: error.message().to_owned(),
            };
            return Err(fail(errors.iter().map(told).collect()));
        }
        let (table, at) = match heading(document.get_ref()) {
            Some((table, at)) => (table, at),
            None => (document.get_ref(), 0),
        };
        Self::from_table(table, text, at, file, base).map_err(fail)
    }

    /// Reads the table `[trust]` of a document; `text` is all of the document, and the table's
    /// heading stands at the byte `at` of it. An empty one refuses every image.
    ///
    /// # Errors
    /// All faults, from top to bottom.
    pub fn from_table(
        table: &DeTable<'_>,
        text: &str,
        at: usize,
        file: &str,
        base: &Path,
    ) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut policy = Self {
            file: file.to_owned(),
            number: line_of(text, at),
            lines: Vec::new(),
            default: None,
        };
        for (key, value) in table {
            let written = key.get_ref().as_ref();
            let mut fault = |span: Range<usize>, message: String| {
                faults.push(Fault { span, message });
            };
            let prefix = name::canonical(written);
            if written != "default" {
                if let Err(why) = check_prefix(written) {
                    fault(key.span(), format!("{written:?} {why}"));
                    continue;
                }
                if let Some((_, line)) = policy.lines.iter().find(|(other, _)| *other == prefix) {
                    let why = format!("{written:?} is the same as {:?}; keep one", line.key);
                    fault(key.span(), why);
                    continue;
                }
            }
            let Some(rule) = rule(written, value, base, &mut fault) else {
                continue;
            };
            let line = Line {
                key: written.to_owned(),
                number: line_of(text, key.span().start),
                rule,
            };
            if written == "default" {
                policy.default = Some(line);
            } else {
                policy.lines.push((prefix, line));
            }
        }
        if faults.is_empty() {
            Ok(policy)
        } else {
            faults.sort_by_key(|fault| fault.span.start);
            Err(faults)
        }
    }
}

/// The table of a text whose only key is `trust`.
fn heading<'t, 'i>(document: &'t DeTable<'i>) -> Option<(&'t DeTable<'i>, usize)> {
    let mut keys = document.iter();
    let (key, value) = keys.next()?;
    let alone = keys.next().is_none() && key.get_ref() == "trust";
    let table = value.get_ref().as_table().filter(|_| alone)?;
    Some((table, key.span().start))
}

fn rule(
    key: &str,
    value: &Spanned<DeValue<'_>>,
    base: &Path,
    fault: &mut impl FnMut(Range<usize>, String),
) -> Option<Rule> {
    if let Some(word) = value.get_ref().as_str() {
        return match word {
            "accept" => Some(Rule::Accept),
            "digest" => Some(Rule::Digest),
            "reject" => Some(Rule::Reject),
            "cosign" => {
                let why = "cosign needs keys; write { cosign = [\"cosign.pub\"] }";
                fault(value.span(), why.to_owned());
                None
            }
            other => {
                let why = format!(
                    "{other:?} is no rule; write \"accept\", \"digest\", \"reject\" or \
                     {{ cosign = [\"cosign.pub\"] }}"
                );
                fault(value.span(), why);
                None
            }
        };
    }
    let Some(table) = value.get_ref().as_table() else {
        let found = value.get_ref().type_str();
        fault(
            value.span(),
            format!("{key} must be a string or a table, not {found}"),
        );
        return None;
    };
    let mut keys = None;
    let mut sound = true;
    for (name, value) in table {
        if name.get_ref() == "cosign" {
            keys = read_keys(value, base, fault);
            sound &= keys.is_some();
        } else {
            let name_text = name.get_ref();
            let near = strsim::damerau_levenshtein(name_text, "cosign") <= 3;
            let hint = if near {
                "did you mean \"cosign\"?"
            } else {
                "known is cosign"
            };
            fault(name.span(), format!("unknown key {name_text:?}; {hint}"));
            sound = false;
        }
    }
    if sound && keys.is_none() {
        let why = format!("{key} says nothing; write {{ cosign = [\"cosign.pub\"] }}");
        fault(value.span(), why);
    }
    keys.filter(|_| sound).map(Rule::Cosign)
}

/// One key or a list of them.
fn read_keys(
    value: &Spanned<DeValue<'_>>,
    base: &Path,
    fault: &mut impl FnMut(Range<usize>, String),
) -> Option<Vec<PublicKey>> {
    let one = [value];
    let all: Vec<&Spanned<DeValue<'_>>> = match value.get_ref().as_array() {
        Some(array) => array.iter().collect(),
        None => one.to_vec(),
    };
    if all.is_empty() || all.len() > MAX_KEYS {
        let why = format!("cosign must list 1 to {MAX_KEYS} keys");
        fault(value.span(), why);
        return None;
    }
    let mut keys = Vec::new();
    for value in &all {
        let Some(text) = value.get_ref().as_str() else {
            let found = value.get_ref().type_str();
            fault(
                value.span(),
                format!("a key must be a path or PEM text, not {found}"),
            );
            continue;
        };
        match read_key(text, base) {
            Ok(key) => keys.push(key),
            Err(why) => fault(value.span(), why),
        }
    }
    (keys.len() == all.len()).then_some(keys)
}

/// A key by its path, or as PEM in place.
fn read_key(text: &str, base: &Path) -> Result<PublicKey, String> {
    if text.contains("-----BEGIN") {
        return PublicKey::from_pem("the key given in the policy", text)
            .map_err(|error| format!("the key {error}"));
    }
    let path = base.join(text);
    let shown = path.display();
    let failed = |error: std::io::Error| format!("the key {shown} cannot be read: {error}");
    if !std::fs::metadata(&path).map_err(failed)?.is_file() {
        return Err(format!("the key {shown} is not a file"));
    }
    let file = std::fs::File::open(&path).map_err(failed)?;
    let mut pem = String::new();
    file.take(KEY_BYTES + 1)
        .read_to_string(&mut pem)
        .map_err(failed)?;
    if pem.len() as u64 > KEY_BYTES {
        return Err(format!("the key {shown} is longer than {KEY_BYTES} bytes"));
    }
    PublicKey::from_pem(text, &pem).map_err(|error| format!("the key {shown} {error}"))
}

fn check_prefix(prefix: &str) -> Result<(), &'static str> {
    if prefix.is_empty() || prefix.split('/').any(str::is_empty) {
        return Err("has an empty part");
    }
    if prefix == "builtin" {
        return Ok(());
    }
    let (host, path) = prefix.split_once('/').unwrap_or((prefix, ""));
    if prefix.contains('@') || path.contains(':') {
        return Err("must not have a tag or digest: a line is for a registry or repository");
    }
    if prefix.contains(['*', '?', ' ']) {
        return Err("has no patterns: a prefix fits all that is below it");
    }
    let named = host == "localhost" || host.contains(['.', ':']);
    if !named {
        return Err(
            "does not begin with a registry; write docker.io/… for Docker Hub, `default` for all others",
        );
    }
    if path != path.to_ascii_lowercase() {
        return Err("has upper-case letters, which no repository has");
    }
    Ok(())
}

fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
