//! What is valid and still a mistake.
//!
//! Each lint has an id. A comment `# nodeimage: allow ID` on a value's line, or alone on the line
//! above it, silences it there; above an entry of a list it does so for the whole entry.

mod allow;
mod container;
mod file;
mod pins;
mod secrets;
mod system;

use crate::fault::{Fault, Faults, Severity};
use crate::lock::Lock;
use crate::parse::{Document, Parsed};
use crate::suggest::nearest;
use crate::yaml::{Source, Spot};

pub use allow::Allow;

/// A lint.
#[derive(Clone, Copy, Debug)]
pub struct Lint {
    /// Its name in messages and comments.
    pub id: &'static str,
    /// How bad a finding is.
    pub severity: Severity,
    /// Whether it runs without being asked for.
    pub default: bool,
    /// What it looks for and why, in one sentence.
    pub about: &'static str,
    find: fn(&Context<'_>, &mut Vec<Fault>),
}

/// What lints look at.
#[derive(Debug)]
struct Context<'a> {
    parsed: &'a Parsed,
    lock: Option<&'a Lock>,
}

/// All lints, by id.
pub const LINTS: &[Lint] = &[
    Lint {
        id: "all-capabilities",
        severity: Severity::Warning,
        default: true,
        about: "a container with all capabilities can do what the host can",
        find: container::all_capabilities,
    },
    Lint {
        id: "files-shadowed",
        severity: Severity::Warning,
        default: true,
        about: "a file under a directory that is mounted over at boot is never seen",
        find: file::shadowed,
    },
    Lint {
        id: "files-tighten-parents",
        severity: Severity::Warning,
        default: true,
        about: "the parents of a file get its mode, so a 0600 file can close /etc to everybody but root",
        find: file::tighten_parents,
    },
    Lint {
        id: "files-two-kinds",
        severity: Severity::Warning,
        default: true,
        about: "an entry of `files` that gives two kinds of content loses one of them",
        find: file::two_kinds,
    },
    Lint {
        id: "no-init",
        severity: Severity::Warning,
        default: true,
        about: "without an /init the kernel panics",
        find: system::no_init,
    },
    Lint {
        id: "no-runtime",
        severity: Severity::Warning,
        default: true,
        about: "containers need a runtime among the init images",
        find: system::no_runtime,
    },
    Lint {
        id: "secret-in-env",
        severity: Severity::Warning,
        default: true,
        about: "a credential in an environment, a command or the kernel's command line is readable by everybody with the image",
        find: secrets::in_env,
    },
    Lint {
        id: "secret-in-files",
        severity: Severity::Error,
        default: true,
        about: "a credential in `files` is readable by everybody with the image, and stays in state files and registries",
        find: secrets::in_files,
    },
    Lint {
        id: "unknown-annotation",
        severity: Severity::Warning,
        default: true,
        about: "an annotation that begins with `nodeimage.` and means nothing is a slip",
        find: container::unknown_annotation,
    },
    Lint {
        id: "unpinned",
        severity: Severity::Warning,
        default: true,
        about: "a tag can stand for another image tomorrow",
        find: pins::unpinned,
    },
    Lint {
        id: "writable-root",
        severity: Severity::Warning,
        default: false,
        about: "a container that doesn't write to its root can have it read-only",
        find: container::writable_root,
    },
];

/// Runs the lints that are on by default and those named in `more`, over what came of `documents`.
/// References that `lock` knows count as pinned. The findings are in the order of the text.
pub fn lint(
    parsed: &Parsed,
    documents: &[Document<'_>],
    lock: Option<&Lock>,
    more: &[&str],
) -> Faults {
    let context = Context { parsed, lock };
    let mut findings = Faults::default();
    for lint in LINTS
        .iter()
        .filter(|lint| lint.default || more.contains(&lint.id))
    {
        let mut found = Vec::new();
        (lint.find)(&context, &mut found);
        for mut fault in found {
            fault.id = Some(lint.id);
            fault.severity = lint.severity;
            if !allow::allowed(parsed, lint.id, &fault.path) {
                findings.push(fault);
            }
        }
    }
    parsed.locate(&mut findings, documents);
    unknown_allows(parsed, documents, &mut findings);
    findings.sort();
    findings
}

/// Comments that name no lint.
fn unknown_allows(parsed: &Parsed, documents: &[Document<'_>], findings: &mut Faults) {
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
        fault.severity = Severity::Warning;
        fault.id = Some("unknown-lint");
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
