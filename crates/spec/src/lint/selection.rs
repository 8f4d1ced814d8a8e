//! Which lints run, and which of them fail.

use std::collections::BTreeSet;

use super::{Group, LINTS, Lint};
use crate::fault::{Severity, quoted};
use crate::suggest::nearest;

/// Names that stand for several lints.
pub const GROUPS: [&str; 4] = ["all", "default", "hardening", "portability"];

/// Which lints run beside the default ones, and whose findings are errors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    enabled: BTreeSet<&'static str>,
    denied: BTreeSet<&'static str>,
    deny_warnings: bool,
}

/// A name that is neither a lint's nor a group's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no lint or group {}{}", quoted(name), advice(name))]
pub struct UnknownLint {
    /// The name.
    pub name: String,
}

fn advice(name: &str) -> String {
    match nearest(name, names()) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => format!("; the groups are {}", GROUPS.join(", ")),
    }
}

fn names() -> impl Iterator<Item = &'static str> {
    LINTS.iter().map(|lint| lint.id).chain(GROUPS)
}

impl Selection {
    /// Runs a lint, or all of a group, too.
    pub fn enable(&mut self, name: &str) -> Result<(), UnknownLint> {
        self.enabled.extend(named(name)?);
        Ok(())
    }

    /// Makes errors of what a lint, or any of a group, finds; it runs for that.
    pub fn deny(&mut self, name: &str) -> Result<(), UnknownLint> {
        self.denied.extend(named(name)?);
        Ok(())
    }

    /// Makes errors of whatever is found.
    pub fn deny_warnings(&mut self) {
        self.deny_warnings = true;
    }

    /// Whether a lint runs.
    pub fn runs(&self, lint: &Lint) -> bool {
        lint.group == Group::Default
            || self.enabled.contains(lint.id)
            || self.denied.contains(lint.id)
    }

    /// Whether what a lint finds is an error.
    pub fn denies(&self, lint: &Lint) -> bool {
        lint.severity == Severity::Error || self.deny_warnings || self.denied.contains(lint.id)
    }

    pub(super) fn denies_warnings(&self) -> bool {
        self.deny_warnings
    }
}

fn named(name: &str) -> Result<Vec<&'static str>, UnknownLint> {
    let is_named = |lint: &&Lint| name == "all" || lint.id == name || lint.group.name() == name;
    let found: Vec<&str> = LINTS.iter().filter(is_named).map(|lint| lint.id).collect();
    match found.is_empty() {
        true => Err(UnknownLint {
            name: name.to_owned(),
        }),
        false => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lint(id: &str) -> &'static Lint {
        LINTS.iter().find(|lint| lint.id == id).unwrap()
    }

    #[test]
    fn lints_and_groups_by_name() {
        let mut selection = Selection::default();
        assert!(selection.runs(lint("unpinned")));
        assert!(!selection.runs(lint("writable-root")));
        assert!(!selection.denies(lint("unpinned")));
        assert!(selection.denies(lint("secret-in-files")), "an error anyway");
        selection.enable("hardening").unwrap();
        assert!(selection.runs(lint("writable-root")));
        assert!(!selection.runs(lint("usr-merge-linuxkit")));
        selection.deny("usr-merge-linuxkit").unwrap();
        assert!(selection.runs(lint("usr-merge-linuxkit")));
        assert!(selection.denies(lint("usr-merge-linuxkit")));
        assert!(!selection.denies(lint("writable-root")));
        selection.deny_warnings();
        assert!(selection.denies(lint("writable-root")));
        let mut all = Selection::default();
        all.enable("all").unwrap();
        assert!(LINTS.iter().all(|lint| all.runs(lint)));
    }

    #[test]
    fn every_group_has_a_name_that_works() {
        for name in GROUPS {
            Selection::default().enable(name).unwrap();
        }
    }

    #[test]
    fn unknown_names() {
        let fault = |name: &str| Selection::default().deny(name).unwrap_err().to_string();
        assert_eq!(
            fault("unpined"),
            "there is no lint or group `unpined`; did you mean `unpinned`?"
        );
        assert!(fault("x").ends_with("the groups are all, default, hardening, portability"));
    }
}
