//! Rules about plans and results, value by value.

use super::rules::{check_plan, check_result};
use crate::schema::Model as _;
use crate::value::{Type, Value};
use crate::{Dynamic, model};

model! {
    struct Model {
        set: String = optional(),
        either: String = optional_computed(),
        made: String = computed(),
        hidden: String = optional().write_only(),
        any: Dynamic = optional(),
        list: Vec<Item> = optional(),
    }

    struct Item {
        given: String = required(),
        made: String = computed(),
    }
}

fn object(fields: &[(&str, Value)]) -> Value {
    Value::object(fields.iter().cloned())
}

fn faults(config: &Value, prior: &Value, planned: &Value) -> String {
    match check_plan(&Model::attributes(), config, prior, planned) {
        Ok(()) => String::new(),
        Err(all) => {
            let paths: Vec<String> = all.iter().map(|d| d.path.to_string()).collect();
            paths.join(" ")
        }
    }
}

#[test]
fn plans() {
    let (a, b) = (Value::string("a"), Value::string("b"));
    let one = |name: &str, value: &Value| object(&[(name, value.clone())]);
    let none = object(&[]);
    // As configured.
    assert_eq!(faults(&one("set", &a), &none, &one("set", &a)), "");
    assert_eq!(faults(&one("set", &a), &none, &one("set", &b)), "set");
    assert_eq!(faults(&one("set", &a), &none, &none), "set");
    // The prior value in its stead.
    assert_eq!(
        faults(&one("set", &a), &one("set", &b), &one("set", &b)),
        ""
    );
    assert_eq!(faults(&none, &one("set", &b), &one("set", &b)), "set");
    // Computed.
    assert_eq!(faults(&none, &none, &one("either", &a)), "");
    assert_eq!(
        faults(&one("either", &a), &none, &one("either", &b)),
        "either"
    );
    assert_eq!(faults(&none, &none, &one("made", &Value::UNKNOWN)), "");
    // Unknown stays unknown.
    assert_eq!(
        faults(
            &one("set", &Value::UNKNOWN),
            &none,
            &one("set", &Value::UNKNOWN)
        ),
        ""
    );
    assert_eq!(
        faults(&one("set", &Value::UNKNOWN), &none, &one("set", &a)),
        "set"
    );
    // Write-only is null whatever is configured.
    assert_eq!(faults(&one("hidden", &a), &none, &none), "");
    // A list is not a tuple.
    let dynamic = |ty| {
        let items = Value::List(vec![Value::string("x")]);
        Value::Dynamic(Box::new(ty), Box::new(items))
    };
    let list = one("any", &dynamic(Type::List(Box::new(Type::String))));
    let tuple = one("any", &dynamic(Type::Tuple(vec![Type::String])));
    assert_eq!(faults(&tuple, &none, &tuple), "");
    assert_eq!(faults(&tuple, &none, &list), "any");
}

#[test]
fn nested_plans() {
    let item =
        |given: &str, made: Value| object(&[("given", Value::string(given)), ("made", made)]);
    let list = |items: &[Value]| object(&[("list", Value::List(items.to_vec()))]);
    let none = object(&[]);
    let config = list(&[item("a", Value::Null), item("b", Value::Null)]);
    let planned = list(&[item("a", Value::UNKNOWN), item("b", Value::string("m"))]);
    assert_eq!(faults(&config, &none, &planned), "");
    let wrong = list(&[item("a", Value::UNKNOWN), item("c", Value::UNKNOWN)]);
    assert_eq!(faults(&config, &none, &wrong), "list[1].given");
    assert_eq!(
        faults(&config, &none, &list(&[item("a", Value::Null)])),
        "list"
    );
}

#[test]
fn results() {
    let (a, b) = (Value::string("a"), Value::string("b"));
    let planned = object(&[("x", a.clone()), ("y", Value::UNKNOWN)]);
    let result = |x: &Value, y: &Value| object(&[("x", x.clone()), ("y", y.clone())]);
    assert!(check_result(&planned, &result(&a, &b)).is_ok());
    assert!(check_result(&planned, &result(&a, &Value::Null)).is_ok());
    let error = check_result(&planned, &result(&b, &b)).unwrap_err();
    assert_eq!(
        error.iter().next().map(|d| d.path.to_string()).as_deref(),
        Some("x")
    );
    let list = |items: &[Value]| object(&[("l", Value::List(items.to_vec()))]);
    assert!(
        check_result(
            &list(&[a.clone(), Value::UNKNOWN]),
            &list(&[a.clone(), b.clone()])
        )
        .is_ok()
    );
    assert!(check_result(&list(std::slice::from_ref(&a)), &list(&[a.clone(), b])).is_err());
    let set = |items: &[Value]| object(&[("s", Value::Set(items.to_vec()))]);
    let two = [Value::int(1), Value::int(2)];
    assert!(check_result(&set(&two), &set(&[Value::int(2), Value::int(1)])).is_ok());
    assert!(check_result(&set(&two), &set(&[Value::int(2), Value::int(3)])).is_err());
}
