#![allow(non_snake_case, reason = "a fault that the tests look for")]

use std::collections::BTreeMap;

use super::*;
use crate::protocol::message::NestingMode;
use crate::value::Value;
use crate::{model, path};

model! {
    /// A house.
    ///
    /// With *rooms*.
    struct House {
        /// Its name.
        name: String = required().replace(),
        /// How many stand here.
        r#type: String = optional().default_str("brick").one_of(&["brick", "wood"]),
        floors: i64 = optional().range(1..=9),
        open: bool = optional_computed().keep(),
        key: String = optional().write_only(),
        owners: Vec<String> = optional(),
        lodgers: Vec<Val<String>> = optional(),
        labels: BTreeMap<String, String> = optional(),
        extra: Dynamic = optional(),
        door: Door = optional(),
        rooms: Vec<Room> = optional(),
        by_name: BTreeMap<String, Room> = optional(),
        some: Set<Room> = optional(),
    }

    struct Door {
        pin: String = required().write_only(),
    }

    struct Room {
        size: i64 = required(),
    }
}

fn house() -> House {
    House {
        name: "a".into(),
        r#type: "wood".into(),
        floors: 2.into(),
        open: Val::Unknown,
        key: "secret".into(),
        owners: vec!["x".to_owned()].into(),
        lodgers: vec![Val::Null, Val::Unknown, "y".into()].into(),
        labels: BTreeMap::from([("k".to_owned(), "v".to_owned())]).into(),
        extra: Dynamic::string("e").into(),
        door: Door { pin: "1234".into() }.into(),
        rooms: vec![Room { size: 3.into() }].into(),
        by_name: BTreeMap::from([("r".to_owned(), Room { size: 4.into() })]).into(),
        some: Set(vec![Room { size: 5.into() }]).into(),
    }
}

#[test]
fn a_model_is_its_schema() {
    let schema = Schema::of::<House>(Role::Resource, 3).unwrap();
    assert_eq!(schema.description, "A house.\n\nWith *rooms*.");
    assert!(schema.has_write_only());
    let wire = wire::schema(&schema);
    let block = wire.block.unwrap();
    let get = |name: &str| block.attributes.iter().find(|a| a.name == name).unwrap();
    assert_eq!(wire.version, 3);
    assert_eq!(get("name").description, "Its name.");
    assert!(get("name").required && !get("name").computed);
    // A default is the provider's value where the configuration has none.
    assert!(get("type").optional && get("type").computed);
    assert!(get("key").write_only);
    assert_eq!(get("lodgers").r#type, br#"["list","string"]"#);
    assert_eq!(get("extra").r#type, br#""dynamic""#);
    let nesting = |name: &str| get(name).nested_type.as_ref().unwrap().nesting;
    assert_eq!(nesting("door"), NestingMode::Single as i32);
    assert_eq!(nesting("rooms"), NestingMode::List as i32);
    assert_eq!(nesting("by_name"), NestingMode::Map as i32);
    assert_eq!(nesting("some"), NestingMode::Set as i32);
    assert!(get("door").nested_type.as_ref().unwrap().attributes[0].write_only);
}

#[test]
fn there_and_back() {
    let value = house().to_value();
    assert_eq!(House::from_value(&value).unwrap(), house());
    let bytes = crate::value::msgpack::encode(&object_type(&House::attributes()), &value);
    let back = crate::value::msgpack::decode(&object_type(&House::attributes()), &bytes).unwrap();
    assert_eq!(House::from_value(&back).unwrap(), house());
}

#[test]
fn debug_hides_secrets() {
    let text = format!("{:?}", house());
    assert!(!text.contains("secret") && !text.contains("1234"), "{text}");
    assert!(text.contains("wood"), "{text}");
}

#[test]
fn an_unknown_element_makes_a_list_of_plain_values_unknown() {
    let mut value = house().to_value();
    value.set(
        "owners",
        Value::List(vec![Value::string("a"), Value::UNKNOWN]),
    );
    assert!(House::from_value(&value).unwrap().owners.is_unknown());
}

#[test]
fn all_misfits_with_their_places() {
    let mut value = house().to_value();
    value.set("owners", Value::List(vec![Value::UNKNOWN, Value::Null]));
    value.set("labels", Value::object([("k", Value::Null)]));
    value.set(
        "rooms",
        Value::List(vec![Value::object([(
            "size",
            Value::Number(crate::value::Number::Float(0.5)),
        )])]),
    );
    let Err(Misfit::Wrong(all)) = House::from_value(&value) else {
        panic!("fits");
    };
    let all: Vec<(String, &str)> = all
        .iter()
        .map(|(p, m)| (p.to_string(), m.as_str()))
        .collect();
    assert_eq!(
        all,
        [
            ("owners[1]".to_owned(), "must not be null"),
            ("labels[\"k\"]".to_owned(), "must not be null"),
            (
                "rooms[0].size".to_owned(),
                "must be a whole number that fits into 64 bits"
            ),
        ]
    );
    assert_eq!(path!("owners", 1).to_string(), "owners[1]");
}

model! {
    struct Faulty {
        count: String = required(),
        Big: String = required(),
        both: String = optional().write_only().default_str("x"),
        set: Set<Door> = optional(),
        deep: BTreeMap<String, SetOfDoors> = optional(),
        kept: String = required().keep(),
        wrong: i64 = optional().default_str("x"),
        must: String = required().default_str("x"),
        many: Vec<Dynamic> = optional(),
        nested: Vec<AnyThing> = optional(),
        object: Door = optional().write_only(),
        computed: Room = computed(),
        changing: String = optional().write_only().replace(),
    }
    struct SetOfDoors { doors: Set<Door> = optional() }
    struct AnyThing { any: Dynamic = optional() }
}

#[test]
fn faults_of_a_schema() {
    let error = Schema::of::<Faulty>(Role::Resource, 0)
        .unwrap_err()
        .to_string();
    let lines: Vec<&str> = error.lines().skip(1).collect();
    assert_eq!(
        lines,
        [
            "count: the name is reserved",
            "Big: a name has lower-case letters, digits and underscores",
            "both: a write-only attribute can't be computed or have a default",
            "set.pin: a set can't hold write-only attributes",
            "deep.doors.pin: a set can't hold write-only attributes",
            "kept: only a computed attribute can be kept",
            "wrong: the default is of another type",
            "must: only an optional attribute has a default",
            "many: a collection's elements are of one type, not dynamic",
            "nested.any: a collection's elements are of one type, not dynamic",
            "object: mark the nested attributes write-only, not the object",
            "computed.size: within a computed attribute all are computed",
            "changing: a write-only attribute is never seen to change",
        ]
    );
    let error = Schema::of::<House>(Role::DataSource, 0)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("key: only a resource has write-only attributes"),
        "{error}"
    );
}
