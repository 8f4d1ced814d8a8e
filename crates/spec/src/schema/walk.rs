//! Holds a tree against the schema and turns it into plain JSON, finding every fault on the way.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::resources::RESOURCES;
use super::{Key, LABEL, Need, Object, SPEC, Shape, translate_resources};
use crate::fault::{Fault, Faults, quoted};
use crate::parse::{Location, Locations};
use crate::suggest::nearest;
use crate::yaml::{Item, Pair, Source, Spot, Value};

/// What a walk leaves.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    pub(crate) locations: Locations,
    /// Paths whose values were faulty and so are missing or empty in the JSON.
    pub(crate) broken: BTreeSet<String>,
    pub(crate) faults: Faults,
}

/// A walk over one document.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    source: &'a Source<'a>,
    document: usize,
    /// How many entries earlier documents gave to each top-level list.
    bases: &'a BTreeMap<String, usize>,
    path: String,
    out: &'a mut Walked,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(
        source: &'a Source<'a>,
        document: usize,
        bases: &'a BTreeMap<String, usize>,
        out: &'a mut Walked,
    ) -> Self {
        Self {
            source,
            document,
            bases,
            path: String::new(),
            out,
        }
    }

    /// The document as JSON; faulty members are left out, missing texts are empty.
    pub(crate) fn document(mut self, item: &Item, object: &'static Object) -> Map<String, Json> {
        self.locate(item.spot, item.length);
        match &item.node.value {
            Value::Null if std::ptr::eq(object, &SPEC) => Map::new(),
            Value::Map(pairs) => self.object(item, pairs, object),
            Value::Broken => Map::new(),
            other => {
                let message = format!(
                    "{} must be a mapping, this is {}",
                    object.title,
                    other.kind()
                );
                self.fault(item, Fault::new("", message));
                Map::new()
            }
        }
    }

    fn locate(&mut self, spot: Spot, length: usize) {
        let location = Location {
            document: self.document,
            line: spot.line,
            column: spot.column,
            length,
        };
        self.out.locations.insert(self.path.clone(), location);
    }

    fn fault(&mut self, item: &Item, fault: Fault) {
        self.fault_at(item.spot, item.length, || fault);
    }

    fn fault_at(&mut self, spot: Spot, length: usize, fault: impl FnOnce() -> Fault) {
        let path = self.path.clone();
        self.out.broken.insert(path.clone());
        let place = || self.source.place(spot, length);
        let fault = || Fault { path, ..fault() };
        self.out.faults.push_at(fault, place);
    }

    /// Runs `f` with the path one step longer.
    fn within<T>(&mut self, step: &str, f: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        if !step.starts_with('[') && length > 0 {
            self.path.push('.');
        }
        self.path.push_str(step);
        let result = f(self);
        self.path.truncate(length);
        result
    }

    fn object(
        &mut self,
        item: &Item,
        pairs: &[Pair],
        object: &'static Object,
    ) -> Map<String, Json> {
        let mut map = Map::new();
        for pair in pairs {
            self.within(&pair.key, |walk| {
                match object.keys().find(|key| key.name == &*pair.key) {
                    Some(key) => {
                        walk.locate(pair.item.spot, pair.item.length);
                        let value = walk.value(&pair.item, &key.shape, key.name);
                        if let (Value::Bytes(packed), "contents") =
                            (&pair.item.node.value, key.name)
                        {
                            // The only place for bytes that are no text.
                            let packed = Json::String(packed.clone());
                            map.insert("contents_base64".to_owned(), packed);
                        } else if let Some(value) = value {
                            map.insert(key.name.to_owned(), value);
                        }
                    }
                    // LinuxKit looks at the two only when they say something.
                    None if std::ptr::eq(object, &LABEL)
                        && matches!(&*pair.key, "name" | "image")
                        && matches!(&pair.item.node.value, Value::Text(text) if text.is_empty()) => {}
                    None => {
                        let length = pair.key.chars().count();
                        walk.fault_at(pair.spot, length, || unknown_key(&pair.key, object));
                    }
                }
            });
        }
        self.complete(item, object, &mut map);
        map
    }

    /// Sees to the keys that must be there.
    fn complete(&mut self, item: &Item, object: &'static Object, map: &mut Map<String, Json>) {
        for key in object.keys() {
            if key.need == Need::Optional || map.contains_key(key.name) {
                continue;
            }
            map.insert(key.name.to_owned(), Json::String(String::new()));
            if key.need == Need::Required {
                self.within(key.name, |walk| {
                    // A value of the wrong type was reported already.
                    if !walk.out.broken.contains(&walk.path) {
                        let message = format!("{} needs the key `{}`", object.title, key.name);
                        walk.fault(item, Fault::new("", message));
                    }
                });
            }
        }
    }

    fn value(&mut self, item: &Item, shape: &'static Shape, key: &str) -> Option<Json> {
        match (shape, &item.node.value) {
            (_, Value::Broken) => {
                self.out.broken.insert(self.path.clone());
                None
            }
            (Shape::Text, Value::Text(text)) => Some(Json::String(text.clone())),
            (Shape::Text, Value::Bytes(_)) if key == "contents" => None,
            (Shape::Choice(choices), Value::Text(text)) => self.choice(item, choices, text),
            (Shape::Bool, Value::Bool(value)) => Some(Json::Bool(*value)),
            (Shape::Int(least, most), Value::Int(_) | Value::Float(_)) => {
                self.int(item, *least, *most)
            }
            (Shape::Id, Value::Text(text)) => Some(Json::String(text.clone())),
            (Shape::Id, Value::Int(_)) => self.int(item, i64::from(i32::MIN), i64::from(u32::MAX)),
            (Shape::List(inner), Value::List(items)) => Some(self.list(items, inner, key)),
            (Shape::Texts, Value::Map(pairs)) => Some(self.texts(pairs)),
            (Shape::Object(object), Value::Map(pairs)) => {
                let mut map = self.object(item, pairs, object);
                if std::ptr::eq(*object, &RESOURCES) {
                    self.translate(item, &mut map);
                }
                Some(Json::Object(map))
            }
            (wanted, found) => {
                self.fault_at(item.spot, item.length, || wrong_type(wanted, found, key));
                None
            }
        }
    }

    fn choice(&mut self, item: &Item, choices: &[&'static str], text: &str) -> Option<Json> {
        if choices.contains(&text) {
            return Some(Json::String(text.to_owned()));
        }
        let fault = Fault::new(
            "",
            format!("{} is not one of: {}", quoted(text), choices.join(", ")),
        );
        let fault = match nearest(text, choices.iter().copied()) {
            Some(near) => fault.help(format!("did you mean `{near}`?")),
            None => fault,
        };
        self.fault(item, fault);
        None
    }

    fn int(&mut self, item: &Item, least: i64, most: i64) -> Option<Json> {
        let value = match item.node.value {
            Value::Int(value) => value,
            // LinuxKit takes `1e9` where an integer is wanted.
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the cast saturates and the range is checked"
            )]
            Value::Float(value) if value.fract() == 0.0 => value as i128,
            _ => {
                self.fault(
                    item,
                    Fault::new("", "an integer is wanted, this is a number with a fraction"),
                );
                return None;
            }
        };
        match i64::try_from(value) {
            Ok(value) if (least..=most).contains(&value) => Some(Json::from(value)),
            _ => {
                self.fault(
                    item,
                    Fault::new("", format!("{value} is not between {least} and {most}")),
                );
                None
            }
        }
    }

    fn list(&mut self, items: &[Item], inner: &'static Shape, key: &str) -> Json {
        // Only top-level lists are continued by the next document.
        let base = self.bases.get(&self.path).copied().unwrap_or(0);
        let values = items.iter().enumerate().map(|(index, item)| {
            self.within(&format!("[{}]", base + index), |walk| {
                walk.locate(item.spot, item.length);
                // A faulty entry keeps its place, else all later ones would be misnumbered.
                walk.value(item, inner, key)
                    .unwrap_or_else(|| placeholder(inner))
            })
        });
        Json::Array(values.collect())
    }

    fn texts(&mut self, pairs: &[Pair]) -> Json {
        let mut map = Map::new();
        for pair in pairs {
            self.within(&pair.key, |walk| {
                walk.locate(pair.item.spot, pair.item.length);
                if let Some(value) = walk.value(&pair.item, &Shape::Text, &pair.key) {
                    map.insert(pair.key.to_string(), value);
                }
            });
        }
        Json::Object(map)
    }

    fn translate(&mut self, item: &Item, map: &mut Map<String, Json>) {
        if let Err(index) = translate_resources(map) {
            self.within(&format!("hugepageLimits[{index}].pageSize"), |walk| {
                let location = walk.out.locations.get(&walk.path);
                let (spot, length) = location.map_or((item.spot, item.length), |location| {
                    (
                        Spot {
                            line: location.line,
                            column: location.column,
                        },
                        location.length,
                    )
                });
                let fault = Fault::new("", "the page size must be a whole number of KiB, in bytes")
                    .help("for 2 MiB pages write 2097152");
                walk.fault_at(spot, length, || fault);
            });
            map.remove("hugepageLimits");
        }
    }
}

/// What stands in a list for an entry that could not be read.
fn placeholder(shape: &'static Shape) -> Json {
    match shape {
        Shape::Object(object) => object
            .keys()
            .filter(|key| key.need != Need::Optional)
            .map(|key| (key.name.to_owned(), Json::String(String::new())))
            .collect::<Map<_, _>>()
            .into(),
        Shape::Int(least, _) => Json::from(*least),
        Shape::Bool => Json::Bool(false),
        Shape::List(_) => Json::Array(Vec::new()),
        Shape::Texts => Json::Object(Map::new()),
        Shape::Text | Shape::Choice(_) | Shape::Id => Json::String(String::new()),
    }
}

fn unknown_key(name: &str, object: &'static Object) -> Fault {
    let fault = Fault::new(
        "",
        format!("unknown key {} in {}", quoted(name), object.title),
    );
    if let Some(near) = nearest(name, object.keys().map(|key| key.name)) {
        return fault.help(format!("did you mean `{near}`?"));
    }
    if std::ptr::eq(object, &LABEL) && matches!(name, "name" | "image") {
        return fault
            .help("a label gives defaults for a container; its name and image come from the spec");
    }
    let mut owners = Vec::new();
    owners_of(name, &SPEC, &mut owners);
    if let Some(owner) = owners.iter().find(|owner| **owner != object.title) {
        return fault.help(format!(
            "the key belongs into {owner}; check the indentation"
        ));
    }
    let known: Vec<&str> = object.keys().map(|key| key.name).collect();
    fault.help(format!("known keys: {}", known.join(", ")))
}

/// The objects of the schema that have a key.
fn owners_of(name: &str, object: &'static Object, owners: &mut Vec<&'static str>) {
    if object.keys().any(|key| key.name == name) {
        owners.push(object.title);
    }
    for Key { shape, .. } in object.keys() {
        let mut shape = shape;
        while let Shape::List(inner) = shape {
            shape = inner;
        }
        if let Shape::Object(inner) = shape {
            owners_of(name, inner, owners);
        }
    }
}

fn wrong_type(wanted: &Shape, found: &Value, key: &str) -> Fault {
    let name = match wanted {
        Shape::Text | Shape::Choice(_) => "a string",
        Shape::Bool => "`true` or `false`",
        Shape::Int(..) => "an integer",
        Shape::Id => "an integer or a string",
        Shape::List(_) => "a list",
        Shape::Texts | Shape::Object(_) => "a mapping",
    };
    let fault = Fault::new(
        "",
        format!("`{key}` wants {name} here, this is {}", found.kind()),
    );
    match (wanted, found) {
        (Shape::Texts | Shape::Object(_) | Shape::List(_), Value::Null) => {
            fault.help("give it a value or remove the key")
        }
        (Shape::Text, Value::Null) => {
            fault.help("for an empty string write `\"\"`, else remove the key")
        }
        (Shape::Text, Value::Int(_) | Value::Float(_) | Value::Bool(_)) => {
            fault.help("put it in quotes")
        }
        (Shape::Bool, Value::Text(text)) => match text.as_str() {
            "true" | "false" => fault.help("remove the quotes"),
            "yes" | "y" | "on" => fault.help("YAML 1.2 says `true`"),
            "no" | "n" | "off" => fault.help("YAML 1.2 says `false`"),
            _ => fault,
        },
        (Shape::Int(..), Value::Text(text)) if text.parse::<i64>().is_ok() => {
            fault.help("remove the quotes")
        }
        (Shape::List(_), Value::Map(_)) if key == "env" => {
            fault.help("write a list of `NAME=VALUE`")
        }
        (Shape::List(Shape::Text), Value::Text(_)) => {
            fault.help("write a list: `[\"…\"]`, or one `- …` per line")
        }
        _ => fault,
    }
}
