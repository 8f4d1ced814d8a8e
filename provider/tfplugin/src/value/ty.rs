//! Types, and their JSON notation: `"string"`, `["list", T]`, `["object", {…}]`.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value as Json;

/// Types nested deeper than this are refused (serde_json's own limit).
pub const MAX_TYPE_DEPTH: usize = 128;

/// A type constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// Text.
    String,
    /// A number of any size.
    Number,
    /// A truth value.
    Bool,
    /// Any type; the value brings its own along.
    Dynamic,
    /// Values of one type, in order.
    List(Box<Type>),
    /// Distinct values of one type, without order.
    Set(Box<Type>),
    /// Values of one type by string key.
    Map(Box<Type>),
    /// Values of one type each, in order.
    Tuple(Vec<Type>),
    /// Values of one type each, by name.
    Object(BTreeMap<String, Type>),
}

/// Not a type's JSON notation.
#[derive(Debug, thiserror::Error)]
#[error("not a type that Terraform's protocol 6 knows: {0}")]
pub struct TypeError(String);

impl Type {
    /// Reads a type's JSON notation.
    ///
    /// # Errors
    /// If it is none, or nested deeper than [`MAX_TYPE_DEPTH`].
    pub fn from_json(text: &[u8]) -> Result<Self, TypeError> {
        let json: Json = serde_json::from_slice(text).map_err(|e| TypeError(e.to_string()))?;
        Self::parse(&json)
    }

    fn parse(json: &Json) -> Result<Self, TypeError> {
        let bad = || {
            let text: String = json.to_string().chars().take(80).collect();
            TypeError(text)
        };
        match json {
            Json::String(name) => match name.as_str() {
                "string" => Ok(Self::String),
                "number" => Ok(Self::Number),
                "bool" => Ok(Self::Bool),
                "dynamic" => Ok(Self::Dynamic),
                _ => Err(bad()),
            },
            Json::Array(parts) => match (parts.first().and_then(Json::as_str), parts.get(1)) {
                (Some("list"), Some(of)) => Ok(Self::List(Box::new(Self::parse(of)?))),
                (Some("set"), Some(of)) => Ok(Self::Set(Box::new(Self::parse(of)?))),
                (Some("map"), Some(of)) => Ok(Self::Map(Box::new(Self::parse(of)?))),
                (Some("tuple"), Some(Json::Array(of))) => {
                    let of = of.iter().map(Self::parse).collect::<Result<_, _>>()?;
                    Ok(Self::Tuple(of))
                }
                // A third part names the optional attributes: every object we
                // are sent holds all of them all the same.
                (Some("object"), Some(Json::Object(of))) => {
                    let of = of
                        .iter()
                        .map(|(name, ty)| Ok((name.clone(), Self::parse(ty)?)))
                        .collect::<Result<_, TypeError>>()?;
                    Ok(Self::Object(of))
                }
                _ => Err(bad()),
            },
            _ => Err(bad()),
        }
    }

    /// The type's JSON notation, as Terraform writes it: no spaces, names sorted.
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        let of_one = |out: &mut String, name: &str, of: &Type| {
            out.push_str("[\"");
            out.push_str(name);
            out.push_str("\",");
            of.write(out);
            out.push(']');
        };
        match self {
            Self::String => out.push_str("\"string\""),
            Self::Number => out.push_str("\"number\""),
            Self::Bool => out.push_str("\"bool\""),
            Self::Dynamic => out.push_str("\"dynamic\""),
            Self::List(of) => of_one(out, "list", of),
            Self::Set(of) => of_one(out, "set", of),
            Self::Map(of) => of_one(out, "map", of),
            Self::Tuple(of) => {
                out.push_str("[\"tuple\",[");
                for (i, ty) in of.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    ty.write(out);
                }
                out.push_str("]]");
            }
            Self::Object(of) => {
                out.push_str("[\"object\",{");
                for (i, (name, ty)) in of.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    out.push_str(&Json::String(name.clone()).to_string());
                    out.push(':');
                    ty.write(out);
                }
                out.push_str("}]");
            }
        }
    }
}

/// The type as a Terraform user writes it: `list(string)`.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String => f.write_str("string"),
            Self::Number => f.write_str("number"),
            Self::Bool => f.write_str("bool"),
            Self::Dynamic => f.write_str("dynamic"),
            Self::List(of) => write!(f, "list({of})"),
            Self::Set(of) => write!(f, "set({of})"),
            Self::Map(of) => write!(f, "map({of})"),
            Self::Tuple(of) => {
                f.write_str("tuple([")?;
                for (i, ty) in of.iter().enumerate() {
                    write!(f, "{}{ty}", if i > 0 { ", " } else { "" })?;
                }
                f.write_str("])")
            }
            Self::Object(of) => {
                f.write_str("object({")?;
                for (i, (name, ty)) in of.iter().enumerate() {
                    write!(f, "{}{name} = {ty}", if i > 0 { ", " } else { "" })?;
                }
                f.write_str("})")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notation() {
        let text = br#"["object",{"a":["list",["set","number"]],"b":["tuple",["bool","dynamic",["map","string"]]]}]"#;
        let ty = Type::from_json(text).unwrap();
        assert_eq!(ty.to_json().as_bytes(), text);
        assert_eq!(
            ty.to_string(),
            "object({a = list(set(number)), b = tuple([bool, dynamic, map(string)])})"
        );
        let optional = Type::from_json(br#"["object",{"a":"string"},["a"]]"#).unwrap();
        assert_eq!(optional.to_json(), r#"["object",{"a":"string"}]"#);
    }

    #[test]
    fn not_a_type() {
        for text in ["", "{}", "\"str\"", "[\"list\"]", "[\"tuple\",{}]", "[1]"] {
            assert!(Type::from_json(text.as_bytes()).is_err(), "{text}");
        }
        let deep = format!(
            "{}\"string\"{}",
            "[\"list\",".repeat(300_000),
            "]".repeat(300_000)
        );
        assert!(Type::from_json(deep.as_bytes()).is_err());
    }
}
