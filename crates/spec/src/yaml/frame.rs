//! Collections that are being read.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::compose::MAX_NODES;
use super::{Item, Node, Pair, Spot, Value};
use crate::fault::{Fault, quoted};

/// A collection whose end has not come.
pub(super) struct Frame {
    pub(super) spot: Spot,
    pub(super) anchor: usize,
    pub(super) flow: bool,
    pub(super) content: Content,
}

pub(super) enum Content {
    List(Vec<Item>),
    Map {
        pairs: Vec<Pair>,
        keys: Keys,
        merges: Vec<Item>,
        /// The key that waits for its value.
        key: Option<Key>,
    },
}

impl Content {
    pub(super) fn map() -> Self {
        Self::Map {
            pairs: Vec::new(),
            keys: Keys::new(),
            merges: Vec::new(),
            key: None,
        }
    }
}

/// Where each key of a mapping was first seen.
pub(super) type Keys = BTreeMap<Rc<str>, Spot>;

pub(super) enum Key {
    Text(Rc<str>, Spot),
    Merge,
    /// Reported already; its value is dropped.
    Broken,
}

impl Key {
    pub(super) fn read(item: &Item, merge: bool, keys: &mut Keys) -> Result<Self, Box<Fault>> {
        let text = match &item.node.value {
            Value::Text(text) => Rc::<str>::from(text.as_str()),
            Value::Broken => return Ok(Self::Broken),
            other => {
                let message = format!("a key must be a string, this is {}", other.kind());
                return Err(Box::new(Fault::new("", message).help("quote it")));
            }
        };
        if let Some(first) = keys.get(&text) {
            let (text, line) = (quoted(&text), first.line);
            let fault = Fault::new(
                "",
                format!("duplicate key {text}, first given in line {line}"),
            );
            return Err(Box::new(fault.help(match merge {
                true => "give `<<` once, with a list of aliases",
                false => "remove one of the two",
            })));
        }
        keys.insert(Rc::clone(&text), item.spot);
        Ok(if merge {
            Self::Merge
        } else {
            Self::Text(text, item.spot)
        })
    }
}

/// Adds the pairs of a merged mapping, or of a list of them, that are not given yet. `false` when
/// it is something else. Counts the pairs into `nodes` and stops at the limit.
pub(super) fn merge(
    item: &Item,
    pairs: &mut Vec<Pair>,
    keys: &mut Keys,
    nodes: &mut usize,
) -> bool {
    let mut add = |node: &Node| match &node.value {
        Value::Map(merged) => {
            for pair in merged {
                *nodes += 1;
                if *nodes > MAX_NODES {
                    break;
                }
                if !keys.contains_key(&pair.key) {
                    keys.insert(Rc::clone(&pair.key), pair.spot);
                    pairs.push(pair.clone());
                }
            }
            true
        }
        Value::Broken => true,
        _ => false,
    };
    match &item.node.value {
        Value::List(items) => items.iter().all(|item| add(&item.node)),
        _ => add(&item.node),
    }
}
