//! Between Rust's types and Terraform's values.

use std::collections::BTreeMap;

use super::attribute::{Nesting, Shape};
use super::val::{Dynamic, Val};
use crate::diag::{Path, Step};
use crate::value::{Number, Type, Value};

/// A Rust type that an attribute can hold.
///
/// `T` takes neither null nor unknown, [`Val<T>`] takes both. So a `Vec<T>` with
/// a null in it is refused, one with an unknown element counts as unknown, and a
/// `Vec<Val<T>>` shows them all.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no type of an attribute",
    note = "String, bool, i64, f64, Number, Dynamic, models, and Val, Vec, Set, BTreeMap<String, _> of them"
)]
pub trait Typed: Clone + Send + Sync + 'static {
    /// True if null and unknown are values of this type.
    const NULLABLE: bool = false;

    /// What the attribute holds.
    fn shape() -> Shape;

    /// From a value of [`Typed::shape`]'s type.
    ///
    /// # Errors
    /// If it doesn't fit.
    fn from_value(value: &Value) -> Result<Self, Misfit>;

    /// To a value of [`Typed::shape`]'s type.
    fn to_value(&self) -> Value;
}

/// A value that a Rust type can't hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// It, or a part of it, is not known yet.
    Unknown,
    /// Parts of it are wrong: where, and what is wrong.
    Wrong(Vec<(Path, String)>),
}

impl Misfit {
    /// The value itself is wrong.
    pub fn wrong(message: impl Into<String>) -> Self {
        Self::Wrong(vec![(Path::root(), message.into())])
    }

    /// The same, one level up.
    #[must_use]
    pub fn under(self, step: &Step) -> Self {
        match self {
            Self::Unknown => Self::Unknown,
            Self::Wrong(all) => {
                let below = |(path, message): (Path, String)| {
                    (Path::root().with(step.clone()).join(&path), message)
                };
                Self::Wrong(all.into_iter().map(below).collect())
            }
        }
    }

    fn expected(what: &str, value: &Value) -> Self {
        match value {
            value if value.is_unknown() => Self::Unknown,
            value if value.is_null() => Self::wrong("must not be null"),
            value => Self::wrong(format!("must be {what}, not {}", value.kind())),
        }
    }
}

impl<T: Typed> Typed for Val<T> {
    const NULLABLE: bool = true;

    fn shape() -> Shape {
        T::shape()
    }

    fn from_value(value: &Value) -> Result<Self, Misfit> {
        if value.is_unknown() {
            return Ok(Self::Unknown);
        }
        if value.is_null() {
            return Ok(Self::Null);
        }
        match T::from_value(value) {
            Ok(value) => Ok(Self::Known(value)),
            Err(Misfit::Unknown) => Ok(Self::Unknown),
            Err(wrong) => Err(wrong),
        }
    }

    fn to_value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Unknown => Value::UNKNOWN,
            Self::Known(value) => value.to_value(),
        }
    }
}

impl Typed for String {
    fn shape() -> Shape {
        Shape::Plain(Type::String)
    }

    fn from_value(value: &Value) -> Result<Self, Misfit> {
        match value {
            Value::String(text) => Ok(text.clone()),
            other => Err(Misfit::expected("a string", other)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.clone())
    }
}

impl Typed for bool {
    fn shape() -> Shape {
        Shape::Plain(Type::Bool)
    }

    fn from_value(value: &Value) -> Result<Self, Misfit> {
        match value {
            Value::Bool(b) => Ok(*b),
            other => Err(Misfit::expected("a bool", other)),
        }
    }

    fn to_value(&self) -> Value {
        Value::Bool(*self)
    }
}

impl Typed for i64 {
    fn shape() -> Shape {
        Shape::Plain(Type::Number)
    }

    fn from_value(value: &Value) -> Result<Self, Misfit> {
        match value {
            Value::Number(n) => n
                .as_i64()
                .ok_or_else(|| Misfit::wrong("must be a whole number that fits into 64 bits")),
            other => Err(Misfit::expected("a number", other)),
        }
    }

    fn to_value(&self) -> Value {
        Value::int(*self)
    }
}

impl Typed for f64 {
    fn shape() -> Shape {
        Shape::Plain(Type::Number)
    }

    fn from_value(value: &Value) -> Result<Self, Misfit> {
        match value {
            Value::Number(n) => Ok(n.as_f64()),
            other => Err(Misfit::expected("a number", other)),
        }
    }

    fn to_value(&self) -> Value {
        // MessagePack has NaN, Terraform has not.
        if self.is_nan() {
            return Value::Null;
        }
        Value::Number(Number::Float(*self))
    }
}

impl Typed for Number {
    fn shape() -> Shape {
        Shape::Plain(Type::Number)
    }

    fn from_value(value: &Value) -> Result<Self, Misfit> {
        match value {
            Value::Number(n) => Ok(n.clone()),
            other => Err(Misfit::expected("a number", other)),
        }
    }

    fn to_value(&self) -> Value {
        Value::Number(self.clone())
    }
}

impl Typed for Dynamic {
    fn shape() -> Shape {
        Shape::Plain(Type::Dynamic)
    }

    fn from_value(value: &Value) -> Result<Self, Misfit> {
        match value {
            Value::Dynamic(ty, value) if !value.is_null() && !value.is_unknown() => Ok(Self {
                ty: (**ty).clone(),
                value: (**value).clone(),
            }),
            other => Err(Misfit::expected("a value with its type", other)),
        }
    }

    fn to_value(&self) -> Value {
        Value::Dynamic(Box::new(self.ty.clone()), Box::new(self.value.clone()))
    }
}

impl<T: Typed> Typed for Vec<T> {
    fn shape() -> Shape {
        T::shape().collected(Nesting::List, Type::List)
    }

    fn from_value(value: &Value) -> Result<Self, Misfit> {
        match value {
            Value::List(items) => elements(items),
            other => Err(Misfit::expected("a list", other)),
        }
    }

    fn to_value(&self) -> Value {
        Value::List(self.iter().map(T::to_value).collect())
    }
}

/// Elements without order, each of them once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set<T>(pub Vec<T>);

impl<T: Typed> Typed for Set<T> {
    fn shape() -> Shape {
        T::shape().collected(Nesting::Set, Type::Set)
    }

    fn from_value(value: &Value) -> Result<Self, Misfit> {
        match value {
            Value::Set(items) => elements(items).map(Set),
            other => Err(Misfit::expected("a set", other)),
        }
    }

    fn to_value(&self) -> Value {
        Value::Set(self.0.iter().map(T::to_value).collect())
    }
}

impl<T: Typed> Typed for BTreeMap<String, T> {
    fn shape() -> Shape {
        T::shape().collected(Nesting::Map, Type::Map)
    }

    fn from_value(value: &Value) -> Result<Self, Misfit> {
        match value {
            Value::Map(fields) => {
                let mut out = Self::new();
                let mut faults = Faults::default();
                for (key, value) in fields {
                    if let Some(value) = faults.see(Step::Key(key.clone()), T::from_value(value)) {
                        out.insert(key.clone(), value);
                    }
                }
                faults.or(out)
            }
            other => Err(Misfit::expected("a map", other)),
        }
    }

    fn to_value(&self) -> Value {
        Value::object(self.iter().map(|(k, v)| (k.clone(), v.to_value())))
    }
}

fn elements<T: Typed>(items: &[Value]) -> Result<Vec<T>, Misfit> {
    let mut out = Vec::with_capacity(items.len());
    let mut faults = Faults::default();
    for (i, value) in items.iter().enumerate() {
        out.extend(faults.see(Step::from(i), T::from_value(value)));
    }
    faults.or(out)
}

/// All that is wrong in a collection; what is wrong outranks what is unknown.
#[derive(Default)]
struct Faults {
    unknown: bool,
    wrong: Vec<(Path, String)>,
}

impl Faults {
    fn see<T>(&mut self, step: Step, result: Result<T, Misfit>) -> Option<T> {
        match result.map_err(|m| m.under(&step)) {
            Ok(value) => return Some(value),
            Err(Misfit::Unknown) => self.unknown = true,
            Err(Misfit::Wrong(all)) => self.wrong.extend(all),
        }
        None
    }

    fn or<T>(self, value: T) -> Result<T, Misfit> {
        match self {
            Self { wrong, .. } if !wrong.is_empty() => Err(Misfit::Wrong(wrong)),
            Self { unknown: true, .. } => Err(Misfit::Unknown),
            _ => Ok(value),
        }
    }
}
