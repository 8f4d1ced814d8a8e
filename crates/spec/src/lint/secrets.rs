//! Credentials in a spec. Findings name the kind, never the text.

use super::Context;
use super::container::containers;
use crate::fault::{Fault, quoted};
use crate::secret;

pub(super) fn in_files(context: &Context<'_>, found: &mut Vec<Fault>) {
    for (index, file) in context.parsed.spec.files.iter().enumerate() {
        if let Some(kind) = file.contents.as_deref().and_then(secret::find) {
            let message = format!("{} holds {kind}", quoted(&file.path));
            let help = "let the machine fetch it at boot, such as from its user data";
            found.push(Fault::new(format!("files[{index}].contents"), message).help(help));
        }
    }
}

pub(super) fn in_env(context: &Context<'_>, found: &mut Vec<Fault>) {
    let spec = &context.parsed.spec;
    let mut look = |path: String, text: &str| {
        if let Some(kind) = secret::find(text) {
            let help = "let the machine fetch it at boot, such as from its user data";
            found.push(Fault::new(path, format!("this holds {kind}")).help(help));
        }
    };
    if let Some(cmdline) = spec
        .kernel
        .as_ref()
        .and_then(|kernel| kernel.cmdline.as_deref())
    {
        look("kernel.cmdline".to_owned(), cmdline);
    }
    for (path, container) in containers(spec) {
        for (key, list) in [
            ("env", &container.options.env),
            ("command", &container.options.command),
        ] {
            for (index, text) in list.iter().flatten().enumerate() {
                look(format!("{path}.{key}[{index}]"), text);
            }
        }
    }
}
