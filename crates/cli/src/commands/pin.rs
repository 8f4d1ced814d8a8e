//! From parsed YAML to a locked spec: by the lock, and by asking for what it does not have.

use std::collections::BTreeSet;

use nodeimage_builder::Builder;
use nodeimage_builder::locking::{self, Wanted};
use nodeimage_spec::{Architecture, DiskOptions, Faults, Lock, LockedSpec, Outcome, lock_spec};
use serde_json::json;

use crate::error::Failure;
use crate::input::Input;
use crate::output::Output;

/// Locks the spec. References without a digest are resolved now, with a warning: the next build may
/// come to another image.
pub(crate) fn pin(
    builder: &Builder,
    input: &Input,
    architecture: Architecture,
    options: &DiskOptions,
    output: Output,
) -> Result<LockedSpec, Failure> {
    let unpinned = match try_pin(input, input.lock.as_ref(), architecture, options)? {
        Outcome::Locked(locked) => return Ok(*locked),
        Outcome::Unpinned(unpinned) => unpinned,
    };
    let shown: Vec<&String> = unpinned
        .iter()
        .filter(|name| !name.starts_with("builtin:"))
        .collect();
    if !shown.is_empty() {
        let names = shown
            .iter()
            .map(|name| name.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        let text = format!(
            "warning: not pinned: {names}; what they stand for now is taken. `nodeimage lock` \
             writes it down"
        );
        output.note("unpinned", &text, json!({ "references": shown }))?;
    }
    let lock = locking::lock(
        builder.images(),
        &Wanted {
            spec: &input.parsed.spec,
            architectures: &[architecture],
            keep: input.lock.as_ref(),
            update: &BTreeSet::new(),
            threads: builder.threads(),
        },
    )?;
    match try_pin(input, Some(&lock), architecture, options)? {
        Outcome::Locked(locked) => Ok(*locked),
        Outcome::Unpinned(unpinned) => Err(anyhow::anyhow!(
            "not pinned although just resolved: {}; the images are not made for {architecture}",
            unpinned.join(", ")
        )
        .into()),
    }
}

fn try_pin(
    input: &Input,
    lock: Option<&Lock>,
    architecture: Architecture,
    options: &DiskOptions,
) -> Result<Outcome, Failure> {
    let mut inline = |source: &str, optional: bool| input.inline(source, optional);
    lock_spec(
        &input.parsed.spec,
        architecture,
        lock,
        None,
        options,
        &mut inline,
    )
    .map_err(|faults| located(input, faults))
}

fn located(input: &Input, mut faults: Faults) -> Failure {
    input.parsed.locate(&mut faults, &input.documents());
    Failure::Spec(faults)
}
