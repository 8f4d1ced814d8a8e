//! What is valid and still a mistake.
//!
//! Each lint has an id. A comment `# nodeimage: allow ID` on a value's line, or alone on the line
//! above it, silences it there; above an entry of a list it does so for the whole entry.
//!
//! Lints are pure functions of the text and of [`Facts`]: what somebody who has the images found in
//! them. Without facts they judge by the text alone, and say where an image may say otherwise. The
//! risks are those of NIST SP 800-190 and the traps of LinuxKit itself.

mod allow;
mod bind;
mod container;
mod effective;
mod facts;
mod file;
mod fingerprint;
mod identity;
mod page;
mod pins;
mod registry;
mod sarif;
mod secrets;
mod selection;
mod system;

use crate::fault::{Fault, Faults, Severity};
use crate::lock::Lock;
use crate::parse::{Document, Parsed};
use crate::suggest::nearest;
use crate::yaml::{Source, Spot};

pub use allow::Allow;
pub use facts::{Facts, ImageFacts, Skipped};
pub use page::page;
pub use registry::LINTS;
pub use sarif::sarif;
pub use selection::{GROUPS, Selection, UnknownLint};

/// The id of findings about comments that name no lint. It is always on and can't be allowed.
pub const UNKNOWN_LINT: &str = "unknown-lint";

/// A lint.
#[derive(Clone, Copy, Debug)]
pub struct Lint {
    /// Its name in messages and comments.
    pub id: &'static str,
    /// How bad a finding is.
    pub severity: Severity,
    /// When it runs.
    pub group: Group,
    /// What it looks at.
    pub reads: Reads,
    /// What it looks for and why, in one sentence.
    pub about: &'static str,
    /// The rule behind it: a section of NIST SP 800-190, or the program whose trap it is.
    pub basis: &'static str,
    find: fn(&Context<'_>, &mut Vec<Fault>),
}

/// When a lint runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Always: what it finds is wrong on any machine, or worth a comment that says why it is not.
    Default,
    /// When asked for: rights that a node's own services need and that others should not have.
    Hardening,
    /// When asked for: what other programs that read the same YAML make something else of.
    Portability,
}

impl Group {
    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Hardening => "hardening",
            Self::Portability => "portability",
        }
    }
}

/// What a lint looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// The YAML, and the sources of its `files`.
    Yaml,
    /// Also the labels and configurations of the containers' images.
    Configs,
    /// Also the files of the kernel and init images.
    Trees,
}

/// What lints look at.
#[derive(Debug)]
struct Context<'a> {
    parsed: &'a Parsed,
    lock: Option<&'a Lock>,
    facts: &'a Facts,
}

/// Runs the lints of a selection over what came of `documents`. References that `lock` knows count
/// as pinned. The findings are in the order of the text.
pub fn lint(
    parsed: &Parsed,
    documents: &[Document<'_>],
    lock: Option<&Lock>,
    selection: &Selection,
    facts: &Facts,
) -> Faults {
    let context = Context {
        parsed,
        lock,
        facts,
    };
    let mut findings = Faults::default();
    for lint in LINTS.iter().filter(|lint| selection.runs(lint)) {
        let mut found = Vec::new();
        if !facts.settled.contains(lint.id) {
            (lint.find)(&context, &mut found);
        }
        let in_images = facts.found.iter();
        found.extend(in_images.filter(|fault| fault.id == Some(lint.id)).cloned());
        for mut fault in found {
            fault.id = Some(lint.id);
            fault.severity = match selection.denies(lint) {
                true => Severity::Error,
                false => lint.severity,
            };
            if !allow::allowed(parsed, lint.id, &fault.path) {
                findings.push(fault);
            }
        }
    }
    parsed.locate(&mut findings, documents);
    unknown_allows(parsed, documents, selection, &mut findings);
    findings.sort();
    findings
}

/// Comments that name no lint.
fn unknown_allows(
    parsed: &Parsed,
    documents: &[Document<'_>],
    selection: &Selection,
    findings: &mut Faults,
) {
    for allow in &parsed.allows {
        if LINTS.iter().any(|lint| lint.id == allow.id) {
            continue;
        }
        let Some(document) = documents.get(allow.document) else {
            continue;
        };
        let source = Source::new(allow.document, document.name, document.text);
        let mut fault = Fault::new(
            "",
            format!("there is no lint {}", crate::fault::quoted(&allow.id)),
        );
        fault.severity = match selection.denies_warnings() {
            true => Severity::Error,
            false => Severity::Warning,
        };
        fault.id = Some(UNKNOWN_LINT);
        if let Some(near) = nearest(&allow.id, LINTS.iter().map(|lint| lint.id)) {
            fault = fault.help(format!("did you mean `{near}`?"));
        }
        let spot = Spot {
            line: *allow.lines.start(),
            column: 1,
        };
        findings.push(fault.at(source.place(spot, 1)));
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod container_tests;
