//! Faults of a spec as Terraform's diagnostics.

use nodeimage_spec::{Fault, Faults, Severity};
use tfplugin::{Diagnostic, Diagnostics, Path, path};

/// All faults; `path` gives the attribute of a document.
pub(crate) fn diagnostics(faults: &Faults, path: &dyn Fn(usize) -> Path) -> Diagnostics {
    let mut found = Diagnostics::new();
    for fault in faults.iter() {
        if let Some(option) = fault.path.strip_prefix("disk.") {
            found.push(disk(fault, option));
            continue;
        }
        let at = fault
            .place
            .as_ref()
            .map_or_else(|| path!("config"), |place| path(place.document));
        let text = text(fault);
        found.push(match fault.severity {
            Severity::Error => Diagnostic::error("Invalid LinuxKit configuration", text).at(at),
            Severity::Warning => {
                Diagnostic::warning("Doubtful LinuxKit configuration", text).at(at)
            }
        });
    }
    let more = faults.len() - faults.iter().count();
    if more > 0 {
        let text = format!("There are {more} more faults; mend these first.");
        found.push(Diagnostic::error("Invalid LinuxKit configuration", text));
    }
    found
}

/// A fault of a disk option, which stands in an attribute of its own and not in the YAML.
fn disk(fault: &Fault, option: &str) -> Diagnostic {
    let help = fault.help.iter().map(|help| format!("; {help}"));
    let text = std::iter::once(fault.message.clone())
        .chain(help)
        .collect::<String>();
    Diagnostic::error("Invalid disk option", text).at(path!("disk").attribute(option))
}

/// The fault as it is printed, without the word in front that Terraform prints itself.
fn text(fault: &Fault) -> String {
    let text = fault.to_string();
    let severity = format!("{}: ", fault.severity);
    text.strip_prefix(&severity).unwrap_or(&text).to_owned()
}
