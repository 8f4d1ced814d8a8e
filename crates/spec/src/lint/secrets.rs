//! Credentials in a spec. Findings name the kind, never the text.

use super::Context;
use super::effective::{Effective, Origin, containers};
use crate::fault::{Fault, quoted};
use crate::model::Options;
use crate::secret;

const HELP: &str = "let the machine fetch it at boot, such as from its user data";

pub(super) fn in_files(context: &Context<'_>, found: &mut Vec<Fault>) {
    for (index, file) in context.parsed.spec.files.iter().enumerate() {
        let source = context.facts.sources.get(&index).map(String::as_str);
        for (key, text) in [("contents", file.contents.as_deref()), ("source", source)] {
            if let Some(kind) = text.and_then(secret::find) {
                let message = format!("{} holds {kind}", quoted(&file.path));
                found.push(Fault::new(format!("files[{index}].{key}"), message).help(HELP));
            }
        }
    }
}

pub(super) fn in_env(context: &Context<'_>, found: &mut Vec<Fault>) {
    let kernel = context.parsed.spec.kernel.as_ref();
    let cmdline = kernel.and_then(|kernel| kernel.cmdline.as_deref());
    if let Some(kind) = cmdline.and_then(secret::find) {
        found.push(Fault::new("kernel.cmdline", format!("this holds {kind}")).help(HELP));
    }
    for container in containers(context) {
        let image = container.image;
        let env = image.map(|image| image.env.as_slice());
        look(&container, "env", |options| &options.env, env, found);
        let command = image.map(|image| image.command.as_slice());
        look(
            &container,
            "command",
            |options| &options.command,
            command,
            found,
        );
    }
}

fn look<'a>(
    container: &Effective<'a>,
    key: &str,
    pick: impl Fn(&'a Options) -> &'a Option<Vec<String>>,
    image: Option<&'a [String]>,
    found: &mut Vec<Fault>,
) {
    let given = container.value(|options| pick(options).as_deref());
    let Some((list, origin)) = given.or(image.map(|list| (list, Origin::Image))) else {
        return;
    };
    for (index, text) in list.iter().enumerate() {
        let Some(kind) = secret::find(text) else {
            continue;
        };
        let (path, message) = match origin {
            Origin::Yaml => (
                format!("{}.{key}[{index}]", container.path),
                format!("this holds {kind}"),
            ),
            _ => (
                container.at(key, origin),
                format!(
                    "the `{key}` of the container {} holds {kind}{}",
                    container.name(),
                    origin.told()
                ),
            ),
        };
        found.push(Fault::new(path, message).help(HELP));
    }
}
