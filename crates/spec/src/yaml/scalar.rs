//! What a scalar stands for: YAML 1.2's core schema, plus what go-yaml v3 adds to it (underscores
//! and prefixes in numbers), because verdicts must be LinuxKit's.

use base64::Engine as _;
use serde_saphyr::granit_parser::Tag;

use super::Value;
use crate::fault::quoted;

const NAMESPACE: &str = "tag:yaml.org,2002:";

/// The value of a scalar, or what is wrong with its tag.
pub(super) fn resolve(text: &str, plain: bool, tag: Option<&Tag>) -> Result<Value, String> {
    let tag = tag.and_then(|tag| {
        tag.suffix_in_namespace(NAMESPACE)
            .map(|suffix| suffix.into_owned())
            .or_else(
                // The application's own tags, `!` included, say nothing that matters here: a string.
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

/// Whether a plain scalar with this text is a string, also to readers of YAML 1.1.
pub(crate) fn is_plain_text(text: &str) -> bool {
    const OLD_BOOLEANS: [&str; 6] = ["y", "yes", "on", "n", "no", "off"];
    let word = text.to_ascii_lowercase();
    // A date, or a time in base 60.
    let number_like =
        text.starts_with(|c: char| c.is_ascii_digit()) && text.contains(['-', ':', '.', '_', ',']);
    matches!(plain_scalar(text), Value::Text(_))
        && !OLD_BOOLEANS.contains(&word.as_str())
        && !number_like
}

fn binary(text: &str) -> Result<Value, String> {
    let packed: String = text.split_ascii_whitespace().collect();
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(packed)
        .map_err(|_| "`!!binary` holds no valid base64".to_owned())?;
    String::from_utf8(bytes).map(Value::Text).map_err(|_| {
        "`!!binary` holds bytes that are not UTF-8; put them in a file named by `source`".to_owned()
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
