//! Containers that may do more than they should.

use super::Context;
use super::effective::{Effective, Origin, containers};
use crate::fault::{Fault, quoted};
use crate::suggest::nearest;

/// Our annotations and what they take.
const ANNOTATIONS: [(&str, &[&str]); 2] = [
    ("nodeimage.onfailure", &["continue", "stop", "retry"]),
    ("nodeimage.restart", &["on-failure", "always", "never"]),
];

pub(super) fn all_capabilities(context: &Context<'_>, found: &mut Vec<Fault>) {
    let is_all = |text: &str| text.eq_ignore_ascii_case("all");
    for container in containers(context) {
        let own = &container.container.options;
        let bounding = container
            .joined(
                "capabilities",
                |options| &options.capabilities,
                |options| &options.capabilities_add,
            )
            .into_iter()
            .find(|(text, ..)| is_all(text))
            .map(|(_, origin, _)| match own.capabilities.is_some() {
                true => ("capabilities", origin),
                false => ("capabilities.add", origin),
            });
        let ambient = container
            .value(|options| options.ambient.as_ref())
            .filter(|(list, _)| list.iter().any(|text| is_all(text)))
            .map(|(_, origin)| ("ambient", origin));
        for (key, origin) in [bounding, ambient].into_iter().flatten() {
            let message = format!(
                "the container {} has all capabilities{}",
                container.name(),
                origin.told()
            );
            let help = match origin {
                Origin::Yaml => "list those that it needs",
                _ => "give `capabilities` with those that it needs",
            };
            found.push(Fault::new(container.at(key, origin), message).help(help));
        }
    }
}

pub(super) fn writable_root(context: &Context<'_>, found: &mut Vec<Fault>) {
    for container in containers(context) {
        let readonly = container.value(|options| options.readonly.as_ref());
        if matches!(readonly, Some((true, _))) {
            continue;
        }
        let message = format!(
            "the root of the container {} is writable{}",
            container.name(),
            absent(&container, readonly.is_none())
        );
        found.push(
            Fault::new(container.path.clone(), message)
                .help("set `readonly: true`, with `tmpfs` for what it writes"),
        );
    }
}

pub(super) fn new_privileges(context: &Context<'_>, found: &mut Vec<Fault>) {
    for container in containers(context) {
        let set = container.value(|options| options.no_new_privileges.as_ref());
        if matches!(set, Some((true, _))) {
            continue;
        }
        let message = format!(
            "programs of the container {} may gain privileges from setuid bits and file capabilities{}",
            container.name(),
            absent(&container, set.is_none())
        );
        found.push(Fault::new(container.path.clone(), message).help("set `noNewPrivileges: true`"));
    }
}

pub(super) fn host_namespace(context: &Context<'_>, found: &mut Vec<Fault>) {
    for container in containers(context) {
        let mut shared = Vec::new();
        let mut by_default = false;
        for (kind, value) in [
            ("net", container.text(|options| &options.net)),
            ("ipc", container.text(|options| &options.ipc)),
            ("uts", container.text(|options| &options.uts)),
            ("pid", container.text(|options| &options.pid)),
        ] {
            match value {
                Some(("host" | "root", _)) => shared.push(kind),
                // The only one that a container has to itself unasked.
                None if kind != "pid" => {
                    shared.push(kind);
                    by_default = true;
                }
                _ => {}
            }
        }
        if shared.is_empty() {
            continue;
        }
        let message = format!(
            "the container {} is in the host's namespaces: {}{}",
            container.name(),
            shared.join(", "),
            absent(&container, by_default)
        );
        let mend: Vec<String> = shared
            .iter()
            .map(|kind| match *kind {
                "pid" => "no `pid`".to_owned(),
                kind => format!("`{kind}: new`"),
            })
            .collect();
        let help = format!("give it its own: {}", mend.join(", "));
        found.push(Fault::new(container.path.clone(), message).help(help));
    }
}

fn absent(container: &Effective<'_>, is_absent: bool) -> &'static str {
    match is_absent {
        true => container.unless(),
        false => "",
    }
}

pub(super) fn unknown_annotation(context: &Context<'_>, found: &mut Vec<Fault>) {
    for container in containers(context) {
        for (name, value) in container.container.options.annotations.iter().flatten() {
            if !name.starts_with("nodeimage.") {
                continue;
            }
            let path = format!("{}.annotations.{name}", container.path);
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
