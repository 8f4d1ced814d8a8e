//! Containers that may do more than they should.

use super::Context;
use crate::fault::{Fault, quoted};
use crate::model::{Container, Spec};
use crate::suggest::nearest;

/// Our annotations and what they take.
const ANNOTATIONS: [(&str, &[&str]); 2] = [
    ("nodeimage.onfailure", &["continue", "stop", "retry"]),
    ("nodeimage.restart", &["on-failure", "always", "never"]),
];

/// All containers with their paths.
pub(super) fn containers(spec: &Spec) -> impl Iterator<Item = (String, &Container)> {
    let sections = [
        ("onboot", &spec.onboot),
        ("onshutdown", &spec.onshutdown),
        ("services", &spec.services),
    ];
    sections.into_iter().flat_map(|(section, list)| {
        list.iter()
            .enumerate()
            .map(move |(index, container)| (format!("{section}[{index}]"), container))
    })
}

pub(super) fn all_capabilities(context: &Context<'_>, found: &mut Vec<Fault>) {
    for (path, container) in containers(&context.parsed.spec) {
        let lists = [
            ("capabilities", &container.options.capabilities),
            ("capabilities.add", &container.options.capabilities_add),
            ("ambient", &container.options.ambient),
        ];
        for (key, list) in lists {
            if list
                .iter()
                .flatten()
                .any(|name| name.eq_ignore_ascii_case("all"))
            {
                let message = format!(
                    "the container {} has all capabilities",
                    quoted(&container.name)
                );
                found.push(
                    Fault::new(format!("{path}.{key}"), message).help("list those that it needs"),
                );
            }
        }
    }
}

pub(super) fn writable_root(context: &Context<'_>, found: &mut Vec<Fault>) {
    for (path, container) in containers(&context.parsed.spec) {
        if container.options.readonly != Some(true) {
            let message = format!(
                "the root of the container {} is writable",
                quoted(&container.name)
            );
            found.push(
                Fault::new(path, message)
                    .help("set `readonly: true`, with `tmpfs` for what it writes"),
            );
        }
    }
}

pub(super) fn unknown_annotation(context: &Context<'_>, found: &mut Vec<Fault>) {
    for (path, container) in containers(&context.parsed.spec) {
        for (name, value) in container.options.annotations.iter().flatten() {
            if !name.starts_with("nodeimage.") {
                continue;
            }
            let path = format!("{path}.annotations.{name}");
            let Some((_, values)) = ANNOTATIONS.iter().find(|(known, _)| known == name) else {
                let fault = Fault::new(path, format!("unknown annotation {}", quoted(name)));
                found.push(
                    match nearest(name, ANNOTATIONS.iter().map(|(known, _)| *known)) {
                        Some(near) => fault.help(format!("did you mean `{near}`?")),
                        None => fault,
                    },
                );
                continue;
            };
            if !values.contains(&value.as_str()) {
                let message = format!("`{name}` can't be {}", quoted(value));
                found.push(
                    Fault::new(path, message).help(format!("it is one of: {}", values.join(", "))),
                );
            }
        }
    }
}
