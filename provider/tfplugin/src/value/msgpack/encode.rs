//! Values to MessagePack, each in its shortest form, as cty writes them.

use crate::value::{Number, Refinements, Type, Value};

/// Encodes `value`, which is one of type `ty`.
///
/// An object lacks no attribute of `ty` in the encoding (null stands for it),
/// and has no other.
pub fn encode(ty: &Type, value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, ty, value);
    out
}

fn put(out: &mut Vec<u8>, ty: &Type, value: &Value) {
    match value {
        Value::Null => out.push(0xc0),
        Value::Unknown(known) => unknown(out, known),
        Value::Bool(b) => out.push(if *b { 0xc3 } else { 0xc2 }),
        Value::Number(n) => number(out, n),
        Value::String(s) => string(out, s.as_bytes()),
        Value::List(items) | Value::Set(items) => {
            header(out, items.len(), 0x90, 15, None, 0xdc);
            for (i, item) in items.iter().enumerate() {
                put(out, element(ty, i), item);
            }
        }
        Value::Map(fields) => match ty {
            Type::Object(of) => {
                header(out, of.len(), 0x80, 15, None, 0xde);
                for (name, ty) in of {
                    string(out, name.as_bytes());
                    put(out, ty, fields.get(name).unwrap_or(&Value::Null));
                }
            }
            _ => {
                header(out, fields.len(), 0x80, 15, None, 0xde);
                for (key, item) in fields {
                    string(out, key.as_bytes());
                    put(out, element(ty, 0), item);
                }
            }
        },
        Value::Dynamic(own, value) => {
            out.push(0x92);
            let json = own.to_json();
            header(out, json.len(), 0, -1, Some(0xc4), 0xc5);
            out.extend_from_slice(json.as_bytes());
            put(out, own, value);
        }
    }
}

fn element(ty: &Type, i: usize) -> &Type {
    match ty {
        Type::List(of) | Type::Set(of) | Type::Map(of) => of,
        Type::Tuple(of) => of.get(i).unwrap_or(&Type::Dynamic),
        _ => &Type::Dynamic,
    }
}

fn unknown(out: &mut Vec<u8>, known: &Refinements) {
    match &known.0 {
        // An empty map of refinements is refused by cty.
        Some(known) if known.len() > 1 => {
            match known.len() {
                2 => out.push(0xd5),
                4 => out.push(0xd6),
                8 => out.push(0xd7),
                16 => out.push(0xd8),
                n => header(out, n, 0, -1, Some(0xc7), 0xc8),
            }
            out.push(12);
            out.extend_from_slice(known);
        }
        _ => out.extend_from_slice(&[0xd4, 0, 0]),
    }
}

fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    header(out, bytes.len(), 0xa0, 31, Some(0xd9), 0xda);
    out.extend_from_slice(bytes);
}

/// A length: in the marker up to `inline`, else behind the marker for one byte
/// (`byte`), two bytes (`wide`) or four (`wide + 1`).
fn header(out: &mut Vec<u8>, n: usize, fix: u8, inline: i8, byte: Option<u8>, wide: u8) {
    // Messages are limited to 256 MiB: four bytes always do.
    let n = u32::try_from(n).unwrap_or(u32::MAX);
    let [_, _, high, low] = n.to_be_bytes();
    if i64::from(n) <= i64::from(inline) {
        out.push(fix | low);
    } else if let (Some(byte), true) = (byte, n <= 0xff) {
        out.extend_from_slice(&[byte, low]);
    } else if n <= 0xffff {
        out.extend_from_slice(&[wide, high, low]);
    } else {
        out.push(wide + 1);
        out.extend_from_slice(&n.to_be_bytes());
    }
}

fn number(out: &mut Vec<u8>, n: &Number) {
    match n {
        Number::Int(n) => int(out, *n),
        Number::Uint(n) => uint(out, *n),
        Number::Float(n) => {
            out.push(0xcb);
            out.extend_from_slice(&n.to_be_bytes());
        }
        Number::Decimal(text) => string(out, text.as_bytes()),
    }
}

fn int(out: &mut Vec<u8>, n: i64) {
    if let Ok(n) = u64::try_from(n) {
        return uint(out, n);
    }
    if n >= -32 {
        out.push((n as i8).cast_unsigned());
    } else if let Ok(n) = i8::try_from(n) {
        out.extend_from_slice(&[0xd0, n.cast_unsigned()]);
    } else if let Ok(n) = i16::try_from(n) {
        out.push(0xd1);
        out.extend_from_slice(&n.to_be_bytes());
    } else if let Ok(n) = i32::try_from(n) {
        out.push(0xd2);
        out.extend_from_slice(&n.to_be_bytes());
    } else {
        out.push(0xd3);
        out.extend_from_slice(&n.to_be_bytes());
    }
}

fn uint(out: &mut Vec<u8>, n: u64) {
    if let Ok(n) = u8::try_from(n) {
        if n > 0x7f {
            out.push(0xcc);
        }
        out.push(n);
    } else if let Ok(n) = u16::try_from(n) {
        out.push(0xcd);
        out.extend_from_slice(&n.to_be_bytes());
    } else if let Ok(n) = u32::try_from(n) {
        out.push(0xce);
        out.extend_from_slice(&n.to_be_bytes());
    } else {
        out.push(0xcf);
        out.extend_from_slice(&n.to_be_bytes());
    }
}
