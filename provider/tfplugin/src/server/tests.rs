//! Calls as Terraform sends them, and as older and newer ones would.

use serde_json::json;

use super::*;
use crate::diag::Path;
use crate::resource::{OldState, Plan};
use crate::schema::{Dynamic, Val};
use crate::{Provider, Registry, Resource, model, path};

#[derive(Debug)]
struct Tool;

model! {
    /// A tool.
    struct Model {
        /// Its name.
        name: String = required(),
        /// A secret.
        secret: String = optional().write_only(),
        /// Anything.
        any: Dynamic = optional(),
        /// What is in it.
        inner: Inner = optional(),
        /// Its id.
        id: String = computed().keep(),
        /// Its weight.
        weight: i64 = computed(),
    }

    /// What is in it.
    struct Inner {
        /// A key.
        key: String = required().write_only(),
        /// A mode.
        mode: String = optional().default_str("soft"),
    }
}

impl Resource for Tool {
    type Model = Model;
    const NAME: &'static str = "tool";
    const VERSION: i64 = 1;

    fn plan(&self, cx: &mut Cx, plan: &mut Plan<Model>) -> Result<(), Diagnostics> {
        if cx.client().store_planned_private {
            cx.set_private([b"again ", cx.planned_private()].concat());
        }
        if plan
            .planned
            .name
            .known()
            .is_some_and(|n| n.contains("unknown id"))
        {
            plan.planned.id = Val::Unknown;
        }
        Ok(())
    }

    fn create(&self, cx: &mut Cx, _: &Model, state: &mut Model) -> Result<(), Diagnostics> {
        cx.provider::<u8>()?;
        state.id = "1".into();
        state.weight = 5.into();
        Ok(())
    }

    fn read(&self, _: &mut Cx, mut state: Model) -> Result<Option<Model>, Diagnostics> {
        if state.name.known().is_some_and(|n| n == "gone") {
            return Ok(None);
        }
        if state.name.known().is_some_and(|n| n == "vague") {
            state.weight = Val::Unknown;
        }
        Ok(Some(state))
    }

    fn delete(&self, _: &mut Cx, _: &mut Model) -> Result<(), Diagnostics> {
        Err(Diagnostic::error("It stays", "").into())
    }

    fn upgrade(&self, version: i64, state: &mut OldState) -> Result<(), Diagnostics> {
        assert_eq!(version, 0);
        if let Some(old) = state.remove("called") {
            state.insert("name".to_owned(), old);
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Tools;

impl Provider for Tools {
    type Config = ();
    type Data = u8;
    const NAME: &'static str = "box";

    fn configure(&self, _: &mut Cx, (): &()) -> Result<u8, Diagnostics> {
        Ok(1)
    }

    fn registry(&self) -> Registry {
        Registry::new().resource(Tool)
    }
}

fn server() -> Server {
    let server = Server::new(AnyProvider::new(Tools).unwrap());
    let configured = server.configure(m::ConfigureRequest {
        terraform_version: "1.11.4".to_owned(),
        config: None,
        client_capabilities: None,
    });
    assert!(configured.diagnostics.is_empty(), "{configured:?}");
    server
}

fn ty() -> Type {
    crate::schema::object_type(&<Model as crate::schema::Model>::attributes())
}

fn wire(value: &Value) -> Option<m::DynamicValue> {
    Some(encode(&ty(), value))
}

fn value(wire: Option<m::DynamicValue>) -> Value {
    decode(&ty(), wire).unwrap()
}

fn tool(name: &str) -> Value {
    Value::object([
        ("name", Value::string(name)),
        ("secret", Value::Null),
        ("any", Value::Null),
        ("inner", Value::Null),
        ("id", Value::Null),
        ("weight", Value::Null),
    ])
}

fn summaries(diagnostics: &[m::Diagnostic]) -> Vec<String> {
    diagnostics
        .iter()
        .map(|d| format!("{}: {}", d.summary, d.detail))
        .collect()
}

fn new() -> m::ClientCapabilities {
    m::ClientCapabilities {
        deferral_allowed: true,
        write_only_attributes_allowed: true,
        store_planned_private: false,
    }
}

#[test]
fn write_only_values_need_a_terraform_that_knows_them() {
    let mut config = tool("a");
    config.set("secret", Value::string("s"));
    config.set(
        "inner",
        Value::object([("key", Value::UNKNOWN), ("mode", Value::Null)]),
    );
    let validate = |client| {
        server().validate_resource(m::ValidateRequest {
            type_name: "box_tool".to_owned(),
            config: wire(&config),
            client_capabilities: client,
        })
    };
    assert!(validate(Some(new())).diagnostics.is_empty());
    for client in [None, Some(m::ClientCapabilities::default())] {
        let told = validate(client).diagnostics;
        assert_eq!(told.len(), 2);
        assert!(told[0].detail.contains("Terraform ≥ 1.11"));
        assert_eq!(told[0].attribute, Some(path!("secret").to_wire()));
        assert_eq!(told[1].attribute, Some(path!("inner", ["key"]).to_wire()));
    }
}

#[test]
fn everything_works_without_a_schema_call_or_a_configuration() {
    let server = Server::new(AnyProvider::new(Tools).unwrap());
    let told = server.validate_resource(m::ValidateRequest {
        type_name: "box_tool".to_owned(),
        config: wire(&Value::Unknown(Default::default())),
        client_capabilities: Some(new()),
    });
    assert_eq!(
        told.diagnostics.len(),
        1,
        "an object is never wholly unknown"
    );
    let applied = server.apply(m::ApplyRequest {
        type_name: "box_tool".to_owned(),
        prior_state: wire(&Value::Null),
        planned_state: wire(&tool("a")),
        config: wire(&tool("a")),
        planned_private: Vec::new(),
    });
    assert_eq!(applied.diagnostics[0].summary, "Provider is not configured");
    assert!(value(applied.new_state).is_null());
}

#[test]
fn a_plan_by_the_rules() {
    let mut config = tool("a");
    config.set("secret", Value::string("s"));
    config.set(
        "inner",
        Value::object([("key", Value::string("k")), ("mode", Value::Null)]),
    );
    let any = Value::Dynamic(
        Box::new(Type::Tuple(vec![Type::String, Type::String])),
        Box::new(Value::List(vec![Value::string("x"), Value::UNKNOWN])),
    );
    config.set("any", any.clone());
    let planned = server().plan(m::PlanRequest {
        type_name: "box_tool".to_owned(),
        prior_state: wire(&Value::Null),
        // Terraform proposes write-only values too.
        proposed_new_state: wire(&config),
        config: wire(&config),
        prior_private: Vec::new(),
        client_capabilities: Some(new()),
        planned_private: Vec::new(),
    });
    assert!(planned.diagnostics.is_empty(), "{planned:?}");
    let state = value(planned.planned_state);
    assert!(state.get("secret").is_null());
    assert!(state.get("inner").get("key").is_null());
    assert_eq!(state.get("inner").get("mode"), &Value::string("soft"));
    assert_eq!(state.get("any"), &any);
    assert!(state.get("id").is_unknown() && state.get("weight").is_unknown());
}

fn plan(server: &Server, prior: &Value, proposed: &Value) -> m::PlanResponse {
    server.plan(m::PlanRequest {
        type_name: "box_tool".to_owned(),
        prior_state: wire(prior),
        proposed_new_state: wire(proposed),
        config: wire(&tool(match proposed.get("name") {
            Value::String(name) => name,
            _ => "",
        })),
        prior_private: b"p".to_vec(),
        client_capabilities: Some(new()),
        planned_private: Vec::new(),
    })
}

#[test]
fn what_is_equal_stays_as_it_is() {
    let mut prior = tool("a");
    prior.set("id", Value::string("1"));
    prior.set("weight", Value::Number(crate::value::Number::Float(5.0)));
    let planned = plan(&server(), &prior, &prior);
    assert_eq!(value(planned.planned_state), prior);
    assert_eq!(planned.planned_private, b"p");
    // A change leaves `id`, which is kept, and not `weight`.
    let mut proposed = prior.clone();
    proposed.set("name", Value::string("b"));
    let planned = value(plan(&server(), &prior, &proposed).planned_state);
    assert_eq!(planned.get("id"), &Value::string("1"));
    assert!(planned.get("weight").is_unknown());
    // The resource may plan a change where there seems to be none.
    let mut same = prior.clone();
    same.set("name", Value::string("unknown id"));
    let planned = value(plan(&server(), &same, &same).planned_state);
    assert!(planned.get("id").is_unknown());
    assert_eq!(planned.get("weight"), &Value::int(5));
    // And it has the last word.
    proposed.set("name", Value::string("unknown id"));
    let planned = value(plan(&server(), &prior, &proposed).planned_state);
    assert!(planned.get("id").is_unknown());
}

#[test]
fn private_bytes_of_the_first_plan_where_terraform_keeps_them() {
    let planned = server().plan(m::PlanRequest {
        type_name: "box_tool".to_owned(),
        prior_state: None,
        proposed_new_state: wire(&tool("a")),
        config: wire(&tool("a")),
        prior_private: Vec::new(),
        client_capabilities: Some(m::ClientCapabilities {
            store_planned_private: true,
            ..new()
        }),
        planned_private: b"first".to_vec(),
    });
    assert_eq!(planned.planned_private, b"again first");
}

#[test]
fn a_failed_delete_keeps_the_state() {
    let mut prior = tool("a");
    prior.set("id", Value::string("1"));
    let applied = server().apply(m::ApplyRequest {
        type_name: "box_tool".to_owned(),
        prior_state: wire(&prior),
        planned_state: wire(&Value::Null),
        config: wire(&Value::Null),
        planned_private: b"p".to_vec(),
    });
    assert_eq!(summaries(&applied.diagnostics), ["It stays: "]);
    assert_eq!(value(applied.new_state), prior);
    assert_eq!(applied.private, b"p");
}

#[test]
fn reading() {
    let read = |name: &str| {
        let mut state = tool(name);
        // A client without write-only attributes stored it.
        state.set("secret", Value::string("s"));
        server().read(m::ReadRequest {
            type_name: "box_tool".to_owned(),
            current_state: wire(&state),
            private: b"p".to_vec(),
            client_capabilities: Some(new()),
        })
    };
    let there = read("a");
    assert_eq!(there.private, b"p");
    assert_eq!(value(there.new_state), tool("a"));
    assert!(value(read("gone").new_state).is_null());
    let vague = read("vague");
    assert!(summaries(&vague.diagnostics)[0].contains("read weight as unknown"));
    assert_eq!(value(vague.new_state).get("name"), &Value::string("vague"));
}

fn upgrade(version: i64, json: &serde_json::Value) -> m::UpgradeResponse {
    server().upgrade(m::UpgradeRequest {
        type_name: "box_tool".to_owned(),
        version,
        raw_state: Some(m::RawState {
            json: json.to_string().into_bytes(),
            flatmap: BTreeMap::new(),
        }),
    })
}

#[test]
fn stored_states_are_brought_up_to_date() {
    let old = json!({
        "called": "a", "gone": [1, 2], "secret": "stored by an old client",
        "inner": {"key": "k", "mode": "soft", "more": true}, "weight": 5,
        "any": {"value": [1, "x"], "type": ["tuple", ["number", "string"]]},
    });
    let upgraded = upgrade(0, &old);
    assert!(upgraded.diagnostics.is_empty(), "{upgraded:?}");
    let state = value(upgraded.upgraded_state);
    assert_eq!(state.get("name"), &Value::string("a"));
    assert!(state.get("secret").is_null() && state.get("inner").get("key").is_null());
    assert!(state.get("id").is_null());
    assert_eq!(state.get("weight"), &Value::int(5));
    // Of this version: the hook isn't asked.
    let current = upgrade(1, &json!({"name": "b"}));
    assert_eq!(value(current.upgraded_state), tool("b"));
    let newer = upgrade(2, &json!({}));
    assert!(summaries(&newer.diagnostics)[0].contains("newer version of the provider"));
    let wrong = upgrade(1, &json!({"weight": "heavy"}));
    assert!(summaries(&wrong.diagnostics)[0].contains("weight: expected a number"));
    let legacy = server().upgrade(m::UpgradeRequest {
        type_name: "box_tool".to_owned(),
        version: 0,
        raw_state: Some(m::RawState::default()),
    });
    assert!(summaries(&legacy.diagnostics)[0].contains("Terraform 0.11"));
}

#[test]
fn big_numbers_in_a_stored_state_keep_their_digits() {
    let json = r#"{"any": {"value": 123456789012345678901234567890, "type": "number"}}"#;
    let upgraded = server().upgrade(m::UpgradeRequest {
        type_name: "box_tool".to_owned(),
        version: 1,
        raw_state: Some(m::RawState {
            json: json.as_bytes().to_vec(),
            flatmap: BTreeMap::new(),
        }),
    });
    let state = upgraded.upgraded_state.unwrap().msgpack;
    let digits = b"123456789012345678901234567890";
    assert!(state.windows(digits.len()).any(|window| window == digits));
}

#[test]
fn values_that_are_none() {
    let hostile = [vec![0x91; 300_000], vec![0xc0]].concat();
    for msgpack in [hostile, vec![0xdf, 0xff, 0xff, 0xff, 0xff], vec![0xc1]] {
        let told = server().validate_resource(m::ValidateRequest {
            type_name: "box_tool".to_owned(),
            config: Some(m::DynamicValue {
                msgpack,
                json: Vec::new(),
            }),
            client_capabilities: Some(new()),
        });
        assert_eq!(
            told.diagnostics[0].summary,
            "Terraform sent a value that can't be read"
        );
    }
    let told = server().validate_resource(m::ValidateRequest {
        type_name: "box_hammer".to_owned(),
        ..Default::default()
    });
    assert_eq!(told.diagnostics[0].summary, "Unknown resource type");
    assert_eq!(Path::root().to_string(), "");
}

#[test]
fn a_stop_reaches_calls_and_a_reused_process_forgets_it() {
    let server = server();
    let cancel = server.current_cancel();
    server.stop(m::Empty {});
    assert!(cancel.is_cancelled() && server.cx(None).cancel().is_cancelled());
    let configure = || m::ConfigureRequest::default();
    server.configure(configure());
    assert!(server.cx(None).cancel().is_cancelled());
    let server = server.reused();
    server.configure(configure());
    assert!(!server.cx(None).cancel().is_cancelled());
}

#[test]
fn two_of_a_name_are_a_fault() {
    struct Twice;
    impl Provider for Twice {
        type Config = ();
        type Data = ();
        const NAME: &'static str = "box";
        fn configure(&self, _: &mut Cx, (): &()) -> Result<(), Diagnostics> {
            Ok(())
        }
        fn registry(&self) -> Registry {
            Registry::new().resource(Tool).resource(Tool)
        }
    }
    let error = AnyProvider::new(Twice).unwrap_err().to_string();
    assert!(error.contains("resource tool: there are two"), "{error}");
}
