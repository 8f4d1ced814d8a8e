//! Values in Rust: known, unknown or null.

use crate::diag::{Diagnostic, Diagnostics, Path};
use crate::value::{Type, Value};

/// An attribute's value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Val<T> {
    /// There is none.
    #[default]
    Null,
    /// There will be one, or null, once Terraform applies.
    Unknown,
    /// This one.
    Known(T),
}

impl<T> Val<T> {
    /// The value, if it is known and not null.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Null | Self::Unknown => None,
        }
    }

    /// Likewise, by value.
    pub fn into_known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Null | Self::Unknown => None,
        }
    }

    /// True for null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// True if it is not known yet.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// True if it is known and not null.
    pub fn is_known(&self) -> bool {
        matches!(self, Self::Known(_))
    }

    /// The same with another type of value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Val<U> {
        match self {
            Self::Null => Val::Null,
            Self::Unknown => Val::Unknown,
            Self::Known(value) => Val::Known(f(value)),
        }
    }

    /// The value, where it can only be known: in apply.
    ///
    /// # Errors
    /// If it is null or unknown, at `path`.
    pub fn require(&self, path: Path) -> Result<&T, Diagnostics> {
        self.known().ok_or_else(|| {
            Diagnostic::error(
                "Missing value",
                "A value is needed here, but it is null or not known yet.",
            )
            .at(path)
            .into()
        })
    }
}

impl<T> From<T> for Val<T> {
    fn from(value: T) -> Self {
        Self::Known(value)
    }
}

impl From<&str> for Val<String> {
    fn from(value: &str) -> Self {
        Self::Known(value.to_owned())
    }
}

impl<T> From<Option<T>> for Val<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::Known)
    }
}

/// A value that brings its type along; parts of it may be null or unknown.
#[derive(Clone, Debug, PartialEq)]
pub struct Dynamic {
    /// The value's type.
    pub ty: Type,
    /// The value.
    pub value: Value,
}

impl Dynamic {
    /// A text.
    pub fn string(text: impl Into<String>) -> Self {
        Self {
            ty: Type::String,
            value: Value::string(text),
        }
    }

    /// The elements of a list or a tuple (a set has no order, so it is none).
    pub fn elements(&self) -> Option<&[Value]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }
}
