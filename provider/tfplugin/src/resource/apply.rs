//! Creates, updates, deletes; and what is saved when that fails.

use super::AnyResource;
use super::adapter::Outcome;
use super::attributes::{null_unknown, null_write_only};
use super::rules;
use crate::cx::Cx;
use crate::diag::{Diagnostic, Path};
use crate::value::Value;

/// What Terraform knows.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) prior: Value,
    pub(crate) planned: Value,
    pub(crate) config: Value,
}

/// Returns the state to save; faults go to `cx`.
pub(crate) fn apply(resource: &dyn AnyResource, cx: &mut Cx, given: &Given) -> Value {
    let Given {
        prior,
        planned,
        config,
    } = given;
    if planned.is_null() {
        let outcome = resource.delete(cx, prior);
        return match outcome.result {
            Ok(()) if !cx.has_error() => Value::Null,
            result => failed(resource, cx, prior, outcome.state, result),
        };
    }
    let Outcome { state, result } = if prior.is_null() {
        resource.create(cx, config, planned)
    } else {
        resource.update(cx, config, prior, planned)
    };
    if result.is_err() {
        return failed(resource, cx, prior, state, result);
    }
    let mut state = state;
    null_write_only(&resource.schema().attributes, &mut state);
    let left = null_unknown(&Path::root(), &mut state);
    if !cx.has_error() {
        for path in &left {
            let text = format!(
                "The provider left {path} unknown after apply. Please report this as a bug in \
                 the provider."
            );
            cx.push(Diagnostic::error("Bug in the provider", text).at(path.clone()));
        }
        if left.is_empty()
            && let Err(faults) = rules::check_result(planned, &state)
        {
            cx.extend(faults);
        }
    }
    state
}

fn failed(
    resource: &dyn AnyResource,
    cx: &mut Cx,
    prior: &Value,
    mut state: Value,
    result: Result<(), crate::Diagnostics>,
) -> Value {
    if let Err(diagnostics) = result {
        let silent = !diagnostics.has_error() && !cx.has_error();
        cx.extend(diagnostics);
        if silent {
            let text = "The operation failed without saying why. Please report this as a bug in \
                        the provider.";
            cx.push(Diagnostic::error("Bug in the provider", text));
        }
    }
    if !cx.saves() {
        return prior.clone();
    }
    null_write_only(&resource.schema().attributes, &mut state);
    null_unknown(&Path::root(), &mut state);
    state
}
