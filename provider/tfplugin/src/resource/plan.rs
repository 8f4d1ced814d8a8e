//! From configuration and prior state to a plan.

use std::collections::BTreeSet;

use super::AnyResource;
use super::attributes::{edit, null_write_only, visit};
use super::rules;
use crate::cx::Cx;
use crate::diag::{Diagnostics, Path};
use crate::schema::flags::{Mode, Replace};
use crate::schema::{Attribute, Schema};
use crate::value::Value;

/// What Terraform knows.
#[derive(Debug)]
pub(crate) struct Given {
    /// Null if there is none.
    pub(crate) prior: Value,
    /// The configuration, with the prior state's value for each computed
    /// attribute that it doesn't set. Null to delete.
    pub(crate) proposed: Value,
    pub(crate) config: Value,
}

/// What Terraform is told.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) state: Value,
    pub(crate) replace: Vec<Path>,
}

pub(crate) fn plan(
    resource: &dyn AnyResource,
    cx: &mut Cx,
    given: Given,
) -> Result<Planned, Diagnostics> {
    let schema = resource.schema();
    let Given {
        prior,
        proposed,
        config,
    } = given;
    if proposed.is_null() {
        resource.plan_destroy(cx, &prior)?;
        return Ok(Planned {
            state: Value::Null,
            replace: Vec::new(),
        });
    }
    let mut planned = proposed;
    set_defaults(&schema.attributes, &config, &mut planned);
    null_write_only(&schema.attributes, &mut planned);
    let changed = planned != prior;
    if changed {
        mark_unknown(&schema.attributes, &config, &prior, &mut planned);
    }
    let mut planned = resource.plan(cx, &config, &prior, &planned)?;
    null_write_only(&schema.attributes, &mut planned);
    if changed && only_awaited(&schema.attributes, &config, &prior, &planned) {
        planned = prior.clone();
    }
    rules::check_plan(&schema.attributes, &config, &prior, &planned)?;
    let replace = replacements(schema, cx, &prior, &planned);
    Ok(Planned {
        state: planned,
        replace,
    })
}

pub(crate) fn set_defaults(attributes: &[Attribute], config: &Value, planned: &mut Value) {
    edit(
        attributes,
        planned,
        [config],
        &mut |attribute, value, [config]| match &attribute.flags.default {
            Some(default) if config.is_null() => {
                *value = default.clone();
                false
            }
            _ => true,
        },
    );
}

fn mark_unknown(attributes: &[Attribute], config: &Value, prior: &Value, planned: &mut Value) {
    edit(attributes, planned, [config, prior], &mut |attribute,
                                                     value,
                                                     [
        config,
        prior,
    ]| {
        let flags = &attribute.flags;
        let provided = matches!(flags.mode, Mode::Computed | Mode::OptionalComputed)
            && flags.default.is_none();
        if !config.is_null() {
            return true;
        }
        if provided {
            *value = if flags.keep && !prior.is_null() {
                prior.clone()
            } else {
                Value::UNKNOWN
            };
        }
        false
    });
}

/// True if the plan differs from the prior state only in computed values that
/// are unknown: the resource found that what differed means the same, so there
/// is nothing to await.
fn only_awaited(attributes: &[Attribute], config: &Value, prior: &Value, planned: &Value) -> bool {
    let mut settled = planned.clone();
    edit(attributes, &mut settled, [config, prior], &mut |attribute,
                                                          value,
                                                          [
        config,
        prior,
    ]| {
        if config.is_null() && value.is_unknown() && attribute.flags.is_computed() {
            *value = prior.clone();
        }
        !config.is_null()
    });
    settled == *prior && !prior.is_null()
}

/// The changes that take a new resource: sorted, each once.
fn replacements(schema: &Schema, cx: &Cx, prior: &Value, planned: &Value) -> Vec<Path> {
    if prior.is_null() {
        return Vec::new();
    }
    let mut all: BTreeSet<Path> = cx.replaced().clone();
    let mut see = |attribute: &Attribute, path: &Path, prior: &Value, planned: &Value| {
        let asks = match attribute.flags.replace {
            Replace::Never => false,
            Replace::Always => prior != planned,
            Replace::If(condition) => prior != planned && condition(prior, planned),
        };
        if asks {
            all.insert(path.clone());
        }
    };
    let root = Path::root();
    visit(&schema.attributes, &root, planned, [prior], &mut |a,
                                                             path,
                                                             planned,
                                                             [
        prior,
    ]| {
        see(a, path, prior, planned);
        true
    });
    // What was there before and is no more.
    visit(&schema.attributes, &root, prior, [planned], &mut |a,
                                                             path,
                                                             prior,
                                                             [
        planned,
    ]| {
        see(a, path, prior, planned);
        true
    });
    all.into_iter().collect()
}
