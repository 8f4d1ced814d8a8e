//! A policy: lines that say what it takes for an image to be used.

use crate::key::PublicKey;
use crate::name;

/// More keys than one line needs.
pub const MAX_KEYS: usize = 64;

/// What it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Nothing.
    Accept,
    /// A digest in the YAML or in a lock: what a tag stands for is not looked up while building.
    Digest,
    /// A signature by one of these keys.
    Cosign(Vec<PublicKey>),
    /// It is never used.
    Reject,
}

/// One line of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What stands in front of it: `ghcr.io/acme`, `default`.
    pub key: String,
    /// Its number, from 1.
    pub number: usize,
    /// What it says.
    pub rule: Rule,
}

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Where it stands: `nodeimage.toml`, with its directory if any.
    pub(crate) file: String,
    /// The line that opens it.
    pub(crate) number: usize,
    /// By canonical prefix, in the order of the text.
    pub(crate) lines: Vec<(String, Line)>,
    pub(crate) default: Option<Line>,
}

impl Policy {
    /// The line of the longest prefix that fits a repository (`ghcr.io/acme/node`), else the
    /// default; `None`: nothing is said, so it is refused.
    pub fn line(&self, repository: &str) -> Option<&Line> {
        self.own_line(repository).or(self.default.as_ref())
    }

    /// The same without the default.
    pub fn own_line(&self, repository: &str) -> Option<&Line> {
        let repository = name::repository(repository);
        let fitting = self
            .lines
            .iter()
            .filter(|(prefix, _)| name::fits(prefix, &repository));
        let longest = fitting.max_by_key(|(prefix, _)| prefix.len());
        longest.map(|(_, line)| line)
    }

    /// `nodeimage.toml:12`, for a line of it; the policy's own for `None`.
    pub fn place(&self, line: Option<&Line>) -> String {
        let number = line.map_or(self.number, |line| line.number);
        format!("{}:{number}", self.file)
    }
}

impl std::fmt::Display for Line {
    /// `"ghcr.io/acme" = cosign`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rule = match &self.rule {
            Rule::Accept => "accept",
            Rule::Digest => "digest",
            Rule::Cosign(_) => "cosign",
            Rule::Reject => "reject",
        };
        write!(f, "{:?} = {rule}", self.key)
    }
}
