//! What Terraform demands of plans and results. It tells users only that "the
//! provider produced an invalid plan"; here the attribute and the reason are
//! named.

use super::attributes::nested;
use crate::diag::{Diagnostic, Diagnostics, Path};
use crate::schema::{Attribute, Nesting, Shape};
use crate::value::Value;

fn bug(path: &Path, what: &str) -> Diagnostic {
    Diagnostic::error(
        "Bug in the provider",
        format!("{what} (attribute {path}). Please report this as a bug in the provider."),
    )
    .at(path.clone())
}

/// A planned value is the configuration's, or the prior state's in its stead,
/// or the provider's own where the configuration has none and the attribute is
/// computed.
pub(super) fn check_plan(
    attributes: &[Attribute],
    config: &Value,
    prior: &Value,
    planned: &Value,
) -> Result<(), Diagnostics> {
    let mut faults = Diagnostics::new();
    check_object(
        attributes,
        &Path::root(),
        config,
        prior,
        planned,
        &mut faults,
    );
    faults.into_result()
}

fn check_object(
    attributes: &[Attribute],
    path: &Path,
    config: &Value,
    prior: &Value,
    planned: &Value,
    faults: &mut Diagnostics,
) {
    for attribute in attributes {
        let name = &attribute.name;
        let path = path.attribute(name);
        let (config, prior, planned) = (config.get(name), prior.get(name), planned.get(name));
        check_value(attribute, &path, config, prior, planned, faults);
    }
}

fn check_value(
    attribute: &Attribute,
    path: &Path,
    config: &Value,
    prior: &Value,
    planned: &Value,
    faults: &mut Diagnostics,
) {
    let flags = &attribute.flags;
    if flags.write_only || planned == config {
        return;
    }
    if config.is_null() {
        if !flags.is_computed() {
            faults.push(bug(
                path,
                "The plan sets a value where the configuration has none",
            ));
        }
        return;
    }
    if !prior.is_null() && planned == prior {
        return;
    }
    if let Shape::Nested(nesting, inner) = &attribute.shape {
        let objects = nested(*nesting, path, planned, [config, prior]);
        let as_many = |other: &Value| match (planned, other) {
            (Value::List(a), Value::List(b)) | (Value::Set(a), Value::Set(b)) => a.len() == b.len(),
            (Value::Map(a), Value::Map(b)) => *nesting == Nesting::Single || a.keys().eq(b.keys()),
            _ => false,
        };
        if *nesting != Nesting::Set && as_many(config) {
            for (path, planned, [config, prior]) in objects {
                check_object(inner, &path, config, prior, planned, faults);
            }
            return;
        }
    }
    faults.push(bug(
        path,
        "The plan changes a value that the configuration sets",
    ));
}

/// The new state keeps every value that was planned.
pub(super) fn check_result(planned: &Value, new: &Value) -> Result<(), Diagnostics> {
    let mut faults = Diagnostics::new();
    compare(&Path::root(), planned, new, &mut faults);
    faults.into_result()
}

fn compare(path: &Path, planned: &Value, new: &Value, faults: &mut Diagnostics) {
    match (planned, new) {
        (planned, new) if planned.is_unknown() || planned == new => {}
        (Value::Map(a), Value::Map(b)) if a.keys().eq(b.keys()) => {
            for ((name, a), b) in a.iter().zip(b.values()) {
                compare(&path.attribute(name), a, b, faults);
            }
        }
        (Value::List(a), Value::List(b)) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&path.index(i), a, b, faults);
            }
        }
        (Value::Set(a), Value::Set(b))
            if a.len() == b.len() && !a.iter().all(Value::is_wholly_known) => {}
        (Value::Dynamic(t, a), Value::Dynamic(u, b)) if t == u => compare(path, a, b, faults),
        _ => faults.push(bug(path, "The result differs from what was planned")),
    }
}
