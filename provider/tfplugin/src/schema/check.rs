//! What Terraform would refuse in a schema, found when the provider starts.

use super::attribute::{Attribute, Nesting, Shape};
use super::flags::{Mode, Replace};
use super::{Role, Schema};
use crate::diag::Path;
use crate::value::{Type, Value};

/// A schema that can't work: a bug of the provider.
#[derive(Debug, thiserror::Error)]
#[error("the schema has faults, which is a bug in this provider:\n{}", .0.join("\n"))]
pub struct SchemaError(pub(crate) Vec<String>);

/// Names that mean something to Terraform itself.
const RESERVED: [&str; 7] = [
    "connection",
    "count",
    "depends_on",
    "for_each",
    "lifecycle",
    "provider",
    "provisioner",
];
const RESERVED_IN_PROVIDER: [&str; 2] = ["alias", "version"];

pub(super) fn check(schema: &Schema, role: Role) -> Result<(), SchemaError> {
    let mut checker = Checker {
        role,
        faults: Vec::new(),
    };
    for attribute in &schema.attributes {
        let reserved = match role {
            Role::Provider => RESERVED_IN_PROVIDER.contains(&attribute.name.as_str()),
            Role::Resource | Role::DataSource => RESERVED.contains(&attribute.name.as_str()),
        };
        if reserved {
            checker.fault(
                &Path::root().attribute(&attribute.name),
                "the name is reserved",
            );
        }
    }
    checker.attributes(&Path::root(), &schema.attributes, Within::default());
    if checker.faults.is_empty() {
        Ok(())
    } else {
        Err(SchemaError(checker.faults))
    }
}

/// What the attributes around one are.
#[derive(Clone, Copy, Default)]
struct Within {
    set: bool,
    collection: bool,
    computed: bool,
}

struct Checker {
    role: Role,
    faults: Vec<String>,
}

impl Checker {
    fn fault(&mut self, path: &Path, text: &str) {
        self.faults.push(format!("{path}: {text}"));
    }

    fn attributes(&mut self, path: &Path, attributes: &[Attribute], within: Within) {
        for attribute in attributes {
            let path = path.attribute(&attribute.name);
            self.attribute(&path, attribute, within);
        }
    }

    fn attribute(&mut self, path: &Path, attribute: &Attribute, within: Within) {
        let flags = &attribute.flags;
        if !is_name(&attribute.name) {
            self.fault(
                path,
                "a name has lower-case letters, digits and underscores",
            );
        }
        if flags.write_only {
            if self.role != Role::Resource {
                self.fault(path, "only a resource has write-only attributes");
            }
            if within.set {
                self.fault(path, "a set can't hold write-only attributes");
            }
            if flags.is_computed() {
                self.fault(
                    path,
                    "a write-only attribute can't be computed or have a default",
                );
            }
            if matches!(flags.replace, Replace::Always | Replace::If(_)) {
                self.fault(path, "a write-only attribute is never seen to change");
            }
            if matches!(attribute.shape, Shape::Nested(..)) {
                self.fault(
                    path,
                    "mark the nested attributes write-only, not the object",
                );
            }
        }
        if self.role == Role::Provider && flags.is_computed() && flags.default.is_none() {
            self.fault(path, "nothing in the provider block is computed");
        }
        if within.set && (flags.is_computed() || flags.keep) {
            self.fault(
                path,
                "a set's elements can't have computed attributes or defaults",
            );
        }
        if within.computed && flags.mode != Mode::Computed {
            self.fault(path, "within a computed attribute all are computed");
        }
        if flags.keep && !matches!(flags.mode, Mode::Computed | Mode::OptionalComputed) {
            self.fault(path, "only a computed attribute can be kept");
        }
        if let Some(default) = &flags.default {
            if !flags.is_optional() {
                self.fault(path, "only an optional attribute has a default");
            }
            if !is_of(&attribute.ty(), default) {
                self.fault(path, "the default is of another type");
            }
        }
        match &attribute.shape {
            Shape::Plain(ty) => {
                if (within.collection && has_dynamic(ty)) || collects_dynamic(ty) {
                    self.fault(path, "a collection's elements are of one type, not dynamic");
                }
            }
            Shape::Nested(nesting, nested) => {
                let within = Within {
                    set: within.set || *nesting == Nesting::Set,
                    collection: within.collection || *nesting != Nesting::Single,
                    computed: flags.mode == Mode::Computed,
                };
                self.attributes(path, nested, within);
            }
        }
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn has_dynamic(ty: &Type) -> bool {
    match ty {
        Type::Dynamic => true,
        Type::List(of) | Type::Set(of) | Type::Map(of) => has_dynamic(of),
        Type::Tuple(of) => of.iter().any(has_dynamic),
        Type::Object(of) => of.values().any(has_dynamic),
        Type::String | Type::Number | Type::Bool => false,
    }
}

fn collects_dynamic(ty: &Type) -> bool {
    match ty {
        Type::List(of) | Type::Set(of) | Type::Map(of) => has_dynamic(of),
        Type::Tuple(of) => of.iter().any(collects_dynamic),
        Type::Object(of) => of.values().any(collects_dynamic),
        Type::Dynamic | Type::String | Type::Number | Type::Bool => false,
    }
}

/// True if `value` is wholly known and of type `ty`.
fn is_of(ty: &Type, value: &Value) -> bool {
    match (ty, value) {
        (_, Value::Null)
        | (Type::String, Value::String(_))
        | (Type::Number, Value::Number(_))
        | (Type::Bool, Value::Bool(_)) => true,
        (Type::Dynamic, Value::Dynamic(ty, value)) => is_of(ty, value),
        (Type::List(of), Value::List(items)) | (Type::Set(of), Value::Set(items)) => {
            items.iter().all(|item| is_of(of, item))
        }
        (Type::Map(of), Value::Map(fields)) => fields.values().all(|item| is_of(of, item)),
        (Type::Object(of), Value::Map(fields)) => {
            fields.keys().all(|name| of.contains_key(name))
                && of.iter().all(|(name, ty)| is_of(ty, value.get(name)))
        }
        (Type::Tuple(of), Value::List(items)) => {
            of.len() == items.len() && of.iter().zip(items).all(|(ty, item)| is_of(ty, item))
        }
        _ => false,
    }
}
