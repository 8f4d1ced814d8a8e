//! A YAML document as a tree of values with their places.
//!
//! Built from the parser's events rather than through serde, because a serde deserializer stops at
//! the first fault and forgets how a scalar was written. Here one pass keeps every place, every
//! duplicate key and every unknown alias, and plain and quoted scalars stay apart.

mod compose;
mod frame;
mod scalar;
mod source;
mod strict;

use std::rc::Rc;

use serde_saphyr::granit_parser::Marker;

pub(crate) use compose::compose;
pub(crate) use scalar::is_plain_to_go;
pub(crate) use source::Source;

/// Line and column, both from 1, the column in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spot {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Spot {
    /// Where a text begins.
    pub(crate) const START: Self = Self { line: 1, column: 1 };

    fn new(marker: &Marker) -> Self {
        Self {
            line: marker.line(),
            column: marker.col() + 1,
        }
    }
}

/// A value.
#[derive(Debug)]
pub(crate) enum Value {
    /// Absent, `~` or `null`.
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    /// `!!binary` that is no UTF-8, in base64.
    Bytes(String),
    List(Vec<Item>),
    Map(Vec<Pair>),
    /// Stands where a fault was reported already.
    Broken,
}

impl Value {
    /// What messages call it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "an integer",
            Self::Float(_) => "a number",
            Self::Text(_) => "a string",
            Self::Bytes(_) => "bytes that are not UTF-8",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
            Self::Broken => "broken",
        }
    }
}

/// A value and what it costs to write it out with all its aliases expanded.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    nodes: usize,
    bytes: usize,
    depth: usize,
}

impl Node {
    /// A value with what it costs.
    fn around(value: Value) -> Self {
        let (mut nodes, mut bytes, mut depth) = (1_usize, 0_usize, 0_usize);
        let mut count = |node: &Self, key: usize| {
            nodes = nodes.saturating_add(node.nodes);
            bytes = bytes.saturating_add(node.bytes).saturating_add(key);
            depth = depth.max(node.depth);
        };
        match &value {
            Value::List(items) => items.iter().for_each(|item| count(&item.node, 0)),
            Value::Map(pairs) => pairs
                .iter()
                .for_each(|pair| count(&pair.item.node, pair.key.len())),
            _ => {}
        }
        Self {
            value,
            nodes,
            bytes,
            depth: depth + 1,
        }
    }
}

/// A value where it is used: for an alias, the place of the alias.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) spot: Spot,
    /// Characters on the line that a caret should underline.
    pub(crate) length: usize,
    pub(crate) node: Rc<Node>,
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) key: Rc<str>,
    pub(crate) spot: Spot,
    pub(crate) item: Item,
}

/// A comment's text after `#`.
#[derive(Clone, Debug)]
pub(crate) struct Comment {
    pub(crate) line: usize,
    pub(crate) text: String,
}
