//! Values in JSON, driven by their type: the text of a state file.
//!
//! An earlier version of the provider may have written it, so what an object's
//! type doesn't know is dropped and what is missing is null. Numbers keep all
//! their digits. A dynamic value is `{"value": …, "type": …}`.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::{MAX_DEPTH, MAX_NODES, Number, Type, Value};
use crate::diag::{Path, Step};

/// JSON that isn't a value of its type.
#[derive(Debug, thiserror::Error)]
#[error("{}{message}", if path.is_root() { String::new() } else { format!("{path}: ") })]
pub struct JsonError {
    path: Path,
    message: String,
}

/// Decodes one value of type `ty`.
///
/// # Errors
/// If the text isn't JSON, holds another kind of value than `ty` asks for, or
/// exceeds [`MAX_DEPTH`] or [`MAX_NODES`].
pub fn decode(ty: &Type, text: &[u8]) -> Result<Value, JsonError> {
    let mut decoder = Decoder {
        path: Path::root(),
        depth: 0,
        nodes: 0,
    };
    let result = std::str::from_utf8(text)
        .map_err(|_| "the state is not UTF-8".to_owned())
        .and_then(|text| serde_json::from_str(text).map_err(|e| e.to_string()))
        .and_then(|raw| decoder.value(ty, raw));
    result.map_err(|message| JsonError {
        path: decoder.path,
        message,
    })
}

/// The fields of a JSON object, each still text.
///
/// # Errors
/// If the text isn't a JSON object.
pub fn fields(text: &[u8]) -> Result<BTreeMap<String, Box<RawValue>>, serde_json::Error> {
    serde_json::from_slice(text)
}

struct Decoder {
    path: Path,
    depth: usize,
    nodes: usize,
}

impl Decoder {
    fn value(&mut self, ty: &Type, raw: &RawValue) -> Result<Value, String> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(format!("the value has more than {MAX_NODES} parts"));
        }
        let text = raw.get();
        if text == "null" {
            return Ok(Value::Null);
        }
        let first = text.as_bytes().first().copied().unwrap_or(b' ');
        match (ty, first) {
            (Type::Bool, b't') => Ok(Value::Bool(true)),
            (Type::Bool, b'f') => Ok(Value::Bool(false)),
            (Type::String, b'"') => parse(text).map(Value::String),
            (Type::Number, b'-' | b'0'..=b'9') => number(text),
            // How a number is written that JSON's readers would round.
            (Type::Number, b'"') => number(&parse::<String>(text)?),
            (Type::List(of), b'[') => self.elements(parse(text)?, |_| of).map(Value::List),
            (Type::Set(of), b'[') => self.elements(parse(text)?, |_| of).map(Value::Set),
            (Type::Tuple(of), b'[') => {
                let items: Vec<&RawValue> = parse(text)?;
                if items.len() != of.len() {
                    let (want, got) = (of.len(), items.len());
                    return Err(format!("expected {want} elements, found {got}"));
                }
                self.elements(items, |i| &of[i]).map(Value::List)
            }
            (Type::Map(of), b'{') => {
                let mut out = BTreeMap::new();
                for (key, raw) in parse::<BTreeMap<String, &RawValue>>(text)? {
                    let value = self.nested(Step::Key(key.clone()), of, raw)?;
                    out.insert(key, value);
                }
                Ok(Value::Map(out))
            }
            (Type::Object(of), b'{') => {
                let fields: BTreeMap<String, &RawValue> = parse(text)?;
                let mut out = BTreeMap::new();
                for (name, ty) in of {
                    let value = match fields.get(name) {
                        Some(raw) => self.nested(Step::Attribute(name.clone()), ty, raw)?,
                        None => Value::Null,
                    };
                    out.insert(name.clone(), value);
                }
                Ok(Value::Map(out))
            }
            (Type::Dynamic, b'{') => {
                let mut fields: BTreeMap<String, &RawValue> = parse(text)?;
                match (fields.remove("type"), fields.remove("value")) {
                    (Some(ty), Some(raw)) => {
                        let ty = Type::from_json(ty.get().as_bytes()).map_err(|e| e.to_string())?;
                        self.enter()?;
                        let value = self.value(&ty, raw)?;
                        self.depth -= 1;
                        Ok(Value::Dynamic(Box::new(ty), Box::new(value)))
                    }
                    _ => Err("expected an object with `value` and `type`".to_owned()),
                }
            }
            (ty, _) => Err(format!("expected a value of type {ty}, found another")),
        }
    }

    fn enter(&mut self) -> Result<(), String> {
        if self.depth == MAX_DEPTH {
            return Err(format!(
                "the value is nested deeper than {MAX_DEPTH} levels"
            ));
        }
        self.depth += 1;
        Ok(())
    }

    fn nested(&mut self, step: Step, ty: &Type, raw: &RawValue) -> Result<Value, String> {
        self.path.push(step);
        self.enter()?;
        let value = self.value(ty, raw)?;
        self.depth -= 1;
        self.path.pop();
        Ok(value)
    }

    fn elements<'t>(
        &mut self,
        items: Vec<&RawValue>,
        ty: impl Fn(usize) -> &'t Type,
    ) -> Result<Vec<Value>, String> {
        let mut out = Vec::with_capacity(items.len().min(1024));
        for (i, raw) in items.into_iter().enumerate() {
            let step = Step::Index(i64::try_from(i).map_err(|e| e.to_string())?);
            out.push(self.nested(step, ty(i), raw)?);
        }
        Ok(out)
    }
}

fn parse<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|e| e.to_string())
}

fn number(text: &str) -> Result<Value, String> {
    Number::parse(text)
        .map(Value::Number)
        .ok_or_else(|| "expected a number".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(fields: &[(&str, Type)]) -> Type {
        Type::Object(
            fields
                .iter()
                .map(|(n, t)| ((*n).into(), t.clone()))
                .collect(),
        )
    }

    #[test]
    fn an_older_state() {
        let ty = object(&[
            ("big", Type::Number),
            ("any", Type::Dynamic),
            ("list", Type::List(Box::new(Type::String))),
            ("new", Type::Bool),
        ]);
        let text = br#" { "gone": {"x": [1]}, "big": 123456789012345678901234567890,
            "any": {"value": ["a", 2], "type": ["tuple", ["string", "number"]]}, "list": ["\u00e9", null] } "#;
        let value = decode(&ty, text).unwrap();
        let want = Number::Decimal("123456789012345678901234567890".into());
        assert_eq!(value.get("big"), &Value::Number(want));
        assert_eq!(value.get("new"), &Value::Null);
        assert_eq!(value.get("gone"), &Value::Null);
        assert_eq!(
            value.get("list"),
            &Value::List(vec![Value::string("é"), Value::Null])
        );
        assert_eq!(
            value.get("any"),
            &Value::Dynamic(
                Box::new(Type::Tuple(vec![Type::String, Type::Number])),
                Box::new(Value::List(vec![Value::string("a"), Value::int(2)]))
            )
        );
    }

    #[test]
    fn errors_say_where() {
        let ty = object(&[("a", Type::List(Box::new(object(&[("b", Type::Bool)]))))]);
        let error = decode(&ty, br#"{"a":[{"b":true},{"b":"yes"}]}"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a[1].b: expected a value of type bool, found another"
        );
        assert!(decode(&ty, b"{").is_err());
        assert!(decode(&ty, b"\xff").is_err());
        assert!(decode(&Type::Dynamic, br#"{"value":1}"#).is_err());
    }

    #[test]
    fn hostile_depth() {
        let text = format!("{}{}", "[".repeat(300_000), "]".repeat(300_000));
        assert!(decode(&Type::List(Box::new(Type::Bool)), text.as_bytes()).is_err());
        assert!(decode(&object(&[]), format!("{{\"x\":{text}}}").as_bytes()).is_ok());
        let deep = format!(
            "{}1{}",
            "{\"type\":\"dynamic\",\"value\":".repeat(1000),
            "}".repeat(1000)
        );
        let error = decode(&Type::Dynamic, deep.as_bytes())
            .unwrap_err()
            .to_string();
        assert!(error.contains("128 levels"), "{error}");
    }
}
