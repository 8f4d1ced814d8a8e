//! Faults of a spec as Terraform's diagnostics.

use nodeimage_spec::{Fault, Faults, Severity};
use tfplugin::{Diagnostic, Diagnostics, Path};

/// All faults; `path` gives the attribute of a document.
pub(crate) fn diagnostics(faults: &Faults, path: &dyn Fn(usize) -> Path) -> Diagnostics {
    let mut found = Diagnostics::new();
    for fault in faults.iter() {
        let at = path(fault.place.as_ref().map_or(0, |place| place.document));
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

/// The fault as it is printed, without the word in front that Terraform prints itself.
fn text(fault: &Fault) -> String {
    let text = fault.to_string();
    let severity = format!("{}: ", fault.severity);
    text.strip_prefix(&severity).unwrap_or(&text).to_owned()
}
