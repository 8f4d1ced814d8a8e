//! JSON as Go's `encoding/json` indents and escapes it.

use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

/// Indented by `indent`, no newline at the end; `<`, `>`, `&`, U+2028 and U+2029 escaped, which
/// can only stand inside strings.
pub(crate) fn to_vec(value: &impl Serialize, indent: &str) -> Result<Vec<u8>, serde_json::Error> {
    let mut plain = Vec::new();
    let formatter = PrettyFormatter::with_indent(indent.as_bytes());
    value.serialize(&mut Serializer::with_formatter(&mut plain, formatter))?;
    let mut bytes = Vec::with_capacity(plain.len());
    let mut rest = plain.as_slice();
    while let Some((&first, tail)) = rest.split_first() {
        let (escape, taken): (&[u8], usize) = match (first, tail) {
            (b'<', _) => (b"\\u003c", 1),
            (b'>', _) => (b"\\u003e", 1),
            (b'&', _) => (b"\\u0026", 1),
            (0xe2, [0x80, 0xa8, ..]) => (b"\\u2028", 3),
            (0xe2, [0x80, 0xa9, ..]) => (b"\\u2029", 3),
            _ => (&rest[..1], 1),
        };
        bytes.extend_from_slice(escape);
        rest = rest.get(taken..).unwrap_or_default();
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn escapes_and_indents_as_go_does() {
        let value = json!({"a<b": ["&>", "\u{2028}\u{2029}é\u{20ac}", "\u{1}\u{8}\t\"\\/"], "e": {}, "l": []});
        assert_eq!(
            String::from_utf8(to_vec(&value, "    ").unwrap()).unwrap(),
            concat!(
                "{\n    \"a\\u003cb\": [\n        \"\\u0026\\u003e\",\n",
                "        \"\\u2028\\u2029é€\",\n        \"\\u0001\\b\\t\\\"\\\\/\"\n    ],\n",
                "    \"e\": {},\n    \"l\": []\n}"
            )
        );
    }
}
