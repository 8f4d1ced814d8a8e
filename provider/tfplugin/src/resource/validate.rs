//! What the schema demands of a configuration.

use super::attributes::visit;
use crate::cx::Cx;
use crate::diag::{Diagnostic, Path};
use crate::schema::{Attribute, flags::Mode};
use crate::value::Value;

/// Checks `config` against its attributes; all faults go to `cx`.
pub(crate) fn validate(attributes: &[Attribute], cx: &mut Cx, config: &Value) {
    let client = cx.client();
    visit(
        attributes,
        &Path::root(),
        config,
        [],
        &mut |attribute, path, value, []| {
            let flags = &attribute.flags;
            if value.is_null() {
                if flags.mode == Mode::Required {
                    let text = format!(
                        "The attribute {:?} is required: set it to a value.",
                        attribute.name
                    );
                    cx.push(Diagnostic::error("Missing required value", text).at(path.clone()));
                }
                return false;
            }
            if flags.write_only && !client.write_only {
                let text = format!(
                    "The attribute {:?} is write-only: its value is never stored. That needs \
                 Terraform ≥ 1.11 (or OpenTofu ≥ 1.11); please upgrade.",
                    attribute.name
                );
                cx.push(Diagnostic::error("Terraform is too old", text).at(path.clone()));
            }
            if let Some(instead) = &flags.deprecated {
                cx.push(
                    Diagnostic::warning("Deprecated attribute", instead.clone()).at(path.clone()),
                );
            }
            if value.is_wholly_known() {
                for check in &flags.checks {
                    if let Err(message) = check.run(value) {
                        let text = format!("The value of {:?} {message}.", attribute.name);
                        cx.push(Diagnostic::error("Invalid value", text).at(path.clone()));
                    }
                }
            }
            true
        },
    );
}
