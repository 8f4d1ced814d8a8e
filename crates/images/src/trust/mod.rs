//! The gate every image passes on its way in: what the trust policies say of it.
//!
//! It stands where a reference gets its digest and where a digest is opened, so that what a lock or
//! a locked spec pins is checked again on every build, from whichever source it comes.

mod gather;
mod kept;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use nodeimage_spec::Digest;
use nodeimage_trust::{Line, Policy, PublicKey, Reason, Refusal, Rule};

use crate::config::Config;
use crate::image::{Error, Images};
use crate::source::Name;

/// A policy by its place in the list, a line of it, an image.
type Passed = (usize, usize, Digest);

/// The policies, and what has passed them.
#[derive(Clone)]
pub(crate) struct Gate {
    policies: Arc<[Policy]>,
    builtin_is_ours: bool,
    tags: bool,
    /// Images whose signature held in this process.
    passed: Arc<Mutex<BTreeSet<Passed>>>,
}

/// What one policy says of a repository.
enum Said<'a> {
    /// The images that come with the program are as good as the program.
    Ours,
    Line(&'a Line),
    Nothing,
}

impl Gate {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            policies: config.trust.clone().into(),
            builtin_is_ours: config.builtin_is_ours,
            tags: false,
            passed: Arc::default(),
        }
    }

    pub(crate) fn allow_tags(&mut self) {
        self.tags = true;
    }

    fn ask<'a>(&self, policy: &'a Policy, repository: &str) -> Said<'a> {
        let line = if self.builtin_is_ours && repository == "builtin" {
            match policy.own_line(repository) {
                None => return Said::Ours,
                line => line,
            }
        } else {
            policy.line(repository)
        };
        line.map_or(Said::Nothing, Said::Line)
    }

    /// What stands in the way of a repository whatever its content is.
    fn refusal(&self, reference: &str, pinned: bool) -> Option<Refusal> {
        let repository = Name::parse(reference).repository;
        self.policies.iter().find_map(|policy| {
            let (line, reason) = match self.ask(policy, repository) {
                Said::Ours => return None,
                Said::Nothing => (None, Reason::NoLine(repository.to_owned())),
                Said::Line(line) => match line.rule {
                    Rule::Reject => (Some(line), Reason::Rejected),
                    Rule::Digest if !pinned && !self.tags => (Some(line), Reason::NoDigest),
                    _ => return None,
                },
            };
            Some(Refusal::new(policy, line, reason))
        })
    }

    fn passed(&self) -> std::sync::MutexGuard<'_, BTreeSet<Passed>> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Images {
    /// Before a registry is asked for anything of an image. `pinned`: its digest is given.
    pub(crate) fn admit_reference(&self, reference: &str, pinned: bool) -> Result<(), Error> {
        match self.gate().refusal(reference, pinned) {
            Some(refusal) => Err(Error::new(reference, refusal)),
            None => Ok(()),
        }
    }

    /// Whether the index or manifest `digest` may be used. A signature of the index covers its
    /// manifests; where there is none, each of `manifests`, which are all that will be used of it,
    /// must have one.
    pub(crate) fn admit(
        &self,
        reference: &str,
        digest: &Digest,
        manifests: impl Fn() -> Result<Vec<Digest>, Error>,
    ) -> Result<(), Error> {
        self.admit_reference(reference, true)?;
        let repository = Name::parse(reference).repository;
        let policies = Arc::clone(&self.gate().policies);
        for (at, policy) in policies.iter().enumerate() {
            let Said::Line(line) = self.gate().ask(policy, repository) else {
                continue;
            };
            let Rule::Cosign(keys) = &line.rule else {
                continue;
            };
            let mut found = Vec::new();
            let signed = |digest: &Digest, found: &mut Vec<String>| {
                self.has_signature((at, line.number, *digest), reference, keys, found)
            };
            if signed(digest, &mut found)? {
                continue;
            }
            let manifests = manifests()?;
            let parts = manifests.iter().filter(|part| *part != digest);
            let mut all = parts.clone().peekable().peek().is_some();
            for part in parts {
                all = all && signed(part, &mut found)?;
            }
            if !all {
                let refusal = Refusal::unsigned(policy, line, *digest, found);
                return Err(Error::new(reference, refusal));
            }
        }
        Ok(())
    }

    /// Whether one of `keys` signed an image; what is found instead goes into `found`.
    fn has_signature(
        &self,
        case: Passed,
        reference: &str,
        keys: &[PublicKey],
        found: &mut Vec<String>,
    ) -> Result<bool, Error> {
        if self.gate().passed().contains(&case) {
            return Ok(true);
        }
        let (_, _, digest) = &case;
        let kept = kept::holds(self.store(), digest, keys)
            .map_err(|error| Error::new(reference, error))?;
        if !kept {
            let Some((key, evidence)) =
                gather::search(self.sources(), reference, digest, keys, found)
            else {
                return Ok(false);
            };
            kept::keep(self.store(), digest, key, &evidence)
                .map_err(|error| Error::new(reference, error))?;
        }
        self.gate().passed().insert(case);
        Ok(true)
    }
}
