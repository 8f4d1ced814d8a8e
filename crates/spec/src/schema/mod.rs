//! LinuxKit's schema as a table, and the walk that holds a document against it.
//!
//! The table ([`spec`], [`container`], [`resources`]) says which keys exist, what they take and
//! which must be there. Everything is strict: unknown keys, nulls and wrong scalar types are
//! faults at every level.

mod container;
mod resources;
mod spec;
mod translate;
mod walk;

pub(crate) use container::LABEL;
pub(crate) use spec::SPEC;
pub(crate) use translate::{
    resources as translate_resources, resources_back as untranslate_resources,
};
pub(crate) use walk::{Walk, Walked};

/// The largest integer that canonical JSON (RFC 8785) keeps exactly.
pub(crate) const MAX_EXACT: i64 = (1 << 53) - 1;

/// What a value must be.
#[derive(Debug)]
pub(crate) enum Shape {
    /// A string.
    Text,
    /// One of these strings.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Bool,
    /// An integer from the first to the last number.
    Int(i64, i64),
    /// A user or group: an integer or a string.
    Id,
    /// A list of one shape.
    List(&'static Shape),
    /// A mapping of free keys to strings.
    Texts,
    /// A mapping of known keys.
    Object(&'static Object),
}

/// A mapping of known keys.
#[derive(Debug)]
pub(crate) struct Object {
    /// How messages call it, as in "unknown key … in a container".
    pub(crate) title: &'static str,
    keys: &'static [Key],
    /// Keys shared with another object.
    more: &'static [Key],
}

impl Object {
    const fn new(title: &'static str, keys: &'static [Key]) -> Self {
        Self {
            title,
            keys,
            more: &[],
        }
    }

    /// All keys, in the order of the table.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static Key> {
        self.keys.iter().chain(self.more)
    }
}

/// A key of an [`Object`].
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) need: Need,
}

/// Whether a key must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// May be absent.
    Optional,
    /// Its absence is a fault.
    Required,
    /// Absent is the same as the empty string.
    Filled,
}

const fn key(name: &'static str, shape: Shape) -> Key {
    Key {
        name,
        shape,
        need: Need::Optional,
    }
}

const fn required(name: &'static str, shape: Shape) -> Key {
    Key {
        name,
        shape,
        need: Need::Required,
    }
}

const fn filled(name: &'static str) -> Key {
    Key {
        name,
        shape: Shape::Text,
        need: Need::Filled,
    }
}

/// A list of strings.
const TEXTS: Shape = Shape::List(&Shape::Text);
/// Any integer that can be kept exactly.
const INT: Shape = Shape::Int(-MAX_EXACT, MAX_EXACT);
/// The same without negative numbers.
const UINT: Shape = Shape::Int(0, MAX_EXACT);
const U32: Shape = Shape::Int(0, u32::MAX as i64);
const U16: Shape = Shape::Int(0, u16::MAX as i64);
