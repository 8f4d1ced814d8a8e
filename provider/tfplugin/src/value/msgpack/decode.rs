//! MessagePack to values.

use std::collections::BTreeMap;

use super::read::{Reader, Token};
use crate::diag::{Path, Step};
use crate::value::{MAX_DEPTH, MAX_NODES, Number, Refinements, Type, Value};

/// cty refuses what is known of an unknown value beyond this many bytes.
const MAX_REFINEMENTS: usize = 1024;
const REFINED: i8 = 12;

/// A value that isn't one of its type, or isn't MessagePack.
#[derive(Debug, thiserror::Error)]
#[error("{}{fault}", place(.path))]
pub struct DecodeError {
    path: Path,
    fault: Fault,
}

fn place(path: &Path) -> String {
    if path.is_root() {
        String::new()
    } else {
        format!("{path}: ")
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("the bytes are not MessagePack")]
    NotMsgpack,
    #[error("the MessagePack data end too early")]
    Truncated,
    #[error("bytes follow the value")]
    Trailing,
    #[error("the value is nested deeper than {MAX_DEPTH} levels")]
    Depth,
    #[error("the value has more than {MAX_NODES} parts")]
    Nodes,
    #[error("what is known of the unknown value takes more than {MAX_REFINEMENTS} bytes")]
    Refinements,
    #[error("text is not UTF-8")]
    Utf8,
    #[error("not a number: a decimal string was expected")]
    Number,
    #[error("expected {expected}, found {found}")]
    Kind {
        expected: &'static str,
        found: &'static str,
    },
    #[error("expected {expected} elements, found {found}")]
    Length { expected: usize, found: usize },
    #[error("the attribute is missing")]
    Missing,
    #[error("there is no such attribute")]
    Extra,
    #[error("the key occurs twice")]
    Twice,
    #[error(transparent)]
    Type(#[from] crate::value::TypeError),
}

/// Decodes one value of type `ty`.
///
/// # Errors
/// If the bytes aren't exactly one such value, or exceed [`MAX_DEPTH`] or
/// [`MAX_NODES`].
pub fn decode(ty: &Type, bytes: &[u8]) -> Result<Value, DecodeError> {
    let mut decoder = Decoder {
        reader: Reader::new(bytes),
        path: Path::root(),
        depth: 0,
        nodes: 0,
    };
    let result = decoder.value(ty).and_then(|value| {
        if decoder.reader.is_empty() {
            Ok(value)
        } else {
            Err(Fault::Trailing)
        }
    });
    result.map_err(|fault| DecodeError {
        path: decoder.path,
        fault,
    })
}

/// On a fault `path` stays where it happened.
struct Decoder<'a> {
    reader: Reader<'a>,
    path: Path,
    depth: usize,
    nodes: usize,
}

impl Decoder<'_> {
    fn value(&mut self, ty: &Type) -> Result<Value, Fault> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(Fault::Nodes);
        }
        let token = self.reader.token()?;
        match token {
            Token::Nil => return Ok(Value::Null),
            Token::Ext(REFINED, known) if known.len() > MAX_REFINEMENTS => {
                return Err(Fault::Refinements);
            }
            Token::Ext(REFINED, known) => {
                return Ok(Value::Unknown(Refinements(Some(known.into()))));
            }
            Token::Ext(..) => return Ok(Value::UNKNOWN),
            _ => {}
        }
        match (ty, token) {
            (Type::Bool, Token::Bool(b)) => Ok(Value::Bool(b)),
            (Type::String, Token::Str(s)) => Ok(Value::String(text(s)?)),
            (Type::Number, token) => number(&token).map(Value::Number),
            (Type::List(of), Token::Array(n)) => self.elements(n, |_| of).map(Value::List),
            (Type::Set(of), Token::Array(n)) => self.elements(n, |_| of).map(Value::Set),
            (Type::Tuple(of), Token::Array(n)) => {
                if n != of.len() {
                    return Err(Fault::Length {
                        expected: of.len(),
                        found: n,
                    });
                }
                self.elements(n, |i| &of[i]).map(Value::List)
            }
            (Type::Map(of), Token::Map(n)) => self.map(n, of),
            (Type::Object(of), Token::Map(n)) => self.object(n, of),
            (Type::Dynamic, Token::Array(2)) => self.dynamic(),
            (ty, token) => Err(Fault::Kind {
                expected: expected(ty),
                found: found(&token),
            }),
        }
    }

    fn nested<T>(
        &mut self,
        step: Step,
        f: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.path.push(step);
        if self.depth == MAX_DEPTH {
            return Err(Fault::Depth);
        }
        self.depth += 1;
        let value = f(self)?;
        self.depth -= 1;
        self.path.pop();
        Ok(value)
    }

    fn elements<'t>(
        &mut self,
        n: usize,
        ty: impl Fn(usize) -> &'t Type,
    ) -> Result<Vec<Value>, Fault> {
        // Grown as elements are seen: their number is only a claim.
        let mut items = Vec::with_capacity(n.min(1024));
        for i in 0..n {
            let step = Step::Index(i64::try_from(i).map_err(|_| Fault::Nodes)?);
            items.push(self.nested(step, |d| d.value(ty(i)))?);
        }
        Ok(items)
    }

    fn key(&mut self) -> Result<String, Fault> {
        match self.reader.token()? {
            Token::Str(key) => text(key),
            token => Err(Fault::Kind {
                expected: "a string as key",
                found: found(&token),
            }),
        }
    }

    fn map(&mut self, n: usize, of: &Type) -> Result<Value, Fault> {
        let mut fields = BTreeMap::new();
        for _ in 0..n {
            let key = self.key()?;
            let value = self.nested(Step::Key(key.clone()), |d| d.value(of))?;
            if fields.insert(key.clone(), value).is_some() {
                self.path.push(Step::Key(key));
                return Err(Fault::Twice);
            }
        }
        Ok(Value::Map(fields))
    }

    fn object(&mut self, n: usize, of: &BTreeMap<String, Type>) -> Result<Value, Fault> {
        let mut fields = BTreeMap::new();
        for _ in 0..n {
            let name = self.key()?;
            let value = self.nested(Step::Attribute(name.clone()), |d| {
                d.value(of.get(&name).ok_or(Fault::Extra)?)
            })?;
            if fields.insert(name.clone(), value).is_some() {
                self.path.push(Step::Attribute(name));
                return Err(Fault::Twice);
            }
        }
        match of.keys().find(|name| !fields.contains_key(*name)) {
            None => Ok(Value::Map(fields)),
            Some(name) => {
                self.path.push(Step::Attribute(name.clone()));
                Err(Fault::Missing)
            }
        }
    }

    fn dynamic(&mut self) -> Result<Value, Fault> {
        let ty = match self.reader.token()? {
            Token::Bin(json) | Token::Str(json) => Type::from_json(json)?,
            token => {
                return Err(Fault::Kind {
                    expected: "a type",
                    found: found(&token),
                });
            }
        };
        if self.depth == MAX_DEPTH {
            return Err(Fault::Depth);
        }
        self.depth += 1;
        let value = self.value(&ty)?;
        self.depth -= 1;
        Ok(Value::Dynamic(Box::new(ty), Box::new(value)))
    }
}

fn text(bytes: &[u8]) -> Result<String, Fault> {
    std::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|_| Fault::Utf8)
}

fn number(token: &Token<'_>) -> Result<Number, Fault> {
    match token {
        Token::Int(n) => Ok(Number::Int(*n)),
        Token::Uint(n) => Ok(i64::try_from(*n).map_or(Number::Uint(*n), Number::Int)),
        Token::Float(n) if !n.is_nan() => Ok(Number::Float(*n)),
        // Kept as it is spelt, even where an integer would do.
        Token::Str(s) => {
            let text = text(s)?;
            match Number::parse(&text) {
                Some(_) => Ok(Number::Decimal(text)),
                None if text == "inf" || text == "+inf" => Ok(Number::Float(f64::INFINITY)),
                None if text == "-inf" => Ok(Number::Float(f64::NEG_INFINITY)),
                None => Err(Fault::Number),
            }
        }
        token => Err(Fault::Kind {
            expected: "a number",
            found: found(token),
        }),
    }
}

fn expected(ty: &Type) -> &'static str {
    match ty {
        Type::String => "a string",
        Type::Number => "a number",
        Type::Bool => "a bool",
        Type::Dynamic => "a type and a value",
        Type::List(_) => "a list",
        Type::Set(_) => "a set",
        Type::Map(_) => "a map",
        Type::Tuple(_) => "a tuple",
        Type::Object(_) => "an object",
    }
}

fn found(token: &Token<'_>) -> &'static str {
    match token {
        Token::Nil => "null",
        Token::Bool(_) => "a bool",
        Token::Int(_) | Token::Uint(_) | Token::Float(_) => "a number",
        Token::Str(_) => "a string",
        Token::Bin(_) => "bytes",
        Token::Ext(..) => "an extension",
        Token::Array(_) => "a list",
        Token::Map(_) => "a map",
    }
}
