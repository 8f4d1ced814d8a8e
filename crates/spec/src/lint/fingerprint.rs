//! What makes a finding the same one in the next version of the text: its lint, and what it is about
//! by name, so that a line or an entry more above it changes nothing.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::fault::Fault;
use crate::model::{Container, Spec};
use crate::reference::Reference;

/// Fingerprints of findings, in their order: 64 hexadecimal digits each, no two alike.
pub(super) fn fingerprints<'a>(
    spec: &Spec,
    faults: impl Iterator<Item = &'a Fault>,
) -> Vec<String> {
    let mut seen: BTreeMap<(&str, String), u32> = BTreeMap::new();
    faults
        .map(|fault| {
            let id = fault.id.unwrap_or_default();
            let subject = subject(spec, &fault.path);
            let count = seen.entry((id, subject.clone())).or_default();
            let text = format!("nodeimage lint 1\0{id}\0{subject}\0{count}");
            *count += 1;
            hex::encode(Sha256::digest(text))
        })
        .collect()
}

/// The path with names in place of numbers: `services[2].binds[0]` → `services/web.binds`.
fn subject(spec: &Spec, path: &str) -> String {
    let Some((section, rest)) = path.split_once('[') else {
        return path.to_owned();
    };
    let Some((index, rest)) = rest.split_once(']') else {
        return path.to_owned();
    };
    let container = |list: &[Container], index: usize| Some(list.get(index)?.name.clone());
    let name = index.parse().ok().and_then(|index: usize| match section {
        "onboot" => container(&spec.onboot, index),
        "onshutdown" => container(&spec.onshutdown, index),
        "services" => container(&spec.services, index),
        "files" => Some(spec.files.get(index)?.path.clone()),
        "volumes" => Some(spec.volumes.get(index)?.name.clone()),
        // A new tag or digest is the same image.
        "init" => {
            let reference = Reference::parse(spec.init.get(index)?).ok()?;
            Some(format!(
                "{}/{}",
                reference.registry(),
                reference.repository()
            ))
        }
        _ => None,
    });
    let mut subject = format!("{section}/{}", name.as_deref().unwrap_or(index));
    let mut inside = false;
    for c in rest.chars() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            c if !inside => subject.push(c),
            _ => {}
        }
    }
    subject
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Document, parse};

    #[test]
    fn names_in_place_of_numbers() {
        let text = "init: [a/b:1, builtin:init]\nservices: [{name: x, image: a}, {name: web, image: a}]\nfiles: [{path: etc/x, contents: a}]\nvolumes: [{name: v}]\n";
        let spec = parse(&[Document { name: "a", text }]).unwrap().spec;
        for (path, expected) in [
            ("", ""),
            ("kernel.cmdline", "kernel.cmdline"),
            ("init[0]", "init/docker.io/a/b"),
            ("services[1].binds[7]", "services/web.binds"),
            (
                "services[1].annotations.a.b",
                "services/web.annotations.a.b",
            ),
            ("files[0].contents", "files/etc/x.contents"),
            ("volumes[0].image", "volumes/v.image"),
            ("services[9].image", "services/9.image"),
            ("x[", "x["),
            ("x[a]b", "x/ab"),
        ] {
            assert_eq!(subject(&spec, path), expected, "{path}");
        }
    }

    #[test]
    fn two_findings_in_one_list_differ() {
        let fault = |id, path: &str| {
            let mut fault = Fault::new(path, "m");
            fault.id = Some(id);
            fault
        };
        let faults = [
            fault("a", "services[0].binds[0]"),
            fault("a", "services[0].binds[1]"),
            fault("b", "services[0].binds[1]"),
        ];
        let mut all = fingerprints(&Spec::default(), faults.iter());
        assert!(all.iter().all(|text| text.len() == 64));
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 3);
    }
}
