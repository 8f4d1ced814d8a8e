//! Walks over values along their schema's attributes.

use crate::diag::Path;
use crate::schema::{Attribute, Nesting, Shape};
use crate::value::Value;

/// The nested objects in `value`, each with its path and its counterparts in
/// `others` (null where there are none). A set's elements have no counterparts.
pub(super) fn nested<'v, const N: usize>(
    nesting: Nesting,
    path: &Path,
    value: &'v Value,
    others: [&'v Value; N],
) -> Vec<(Path, &'v Value, [&'v Value; N])> {
    const NULL: &Value = &Value::Null;
    match (nesting, value) {
        (Nesting::Single, Value::Map(_)) => vec![(path.clone(), value, others)],
        (Nesting::List, Value::List(items)) => {
            let other = |i: usize| {
                others.map(|other| match other {
                    Value::List(items) => items.get(i).unwrap_or(NULL),
                    _ => NULL,
                })
            };
            let items = items.iter().enumerate();
            items.map(|(i, v)| (path.index(i), v, other(i))).collect()
        }
        (Nesting::Map, Value::Map(fields)) => {
            let fields = fields.iter();
            fields
                .map(|(k, v)| (path.key(k), v, others.map(|other| other.get(k))))
                .collect()
        }
        // Terraform's paths can't name an element of a set.
        (Nesting::Set, Value::Set(items)) => {
            items.iter().map(|v| (path.clone(), v, [NULL; N])).collect()
        }
        _ => Vec::new(),
    }
}

/// Calls `f` with each attribute of the object `value` and what `others` have
/// in its place; goes into nested objects that `f` returns true for.
pub(super) fn visit<'v, const N: usize>(
    attributes: &[Attribute],
    path: &Path,
    value: &'v Value,
    others: [&'v Value; N],
    f: &mut impl FnMut(&Attribute, &Path, &'v Value, [&'v Value; N]) -> bool,
) {
    if !matches!(value, Value::Map(_)) {
        return;
    }
    for attribute in attributes {
        let path = path.attribute(&attribute.name);
        let value = value.get(&attribute.name);
        let others = others.map(|other| other.get(&attribute.name));
        let deeper = f(attribute, &path, value, others);
        if let (true, Shape::Nested(nesting, inner)) = (deeper, &attribute.shape) {
            for (path, value, others) in nested(*nesting, &path, value, others) {
                visit(inner, &path, value, others, f);
            }
        }
    }
}

/// Changes the attributes of the object `value`, each given what `others` have
/// in its place; goes into nested objects that `f` returns true for.
pub(super) fn edit<const N: usize>(
    attributes: &[Attribute],
    value: &mut Value,
    others: [&Value; N],
    f: &mut impl FnMut(&Attribute, &mut Value, [&Value; N]) -> bool,
) {
    let Value::Map(fields) = value else { return };
    for attribute in attributes {
        let value = fields.entry(attribute.name.clone()).or_default();
        let others = others.map(|other| other.get(&attribute.name));
        let deeper = f(attribute, value, others);
        if let (true, Shape::Nested(nesting, inner)) = (deeper, &attribute.shape) {
            edit_nested(*nesting, inner, value, others, f);
        }
    }
}

fn edit_nested<const N: usize>(
    nesting: Nesting,
    inner: &[Attribute],
    value: &mut Value,
    others: [&Value; N],
    f: &mut impl FnMut(&Attribute, &mut Value, [&Value; N]) -> bool,
) {
    const NULL: &Value = &Value::Null;
    match (nesting, value) {
        (Nesting::Single, value @ Value::Map(_)) => edit(inner, value, others, f),
        (Nesting::List, Value::List(items)) => {
            for (i, item) in items.iter_mut().enumerate() {
                let others = others.map(|other| match other {
                    Value::List(items) => items.get(i).unwrap_or(NULL),
                    _ => NULL,
                });
                edit(inner, item, others, f);
            }
        }
        (Nesting::Map, Value::Map(fields)) => {
            for (key, item) in fields {
                edit(inner, item, others.map(|other| other.get(key)), f);
            }
        }
        // Nothing in a set has a default, is computed or write-only.
        _ => {}
    }
}

/// Write-only values are never stored.
pub(crate) fn null_write_only(attributes: &[Attribute], value: &mut Value) {
    edit(attributes, value, [], &mut |attribute, value, []| {
        if attribute.flags.write_only {
            *value = Value::Null;
        }
        !attribute.flags.write_only
    });
}

/// Replaces every unknown value by null; returns where they were.
pub(crate) fn null_unknown(path: &Path, value: &mut Value) -> Vec<Path> {
    let mut found = Vec::new();
    match value {
        value if value.is_unknown() => {
            found.push(path.clone());
            *value = Value::Null;
        }
        Value::Map(fields) => {
            for (name, value) in fields {
                found.extend(null_unknown(&path.attribute(name), value));
            }
        }
        Value::List(items) => {
            for (i, value) in items.iter_mut().enumerate() {
                found.extend(null_unknown(&path.index(i), value));
            }
        }
        Value::Set(items) => {
            for value in items {
                found.extend(null_unknown(path, value));
            }
        }
        Value::Dynamic(_, value) => found.extend(null_unknown(path, value)),
        _ => {}
    }
    found
}
