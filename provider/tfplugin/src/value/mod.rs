//! Terraform's values, and their two encodings.
//!
//! A value's meaning depends on a [`Type`] that travels apart from it: the
//! schema's, or for a dynamic attribute the one sent along.

pub mod json;
pub mod msgpack;
mod number;
mod ty;

use std::collections::BTreeMap;

pub use number::Number;
pub use ty::{MAX_TYPE_DEPTH, Type, TypeError};

/// Values nested deeper than this are refused, in both encodings.
pub const MAX_DEPTH: usize = 128;

/// A message may hold at most this many values: an empty list costs one byte
/// on the wire and sixty in memory.
pub const MAX_NODES: usize = 4 << 20;

/// A value of some [`Type`].
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// Absent.
    #[default]
    Null,
    /// Not known before apply.
    Unknown(Refinements),
    /// A truth value.
    Bool(bool),
    /// An exact number.
    Number(Number),
    /// Unicode text.
    String(String),
    /// The elements of a list or a tuple, in order.
    List(Vec<Value>),
    /// The elements of a set, in no particular order.
    Set(Vec<Value>),
    /// The elements of a map or the attributes of an object.
    Map(BTreeMap<String, Value>),
    /// The value of an attribute that takes any type, with its type.
    Dynamic(Box<Type>, Box<Value>),
}

/// What is known about an unknown value, in its encoded form: kept so that it
/// can be given back unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refinements(pub(crate) Option<Box<[u8]>>);

impl Value {
    /// An unknown value of which nothing is known.
    pub const UNKNOWN: Self = Self::Unknown(Refinements(None));

    /// A string.
    pub fn string(text: impl Into<String>) -> Self {
        Self::String(text.into())
    }

    /// A whole number.
    pub fn int(n: i64) -> Self {
        Self::Number(Number::Int(n))
    }

    /// An object or a map.
    pub fn object<K: Into<String>>(fields: impl IntoIterator<Item = (K, Value)>) -> Self {
        Self::Map(fields.into_iter().map(|(k, v)| (k.into(), v)).collect())
    }

    /// True for null, with a type of its own or without.
    pub fn is_null(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Dynamic(_, v) => v.is_null(),
            _ => false,
        }
    }

    /// True if this value itself is unknown (its parts may be, regardless).
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::Unknown(_) => true,
            Self::Dynamic(_, v) => v.is_unknown(),
            _ => false,
        }
    }

    /// True if neither this value nor a part of it is unknown.
    pub fn is_wholly_known(&self) -> bool {
        match self {
            Self::Unknown(_) => false,
            Self::List(items) | Self::Set(items) => items.iter().all(Self::is_wholly_known),
            Self::Map(fields) => fields.values().all(Self::is_wholly_known),
            Self::Dynamic(_, v) => v.is_wholly_known(),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => true,
        }
    }

    /// The value of a map's key or an object's attribute; null if there is none.
    pub fn get(&self, key: &str) -> &Value {
        const NULL: &Value = &Value::Null;
        match self {
            Self::Map(fields) => fields.get(key).unwrap_or(NULL),
            _ => NULL,
        }
    }

    /// Sets an attribute of an object; nothing happens if this is none.
    pub fn set(&mut self, key: &str, value: Value) {
        if let Self::Map(fields) = self {
            fields.insert(key.to_owned(), value);
        }
    }

    /// The name of this kind of value, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Unknown(_) => "an unknown value",
            Self::Bool(_) => "a bool",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
            Self::Set(_) => "a set",
            Self::Map(_) => "an object",
            Self::Dynamic(_, v) => v.kind(),
        }
    }
}

/// Equal as Terraform compares: numbers by what they are worth, sets without
/// order, two unknown values alike whatever is known of them, dynamic values
/// with their types.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) | (Self::Unknown(_), Self::Unknown(_)) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::String(a), Self::String(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Set(a), Self::Set(b)) => same_elements(a, b),
            (Self::Map(a), Self::Map(b)) => a == b,
            (Self::Dynamic(t, a), Self::Dynamic(u, b)) => t == u && a == b,
            _ => false,
        }
    }
}

fn same_elements(a: &[Value], b: &[Value]) -> bool {
    let sorted = |items: &[Value]| {
        let mut keys: Vec<Vec<u8>> = items.iter().map(sort_key).collect();
        keys.sort_unstable();
        keys
    };
    a.len() == b.len() && (a == b || sorted(a) == sorted(b))
}

/// Bytes that are the same for equal values, and only for them.
fn sort_key(value: &Value) -> Vec<u8> {
    fn put(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
        out.push(tag);
        out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        out.extend_from_slice(bytes);
    }
    fn all<'a>(out: &mut Vec<u8>, tag: u8, items: impl Iterator<Item = &'a Value>) {
        let body: Vec<u8> = items.flat_map(sort_key).collect();
        put(out, tag, &body);
    }
    let mut out = Vec::new();
    match value {
        Value::Null => put(&mut out, 0, &[]),
        Value::Unknown(_) => put(&mut out, 1, &[]),
        Value::Bool(b) => put(&mut out, 2, &[u8::from(*b)]),
        Value::Number(n) => put(&mut out, 3, n.canonical().as_bytes()),
        Value::String(s) => put(&mut out, 4, s.as_bytes()),
        Value::List(items) => all(&mut out, 5, items.iter()),
        Value::Set(items) => {
            let mut keys: Vec<Vec<u8>> = items.iter().map(sort_key).collect();
            keys.sort_unstable();
            put(&mut out, 6, &keys.concat());
        }
        Value::Map(fields) => {
            let mut body = Vec::new();
            for (key, value) in fields {
                put(&mut body, 4, key.as_bytes());
                body.extend(sort_key(value));
            }
            put(&mut out, 7, &body);
        }
        Value::Dynamic(ty, value) => {
            put(&mut out, 8, ty.to_json().as_bytes());
            out.extend(sort_key(value));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_have_no_order_and_numbers_no_spelling() {
        let float = Value::Number(Number::Float(2.0));
        let a = Value::Set(vec![Value::int(1), float, Value::string("x")]);
        let b = Value::Set(vec![Value::string("x"), Value::int(2), Value::int(1)]);
        assert_eq!(a, b);
        assert_ne!(a, Value::Set(vec![Value::int(1), Value::int(2)]));
        assert_ne!(
            Value::Set(vec![Value::int(1), Value::int(1), Value::int(2)]),
            Value::Set(vec![Value::int(1), Value::int(2), Value::int(2)])
        );
        assert_ne!(
            Value::List(vec![Value::int(1), Value::int(2)]),
            Value::List(vec![Value::int(2), Value::int(1)])
        );
    }

    #[test]
    fn a_list_is_not_a_tuple_where_the_type_is_the_values_own() {
        let list = Value::Dynamic(
            Box::new(Type::List(Box::new(Type::String))),
            Box::new(Value::List(vec![Value::string("a")])),
        );
        let tuple = Value::Dynamic(
            Box::new(Type::Tuple(vec![Type::String])),
            Box::new(Value::List(vec![Value::string("a")])),
        );
        assert_ne!(list, tuple);
    }
}
