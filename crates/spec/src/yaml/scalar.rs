//! What a scalar stands for: YAML 1.2's core schema, plus what go-yaml v3 adds to it (underscores
//! and prefixes in numbers), because verdicts must be LinuxKit's.

use base64::Engine as _;
use serde_saphyr::granit_parser::Tag;

use super::Value;
use crate::fault::quoted;

const NAMESPACE: &str = "tag:yaml.org,2002:";

/// The value of a scalar, or what is wrong with its tag.
pub(super) fn resolve(text: &str, plain: bool, tag: Option<&Tag>) -> Result<Value, String> {
    // `!` alone says nothing to go-yaml.
    let tag = tag.filter(|tag| !is_bare(tag)).and_then(|tag| {
        tag.suffix_in_namespace(NAMESPACE)
            .map(|suffix| suffix.into_owned())
            .or_else(
                // The application's own tags say nothing that matters here: a string.
                || Some("str".to_owned()),
            )
    });
    let Some(tag) = tag else {
        return Ok(if plain {
            plain_scalar(text)
        } else {
            Value::Text(text.to_owned())
        });
    };
    let value = plain_scalar(text);
    let fits = match tag.as_str() {
        "int" => matches!(value, Value::Int(_)),
        "bool" => matches!(value, Value::Bool(_)),
        "null" => matches!(value, Value::Null),
        "float" => match value {
            #[expect(clippy::cast_precision_loss, reason = "the tag asks for it")]
            Value::Int(int) => return Ok(Value::Float(int as f64)),
            _ => matches!(value, Value::Float(_)),
        },
        "binary" => return binary(text),
        _ => return Ok(Value::Text(text.to_owned())),
    };
    if fits {
        Ok(value)
    } else {
        Err(format!("{} is no `!!{tag}`", quoted(text)))
    }
}

/// `!` without a name.
pub(super) fn is_bare(tag: &Tag) -> bool {
    matches!((tag.handle(), tag.suffix()), ("", "!") | ("!", ""))
}

/// Whether a tag marks a `<<` as the merge key.
pub(super) fn is_merge(tag: &Tag) -> bool {
    tag.suffix_in_namespace(NAMESPACE).as_deref() == Some("merge")
}

/// Whether `yaml.v2`, a reader of YAML 1.1, takes this text without quotes for a string and would
/// write it so.
pub(crate) fn is_plain_to_go(text: &str) -> bool {
    const OLD_BOOLEANS: [&str; 16] = [
        "y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No", "NO", "off", "Off",
        "OFF",
    ];
    matches!(plain_scalar(text), Value::Text(_))
        && !OLD_BOOLEANS.contains(&text)
        && !is_sexagesimal(text)
        && !is_timestamp(text)
}

/// `1:30`, which is 90 to readers of YAML 1.1.
fn is_sexagesimal(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| {
        part.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'_')
    };
    let mut parts = whole.split(':');
    let first = parts.next().unwrap_or_default();
    let sixtieth =
        |part: &str| matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']);
    whole.contains(':')
        && first.starts_with(|c: char| c.is_ascii_digit())
        && digits(first)
        && parts.all(sixtieth)
        && digits(fraction)
}

/// The forms of a date, with or without a time, that go-yaml knows.
fn is_timestamp(text: &str) -> bool {
    fn number(text: &str, least: u32, most: u32) -> Option<u32> {
        let shaped = matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit());
        let value = shaped.then(|| text.parse().ok())??;
        (least..=most).contains(&value).then_some(value)
    }
    fn clock(text: &str) -> Option<()> {
        let mut parts = text.splitn(3, ':');
        number(parts.next()?, 0, 23)?;
        number(parts.next()?, 0, 59)?;
        let second = parts.next()?;
        let (whole, fraction) = match second.find(['.', ',']) {
            Some(at) => (&second[..at], Some(&second[at + 1..])),
            None => (second, None),
        };
        number(whole, 0, 59)?;
        let shaped = fraction.is_none_or(|digits| {
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        });
        shaped.then_some(())
    }
    fn zone(text: &str) -> Option<()> {
        if text == "Z" {
            return Some(());
        }
        let (hours, minutes) = text.strip_prefix(['+', '-'])?.split_once(':')?;
        let two = |text: &str, most| (text.len() == 2).then(|| number(text, 0, most))?;
        two(hours, 24)?;
        two(minutes, 60)?;
        Some(())
    }
    fn date(text: &str) -> Option<()> {
        let mut parts = text.splitn(3, '-');
        let year = parts.next()?;
        let shaped = year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit());
        let year: u32 = shaped.then(|| year.parse().ok())??;
        let month = number(parts.next()?, 1, 12)?;
        let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
        let days = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        number(parts.next()?, 1, days).map(drop)
    }
    fn all(text: &str) -> Option<()> {
        if let Some((day, time)) = text.split_once(['T', 't']) {
            let end = time.find(['Z', '+', '-'])?;
            date(day)?;
            clock(&time[..end])?;
            return zone(&time[end..]);
        }
        match text.split_once(' ') {
            Some((day, time)) => {
                date(day)?;
                clock(time.trim_start_matches(' '))
            }
            None => date(text),
        }
    }
    text.is_ascii() && all(text).is_some()
}

fn binary(text: &str) -> Result<Value, String> {
    let engine = base64::engine::general_purpose::STANDARD;
    // go-yaml passes over line breaks, not over blanks.
    let packed = text.replace(['\n', '\r'], "");
    let bytes = engine
        .decode(packed)
        .map_err(|_| "`!!binary` holds no valid base64".to_owned())?;
    Ok(match String::from_utf8(bytes) {
        Ok(text) => Value::Text(text),
        Err(error) => Value::Bytes(engine.encode(error.as_bytes())),
    })
}

fn plain_scalar(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Value::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Value::Float(f64::NEG_INFINITY),
        _ => {}
    }
    number(text).unwrap_or_else(|| Value::Text(text.to_owned()))
}

/// A number in go-yaml's reading; longer texts are none, they can't be exact anyway.
fn number(text: &str) -> Option<Value> {
    const MAX_LENGTH: usize = 400;
    if text.len() > MAX_LENGTH
        || !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'))
    {
        return None;
    }
    let plain = if text.starts_with('.') {
        text.to_owned()
    } else {
        text.replace('_', "")
    };
    integer(&plain).or_else(|| float(&plain))
}

fn integer(text: &str) -> Option<Value> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = if let Some(rest) = lower.strip_prefix("0x") {
        (16, rest)
    } else if let Some(rest) = lower.strip_prefix("0o") {
        (8, rest)
    } else if let Some(rest) = lower.strip_prefix("0b") {
        (2, rest)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..])
    } else {
        (10, lower.as_str())
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let size = i128::from(u64::from_str_radix(digits, radix).ok()?);
    let value = if negative { -size } else { size };
    (value >= i128::from(i64::MIN)).then_some(Value::Int(value))
}

fn float(text: &str) -> Option<Value> {
    let body = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match body.find(['e', 'E']) {
        Some(at) => (&body[..at], Some(&body[at + 1..])),
        None => (body, None),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let shaped = digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    let exponent_shaped = exponent.is_none_or(|exponent| {
        let part = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !part.is_empty() && digits(part)
    });
    if !shaped || !exponent_shaped {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    value.is_finite().then_some(Value::Float(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str) -> String {
        format!("{:?}", plain_scalar(text))
    }

    #[test]
    fn plain_scalars_are_go_yaml_s() {
        for (text, wanted) in [
            ("yes", "Text(\"yes\")"),
            ("on", "Text(\"on\")"),
            ("True", "Bool(true)"),
            ("~", "Null"),
            ("0644", "Int(420)"),
            ("0o644", "Int(420)"),
            ("-0x1F", "Int(-31)"),
            ("0b101", "Int(5)"),
            ("1_000", "Int(1000)"),
            ("+12", "Int(12)"),
            ("08", "Float(8.0)"),
            ("18446744073709551615", "Int(18446744073709551615)"),
            ("18446744073709551616", "Float(1.8446744073709552e19)"),
            ("1.10", "Float(1.1)"),
            ("1e3", "Float(1000.0)"),
            (".5", "Float(0.5)"),
            (".", "Text(\".\")"),
            ("1e", "Text(\"1e\")"),
            ("1e999", "Text(\"1e999\")"),
            ("-", "Text(\"-\")"),
            ("2017-04-18", "Text(\"2017-04-18\")"),
            ("1.2.3", "Text(\"1.2.3\")"),
            ("0x", "Text(\"0x\")"),
            (".inf", "Float(inf)"),
        ] {
            assert_eq!(show(text), wanted, "{text}");
        }
    }
}
