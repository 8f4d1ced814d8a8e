//! One declaration for a struct, its schema, its documentation and its
//! conversions.

use std::fmt;

use super::attribute::Attribute;
use super::convert::{Misfit, Typed};
use super::flags::Flags;
use super::val::Val;
use crate::diag::Step;
use crate::value::Value;

/// A struct of attributes, made by [`model!`](crate::model!).
pub trait Model: Typed + Default + fmt::Debug {
    /// In Markdown.
    fn description() -> String;

    /// In the order of declaration.
    fn attributes() -> Vec<Attribute>;
}

/// No attributes: for a provider without configuration.
impl Typed for () {
    fn shape() -> super::Shape {
        super::Shape::Nested(super::Nesting::Single, Vec::new())
    }

    fn from_value(_: &Value) -> Result<Self, Misfit> {
        Ok(())
    }

    fn to_value(&self) -> Value {
        Value::Map(std::collections::BTreeMap::new())
    }
}

impl Model for () {
    fn description() -> String {
        String::new()
    }

    fn attributes() -> Vec<Attribute> {
        Vec::new()
    }
}

/// Doc comment lines as text: each loses the space after `///`.
#[doc(hidden)]
pub fn documentation(lines: &[&str]) -> String {
    let lines: Vec<&str> = lines
        .iter()
        .map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end())
        .collect();
    lines.join("\n").trim().to_owned()
}

/// One field out of an object; faults are collected.
#[doc(hidden)]
pub fn field<T: Typed>(value: &Value, name: &str, faults: &mut Vec<Misfit>) -> Val<T> {
    let name = name.strip_prefix("r#").unwrap_or(name);
    Val::from_value(value.get(name)).unwrap_or_else(|fault| {
        faults.push(fault.under(&Step::Attribute(name.to_owned())));
        Val::Null
    })
}

/// All faults as one.
#[doc(hidden)]
pub fn merge_faults(faults: Vec<Misfit>) -> Result<(), Misfit> {
    if faults.is_empty() {
        return Ok(());
    }
    let all = faults.into_iter().flat_map(|fault| match fault {
        Misfit::Wrong(all) => all,
        Misfit::Unknown => Vec::new(),
    });
    Err(Misfit::Wrong(all.collect()))
}

/// A field for `Debug`, hidden if it is a secret.
#[doc(hidden)]
pub fn debug_field(
    out: &mut fmt::DebugStruct<'_, '_>,
    name: &str,
    flags: &Flags,
    value: &dyn fmt::Debug,
) {
    if flags.is_secret() {
        out.field(name, &format_args!("(sensitive)"));
    } else {
        out.field(name, value);
    }
}

/// Declares a model: a struct whose fields are attributes.
///
/// Each field is `name: Type = flags`, where `Type` is a
/// [`Typed`](crate::schema::Typed) type and `flags` start with `required()`,
/// `optional()`, `computed()` or `optional_computed()`
/// ([`flags`](crate::schema::flags)). The field's type in Rust is
/// [`Val<Type>`](crate::Val). Doc comments are the descriptions users read, in
/// Markdown. `Debug` hides sensitive and write-only values.
///
/// ```
/// tfplugin::model! {
///     /// A file on this machine.
///     pub struct File {
///         /// Where it is written.
///         path: String = required().replace(),
///         /// What is in it.
///         content: String = optional().default_str(""),
///         /// Its SHA-256.
///         digest: String = computed(),
///     }
/// }
/// let file = File { path: "a".into(), ..File::default() };
/// assert!(file.digest.is_null());
/// ```
#[macro_export]
macro_rules! model {
    ($(
        $(#[doc = $doc:expr])*
        $vis:vis struct $name:ident {
            $( $(#[doc = $field_doc:expr])* $field:ident : $ty:ty = $flags:expr ),* $(,)?
        }
    )+) => { $(
        $(#[doc = $doc])*
        #[derive(Clone, PartialEq)]
        $vis struct $name {
            $( $(#[doc = $field_doc])* pub $field: $crate::Val<$ty>, )*
        }

        impl ::std::default::Default for $name {
            fn default() -> Self {
                Self { $( $field: $crate::Val::Null, )* }
            }
        }

        impl ::std::fmt::Debug for $name {
            #[allow(unused_imports, clippy::allow_attributes)]
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                use $crate::schema::flags::*;
                let mut out = f.debug_struct(::std::stringify!($name));
                $( $crate::schema::debug_field(&mut out, ::std::stringify!($field), &$flags, &self.$field); )*
                out.finish()
            }
        }

        impl $crate::schema::Model for $name {
            fn description() -> ::std::string::String {
                $crate::schema::documentation(&[$($doc),*])
            }

            #[allow(unused_imports, clippy::allow_attributes)]
            fn attributes() -> ::std::vec::Vec<$crate::schema::Attribute> {
                use $crate::schema::flags::*;
                ::std::vec![ $( $crate::schema::Attribute::new::<$ty>(
                    ::std::stringify!($field),
                    $crate::schema::documentation(&[$($field_doc),*]),
                    $flags,
                ) ),* ]
            }
        }

        impl $crate::schema::Typed for $name {
            fn shape() -> $crate::schema::Shape {
                $crate::schema::Shape::Nested(
                    $crate::schema::Nesting::Single,
                    <Self as $crate::schema::Model>::attributes(),
                )
            }

            fn from_value(
                value: &$crate::Value,
            ) -> ::std::result::Result<Self, $crate::schema::Misfit> {
                if value.is_unknown() {
                    return ::std::result::Result::Err($crate::schema::Misfit::Unknown);
                }
                if value.is_null() {
                    return ::std::result::Result::Err(
                        $crate::schema::Misfit::wrong("must not be null"),
                    );
                }
                let mut faults = ::std::vec::Vec::new();
                let out = Self {
                    $( $field: $crate::schema::field(value, ::std::stringify!($field), &mut faults), )*
                };
                $crate::schema::merge_faults(faults)?;
                ::std::result::Result::Ok(out)
            }

            fn to_value(&self) -> $crate::Value {
                $crate::Value::object([
                    $( (
                        ::std::stringify!($field).trim_start_matches("r#"),
                        $crate::schema::Typed::to_value(&self.$field),
                    ) ),*
                ] as [(&str, $crate::Value); [$(::std::stringify!($field)),*].len()])
            }
        }
    )+ };
}
