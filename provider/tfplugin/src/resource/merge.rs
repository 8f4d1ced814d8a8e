//! Keeps what a resource didn't touch exactly as it came.
//!
//! A model can't hold everything a value says: what is known of an unknown
//! value, a number's spelling, a list with unknown elements. So the value after
//! a call is the one before it, with the differences between the model before
//! and the model after.

use std::collections::BTreeMap;

use crate::value::Value;

/// `original`, where `before` (its model) became `after`.
pub(crate) fn merge(original: &Value, before: &Value, after: &Value) -> Value {
    if before == after {
        return original.clone();
    }
    match (original, before, after) {
        (Value::Map(original), Value::Map(before), Value::Map(after)) => {
            let field = |(key, after): (&String, &Value)| {
                let value = match (original.get(key), before.get(key)) {
                    (Some(original), Some(before)) => merge(original, before, after),
                    _ => after.clone(),
                };
                (key.clone(), value)
            };
            Value::Map(after.iter().map(field).collect::<BTreeMap<_, _>>())
        }
        (Value::List(original), Value::List(before), Value::List(after))
            if original.len() == before.len() && before.len() == after.len() =>
        {
            let items = original.iter().zip(before).zip(after);
            Value::List(items.map(|((o, b), a)| merge(o, b, a)).collect())
        }
        _ => after.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Number, Refinements};

    #[test]
    fn untouched_values_are_exact() {
        let refined = Value::Unknown(Refinements(Some([0x81, 1, 0xc2].into())));
        let list = Value::List(vec![Value::string("a"), refined.clone()]);
        let original = Value::object([
            ("list", list),
            ("n", Value::Number(Number::Decimal("1.50".into()))),
            ("x", Value::string("old")),
        ]);
        // The model saw the list as unknown, and the number as a double.
        let before = Value::object([
            ("list", Value::UNKNOWN),
            ("n", Value::Number(Number::Float(1.5))),
            ("x", Value::string("old")),
        ]);
        let mut after = before.clone();
        after.set("x", Value::string("new"));
        let merged = merge(&original, &before, &after);
        assert_eq!(merged.get("x"), &Value::string("new"));
        let Value::List(items) = merged.get("list") else {
            panic!()
        };
        assert!(matches!(&items[1], Value::Unknown(known) if known.0.is_some()));
        assert!(matches!(merged.get("n"), Value::Number(Number::Decimal(d)) if d == "1.50"));
    }
}
