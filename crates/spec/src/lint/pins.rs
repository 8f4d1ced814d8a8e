//! References that nothing pins.

use std::collections::BTreeSet;

use super::Context;
use super::effective::entries;
use crate::fault::{Fault, quoted};
use crate::model::Spec;
use crate::parse::Trust;
use crate::reference::Reference;

/// All references with their paths.
pub(super) fn images(spec: &Spec) -> Vec<(String, &str)> {
    let mut all = Vec::new();
    if let Some(image) = spec
        .kernel
        .as_ref()
        .and_then(|kernel| kernel.image.as_deref())
    {
        all.push(("kernel.image".to_owned(), image));
    }
    let init = spec.init.iter().enumerate();
    all.extend(init.map(|(index, image)| (format!("init[{index}]"), image.as_str())));
    all.extend(
        entries(spec).map(|(path, container)| (format!("{path}.image"), container.image.as_str())),
    );
    for (index, volume) in spec.volumes.iter().enumerate() {
        all.extend(
            volume
                .image
                .as_deref()
                .map(|image| (format!("volumes[{index}].image"), image)),
        );
    }
    all
}

pub(super) fn unpinned(context: &Context<'_>, found: &mut Vec<Fault>) {
    let mut seen = BTreeSet::new();
    for (path, image) in images(&context.parsed.spec) {
        let Ok(reference) = Reference::parse(image) else {
            continue;
        };
        let locked = context
            .lock
            .is_some_and(|lock| match reference.is_builtin() {
                true => lock.init.is_some(),
                false => lock.images.contains_key(image),
            });
        // The program brings the builtin images; without a lock it takes its own.
        let pinned = reference.digest().is_some()
            || locked
            || (reference.is_builtin() && context.lock.is_none());
        if pinned || !seen.insert(image) {
            continue;
        }
        let trusted = trusts(&context.parsed.trust, &reference);
        let message = match trusted {
            true => format!(
                "{} is listed in `trust` and pinned to no digest",
                quoted(image)
            ),
            false => format!("{} is pinned to no digest", quoted(image)),
        };
        found.push(
            Fault::new(path, message)
                .help("write a lock with `nodeimage lock`, or add `@sha256:…`"),
        );
    }
}

/// Whether `trust` names the image, or its organisation.
fn trusts(trust: &Trust, reference: &Reference) -> bool {
    let same = |name: &String| {
        let wanted = Reference::parse(name).ok();
        wanted.is_some_and(|wanted| {
            wanted.registry() == reference.registry()
                && wanted.repository() == reference.repository()
                && wanted.tag().is_none_or(|tag| reference.tag() == Some(tag))
        })
    };
    let inside = |name: &String| {
        let organisation = name.trim_end_matches('/');
        let path = format!("{}/{}", reference.registry(), reference.repository());
        [organisation.to_owned(), format!("docker.io/{organisation}")]
            .iter()
            .any(|prefix| {
                path.strip_prefix(prefix.as_str())
                    .is_some_and(|rest| rest.starts_with('/'))
            })
    };
    trust.image.iter().any(same) || trust.org.iter().any(inside)
}
