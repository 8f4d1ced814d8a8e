//! One attribute of a schema.

use super::convert::Typed;
use super::flags::Flags;
use super::object_type;
use crate::value::Type;

/// An attribute: its name, what it holds, and how it behaves.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// As users write it.
    pub name: String,
    /// In Markdown.
    pub description: String,
    /// What it holds.
    pub shape: Shape,
    /// How it behaves.
    pub flags: Flags,
}

/// What an attribute holds.
#[derive(Clone, Debug)]
pub enum Shape {
    /// A value of a type.
    Plain(Type),
    /// An object, or several, with attributes that have flags of their own.
    Nested(Nesting, Vec<Attribute>),
}

/// How nested objects are held together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nesting {
    /// One object.
    Single,
    /// Objects in order.
    List,
    /// Objects without order.
    Set,
    /// Objects by key.
    Map,
}

impl Shape {
    /// The type of its values.
    pub fn ty(&self) -> Type {
        match self {
            Self::Plain(ty) => ty.clone(),
            Self::Nested(nesting, attributes) => {
                let object = Box::new(object_type(attributes));
                match nesting {
                    Nesting::Single => *object,
                    Nesting::List => Type::List(object),
                    Nesting::Set => Type::Set(object),
                    Nesting::Map => Type::Map(object),
                }
            }
        }
    }

    /// A collection of what this shape holds; `wrap` is the same for a type.
    pub(super) fn collected(self, nesting: Nesting, wrap: fn(Box<Type>) -> Type) -> Self {
        match self {
            Self::Nested(Nesting::Single, attributes) => Self::Nested(nesting, attributes),
            other => Self::Plain(wrap(Box::new(other.ty()))),
        }
    }
}

impl Attribute {
    /// An attribute that holds a `T`.
    pub fn new<T: Typed>(name: &str, description: String, flags: Flags) -> Self {
        Self {
            // A raw identifier is a keyword in Rust alone.
            name: name.strip_prefix("r#").unwrap_or(name).to_owned(),
            description,
            shape: T::shape(),
            flags,
        }
    }

    /// The type of its values.
    pub fn ty(&self) -> Type {
        self.shape.ty()
    }

    /// True if it, or an attribute in it, is write-only.
    pub fn has_write_only(&self) -> bool {
        self.flags.write_only
            || match &self.shape {
                Shape::Plain(_) => false,
                Shape::Nested(_, attributes) => attributes.iter().any(Self::has_write_only),
            }
    }
}
