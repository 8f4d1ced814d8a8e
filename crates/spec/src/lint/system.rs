//! Systems that can't come up.

use super::Context;
use crate::fault::Fault;
use crate::reference::{BUILTIN_INIT, Reference};

/// Whether the name of an init image says that it brings a program: all there is to go by while the
/// images are not at hand.
fn brings(context: &Context<'_>, programs: &[&str]) -> bool {
    context.parsed.spec.init.iter().any(|image| {
        let repository = Reference::parse(image).map(|reference| reference.repository().to_owned());
        let name = repository.unwrap_or_default();
        let name = name.rsplit('/').next().unwrap_or_default();
        programs.iter().any(|program| name.contains(program))
    })
}

pub(super) fn no_init(context: &Context<'_>, found: &mut Vec<Fault>) {
    let spec = &context.parsed.spec;
    let by_files = spec
        .files
        .iter()
        .any(|file| file.path.trim_start_matches('/') == "init");
    if spec.init.is_empty() && !by_files {
        let fault = Fault::new("", "no image is listed in `init`, so nothing brings /init");
        found.push(fault.help("add `builtin:init`, or `linuxkit/init` with a runtime"));
    }
}

pub(super) fn no_runtime(context: &Context<'_>, found: &mut Vec<Fault>) {
    let spec = &context.parsed.spec;
    // A spec without any init has a finding of its own.
    if spec.init.is_empty() {
        return;
    }
    let first = [
        ("onboot", spec.onboot.len()),
        ("onshutdown", spec.onshutdown.len()),
        ("services", spec.services.len()),
    ]
    .into_iter()
    .find(|(_, count)| *count > 0);
    if let Some((section, _)) = first
        && !brings(context, &["runc", "crun"])
    {
        let message =
            format!("`{section}` has containers, and no init image looks like runc or crun");
        found.push(Fault::new(section, message).help("add such an image to `init`"));
    }
    // Our init starts services itself.
    let own = spec.init.iter().any(|image| image == BUILTIN_INIT);
    if !spec.services.is_empty() && !own && !brings(context, &["containerd"]) {
        let message = "`services` has containers, and no init image looks like containerd";
        found.push(
            Fault::new("services", message)
                .help("add such an image to `init`, or use `builtin:init`"),
        );
    }
}
