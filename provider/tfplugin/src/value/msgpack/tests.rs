use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::value::{MAX_NODES, Number, Type, Value};

fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

fn list(ty: Type) -> Type {
    Type::List(Box::new(ty))
}

#[test]
fn unknown_values() {
    let bare = decode(&Type::String, &hex("d4 00 00")).unwrap();
    assert!(bare.is_unknown());
    assert_eq!(encode(&Type::String, &bare), hex("d4 00 00"));
    // "v: ${unknown}": not null, with a prefix.
    let refined = hex("d7 0c 82 01 c2 02 a3 76 3a 20");
    let value = decode(&Type::String, &refined).unwrap();
    assert!(value.is_unknown());
    assert_eq!(encode(&Type::String, &value), refined);
    // Any other extension is unknown as well.
    assert!(decode(&Type::Bool, &hex("d4 63 00")).unwrap().is_unknown());
    // Bare where any type may stand.
    let dynamic = decode(&Type::Dynamic, &hex("d4 00 00")).unwrap();
    assert_eq!(encode(&Type::Dynamic, &dynamic), hex("d4 00 00"));
    // An empty map of refinements comes back as the plain form.
    let empty = decode(&Type::String, &hex("d4 0c 80")).unwrap();
    assert_eq!(encode(&Type::String, &empty), hex("d4 00 00"));
    let long = [hex("c8 04 01 0c"), vec![0; 1025]].concat();
    let error = decode(&Type::String, &long).unwrap_err().to_string();
    assert!(error.contains("1024"), "{error}");
}

#[test]
fn numbers_are_exact() {
    for (bytes, want) in [
        ("05", Number::Int(5)),
        ("ff", Number::Int(-1)),
        ("cf ff ff ff ff ff ff ff ff", Number::Uint(u64::MAX)),
        ("cb 3f e0 00 00 00 00 00 00", Number::Float(0.5)),
        ("d3 80 00 00 00 00 00 00 00", Number::Int(i64::MIN)),
    ] {
        let value = decode(&Type::Number, &hex(bytes)).unwrap();
        assert_eq!(value, Value::Number(want));
        assert_eq!(encode(&Type::Number, &value), hex(bytes));
    }
    let digits = "12345678901234567890123";
    let big = encode(
        &Type::Number,
        &Value::Number(Number::Decimal(digits.into())),
    );
    assert_eq!(big[0], 0xa0 | 23);
    let value = decode(&Type::Number, &big).unwrap();
    assert!(matches!(&value, Value::Number(Number::Decimal(d)) if d == digits));
    assert!(decode(&Type::Number, &hex("a1 78")).is_err());
    assert!(decode(&Type::Number, &hex("cb 7f f8 00 00 00 00 00 00")).is_err());
}

#[test]
fn a_dynamic_value_comes_back_byte_by_byte() {
    let ty = br#"["tuple",["string",["object",{"a":"number"}],"dynamic"]]"#;
    let mut bytes = hex("92 c4");
    bytes.push(u8::try_from(ty.len()).unwrap());
    bytes.extend_from_slice(ty);
    bytes.extend(hex("93 a1 61 81 a1 61 07 92 c4 08"));
    bytes.extend(b"\"string\"");
    bytes.extend(hex("d4 00 00"));
    let value = decode(&Type::Dynamic, &bytes).unwrap();
    assert_eq!(encode(&Type::Dynamic, &value), bytes);
}

#[test]
fn objects_have_all_attributes_and_no_other() {
    let ty = Type::Object(BTreeMap::from([
        ("a".into(), Type::String),
        ("b".into(), list(Type::Bool)),
    ]));
    let bytes = encode(&ty, &Value::object([("a", Value::string("x"))]));
    assert_eq!(bytes, hex("82 a1 61 a1 78 a1 62 c0"));
    let error = |bytes: &str| decode(&ty, &hex(bytes)).unwrap_err().to_string();
    assert_eq!(error("81 a1 61 c0"), "b: the attribute is missing");
    assert_eq!(error("81 a1 63 c0"), "c: there is no such attribute");
    assert_eq!(error("82 a1 61 c0 a1 61 c0"), "a: the key occurs twice");
    assert_eq!(
        error("82 a1 61 c0 a1 62 92 c2 05"),
        "b[1]: expected a bool, found a number"
    );
    assert_eq!(error("82 a1 61 c0 a1 62 c0 c0"), "bytes follow the value");
}

#[test]
fn hostile_lengths_and_depths() {
    // Announces four billion elements.
    for bomb in [
        "dd ff ff ff ff",
        "df ff ff ff ff",
        "db ff ff ff ff",
        "c6 ff ff ff ff",
        "c9 ff ff ff ff 0c",
    ] {
        for ty in [
            list(Type::String),
            Type::Map(Box::new(Type::String)),
            Type::String,
        ] {
            assert!(decode(&ty, &hex(bomb)).is_err());
        }
    }
    let deep = [vec![0x91; 300_000], vec![0xc0]].concat();
    assert!(decode(&list(Type::String), &deep).is_err());
    // Each dynamic value may bring another one.
    let mut nested = Vec::new();
    for _ in 0..300_000 {
        nested.extend(hex("92 c4 09"));
        nested.extend(b"\"dynamic\"");
    }
    let error = decode(&Type::Dynamic, &nested).unwrap_err().to_string();
    assert!(error.contains("128 levels"), "{error}");
    let wide = [hex("dd 00 50 00 00"), vec![0xc0; 5 << 20]].concat();
    let error = decode(&list(Type::Bool), &wide).unwrap_err().to_string();
    assert!(error.contains(&MAX_NODES.to_string()), "{error}");
}

#[test]
fn the_deepest_values_that_are_accepted_fit_the_stack() {
    let mut ty = Type::String;
    let mut value = Value::string("x");
    for _ in 0..60 {
        value = Value::Dynamic(
            Box::new(Type::Tuple(vec![ty.clone()])),
            Box::new(Value::List(vec![value])),
        );
        ty = Type::Dynamic;
    }
    let bytes = encode(&Type::Dynamic, &value);
    // As small as a thread that answers calls.
    let thread = std::thread::Builder::new()
        .stack_size(1 << 20)
        .spawn(move || {
            let back = decode(&Type::Dynamic, &bytes).unwrap();
            assert_eq!(back, value);
            let sets = |v: &Value| Value::Set(vec![v.clone(), Value::Null]);
            assert_eq!(sets(&back), Value::Set(vec![Value::Null, value]));
        });
    thread.unwrap().join().unwrap();
}

/// A type with a value of it.
fn typed() -> impl Strategy<Value = (Type, Value)> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(|b| (Type::Bool, Value::Bool(b))),
        ".{0,40}".prop_map(|s| (Type::String, Value::String(s))),
        any::<i64>().prop_map(|n| (Type::Number, Value::int(n))),
        any::<u64>().prop_map(|n| (
            Type::Number,
            Value::Number(Number::parse(&n.to_string()).unwrap())
        )),
        any::<f64>()
            .prop_filter("a number", |n| !n.is_nan())
            .prop_map(|n| (Type::Number, Value::Number(Number::Float(n)))),
        Just((Type::String, Value::Null)),
        Just((Type::Dynamic, Value::UNKNOWN)),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            (inner.clone(), 0usize..40).prop_map(|((t, v), n)| (list(t), Value::List(vec![v; n]))),
            prop::collection::vec(inner.clone(), 0..20).prop_map(|items| {
                let (types, values) = items.into_iter().unzip();
                (Type::Tuple(types), Value::List(values))
            }),
            prop::collection::btree_map(".{0,8}", inner.clone(), 0..20).prop_map(|fields| {
                let (mut types, mut values) = (BTreeMap::new(), BTreeMap::new());
                for (name, (ty, value)) in fields {
                    types.insert(name.clone(), ty);
                    values.insert(name, value);
                }
                (Type::Object(types), Value::Map(values))
            }),
            inner.prop_map(|(t, v)| (Type::Dynamic, Value::Dynamic(Box::new(t), Box::new(v)))),
        ]
    })
}

proptest! {
    #[test]
    fn round_trip((ty, value) in typed()) {
        let bytes = encode(&ty, &value);
        let back = decode(&ty, &bytes).unwrap();
        prop_assert_eq!(&back, &value);
        prop_assert_eq!(encode(&ty, &back), bytes);
    }

    #[test]
    fn arbitrary_bytes_never_panic((ty, _) in typed(), bytes: Vec<u8>) {
        let _ = decode(&ty, &bytes);
    }

    #[test]
    fn damaged_values_never_panic((ty, value) in typed(), at: prop::sample::Index, byte: u8) {
        let mut bytes = encode(&ty, &value);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decode(&ty, &bytes);
        let _ = decode(&ty, &bytes[..at]);
    }
}
