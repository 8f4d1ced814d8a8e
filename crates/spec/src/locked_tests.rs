use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::model::Container;
use crate::parse::{Document, parse};
use crate::pin::tests::{lock, locked};

fn sample() -> LockedSpec {
    let text = include_str!("parse/tests/options.yml")
        .replace("  - {path: d, source: x, optional: true}\n", "");
    let spec = parse(&[Document {
        name: "a",
        text: &text,
    }])
    .unwrap()
    .spec;
    let mut locked = locked(
        &spec,
        &lock(&[
            "docker.io/linuxkit/kernel:6",
            "quay.io/a/b:1",
            "docker.io/library/y",
        ]),
    );
    locked.disk = DiskOptions {
        size: Some(2048),
        firmware: Some(Firmware::Uefi),
        codec: Codec::Gzip,
        min_memory: 512,
        cmdline: "quiet".to_owned(),
    };
    locked
}

#[test]
fn golden() {
    // Changing this changes every image id: only with a new recipe.
    insta::assert_snapshot!(sample().to_json());
    insta::assert_snapshot!(sample().id());
}

#[test]
fn round_trips() {
    let locked = sample();
    let text = locked.to_json();
    assert_eq!(LockedSpec::parse(&text).unwrap(), locked);
    assert_eq!(LockedSpec::parse(&format!("{text}\n")).unwrap(), locked);
    assert_eq!(locked.id(), Digest::of(text.as_bytes()).to_string());
}

fn edited(edit: impl FnOnce(&mut Value)) -> String {
    let mut value: Value = serde_json::from_str(&sample().to_json()).unwrap();
    edit(&mut value);
    LockedSpec::parse(&serde_json_canonicalizer::to_string(&value).unwrap())
        .unwrap_err()
        .to_string()
}

#[test]
fn unknown_fields_name_the_version() {
    for message in [
        edited(|value| value["colour"] = json!("red")),
        edited(|value| value["disk"]["colour"] = json!("red")),
        edited(|value| value["boot"]["colour"] = json!("red")),
        edited(|value| value["spec"]["colour"] = json!("red")),
        edited(|value| value["spec"]["files"][0]["colour"] = json!("red")),
        edited(|value| value["spec"]["services"][0]["colour"] = json!("red")),
        edited(|value| value["spec"]["services"][0]["mounts"][0]["colour"] = json!("red")),
        edited(|value| value["spec"]["services"][0]["runtime"]["bindNS"]["colour"] = json!("red")),
    ] {
        assert!(
            message.contains("colour") && message.contains("recipe is 1"),
            "{message}"
        );
    }
    let message = edited(|value| value["recipe"] = json!(2));
    assert!(message.contains("asks for recipe 2"), "{message}");
}

#[test]
fn refused() {
    for (message, wanted) in [
        (edited(|value| value["recipe"] = json!("1")), "no `recipe`"),
        (
            edited(|value| value["architecture"] = json!("mips")),
            "unknown variant",
        ),
        (
            edited(|value| value["disk"]["codec"] = json!("auto")),
            "canonical",
        ),
        (
            edited(|value| {
                value["disk"] = json!({"firmware": "hybrid"});
            }),
            "canonical",
        ),
        (
            edited(|value| {
                for (name, digest) in value["images"].as_object_mut().unwrap() {
                    if name.contains('@') {
                        *digest = json!(Digest::of(b"other"));
                    }
                }
            }),
            "another digest than its own",
        ),
        (edited(|value| value["images"] = json!({})), "has no digest"),
        (
            edited(|value| value["images"]["docker.io/library/z"] = json!(Digest::of(b""))),
            "is pinned and not in the spec",
        ),
        (
            edited(|value| value["spec"]["onboot"] = json!([])),
            "canonical",
        ),
        (
            edited(|value| drop(value["spec"].as_object_mut().unwrap().remove("init"))),
            "`builtin:init` is pinned",
        ),
        (
            edited(|value| value["spec"]["files"][0]["path"] = json!("../a")),
            "leaves the root",
        ),
        (
            edited(|value| {
                value["spec"]["files"][2] = json!({"path": "a", "source": "/etc/shadow"})
            }),
            "is not inlined",
        ),
        (
            edited(|value| value["spec"]["services"][0]["name"] = json!("../../x")),
            "leaves its directory",
        ),
        (
            edited(|value| value["boot"]["parts"] = json!({"../x": Digest::of(b"")})),
            "no name of a boot part",
        ),
        (
            edited(|value| value["disk"]["size"] = json!(0)),
            "disk size",
        ),
        (
            edited(|value| value["disk"]["size"] = json!((64_u64 << 20) + 1)),
            "disk size",
        ),
        (
            edited(|value| {
                value["spec"]["files"][2] =
                    json!({"path": "a", "contents": "a", "contents_base64": "YQ=="})
            }),
            "both",
        ),
        (
            edited(|value| {
                value["spec"]["files"][2] = json!({"path": "a", "contents_base64": "!"})
            }),
            "base64",
        ),
    ] {
        assert!(message.contains(wanted), "wanted {wanted}, got {message}");
    }
    for text in [
        "",
        "{}",
        "[]",
        "1",
        "{\"recipe\":1}",
        &"[".repeat(100_000),
        "{\"recipe\":18446744073709551616}",
    ] {
        assert!(LockedSpec::parse(text).is_err());
    }
    let text = sample().to_json();
    assert!(matches!(
        LockedSpec::parse(&text.replacen(':', ": ", 1)),
        Err(LockedError::NotCanonical)
    ));
    assert!(LockedSpec::parse(&text.replacen('{', "{\"recipe\":1,", 1)).is_err());
}

/// What YAML leaves to taste must not reach the id.
#[test]
fn spelling_does_not_matter() {
    let id = |text: &str| {
        let spec = parse(&[Document { name: "x", text }]).unwrap().spec;
        locked(
            &spec,
            &lock(&["docker.io/library/b", "docker.io/library/i"]),
        )
        .id()
    };
    let block = "\
# a comment
init: [i]
services:
  - name: a
    image: docker.io/library/b
    env: [A=1]
    net: host
  - name: c
    image: b
    env: [A=1]
    net: host
";
    let flow = r#"{"services": [{image: b, name: 'a', net: "host", env: ["A=1"]}, {net: host, name: c, env: [A=1], image: b}], "init": ["i"], files: [], kernel: {}}"#;
    let anchors = "
services:
  - &a {name: a, image: b, env: [A=1], net: host}
  - {<<: *a, name: c}
init:
- >-
  i
";
    assert_eq!(id(block), id(flow));
    assert_eq!(id(block), id(anchors));
    assert_ne!(id(block), id(&block.replace("A=1", "A=2")));
}

fn yaml(spec: &Spec, flow: bool, reverse: bool, comment: &str) -> String {
    let mut value = serde_json::to_value(spec).unwrap();
    value.sort_all_objects();
    let mut out = format!("# {comment}\n");
    write(&mut out, &value, flow, reverse, 0);
    out
}

/// A YAML of the same meaning: JSON with the keys in another order, or block style.
fn write(out: &mut String, value: &Value, flow: bool, reverse: bool, indent: usize) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let mut pairs: Vec<_> = map.iter().collect();
            if reverse {
                pairs.reverse();
            }
            out.push_str(if flow { "{" } else { "" });
            for (key, value) in pairs {
                if flow {
                    out.push_str(&format!("'{key}' : "));
                    write(out, value, true, reverse, indent);
                    out.push_str(" ,\n");
                } else {
                    out.push_str(&format!("\n{:indent$}{key}:   ", ""));
                    write(out, value, false, reverse, indent + 3);
                }
            }
            out.push_str(if flow { "}" } else { "" });
        }
        Value::Array(list) if !list.is_empty() => {
            out.push_str(if flow { "[" } else { "" });
            for value in list {
                if flow {
                    write(out, value, true, reverse, indent);
                    out.push(',');
                } else {
                    out.push_str(&format!("\n{:indent$}-  # here\n{:indent$}  ", "", ""));
                    write(
                        out,
                        value,
                        matches!(value, Value::String(_)),
                        reverse,
                        indent + 2,
                    );
                }
            }
            out.push_str(if flow { "]" } else { "" });
        }
        other => out.push_str(&other.to_string()),
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9/:. =#-]{0,12}",
        "\\PC{0,8}",
        Just("yes".to_owned()),
        Just("1".to_owned()),
        Just("@x".to_owned()),
        "[a\n\t\"']{0,6}"
    ]
}

prop_compose! {
    fn container()(
        name in "[a-z]{1,6}",
        command in proptest::option::of(proptest::collection::vec(text(), 0..4)),
        sysctl in proptest::option::of(proptest::collection::btree_map("[a-z.]{1,8}", text(), 0..3)),
        readonly in proptest::option::of(any::<bool>()),
        oom in proptest::option::of(-1000_i64..1000),
    ) -> Container {
        let options = crate::model::Options { command, sysctl, readonly, oom_score_adj: oom, ..Default::default() };
        Container { name, image: "docker.io/library/b".to_owned(), options }
    }
}

prop_compose! {
    fn any_spec()(
        onboot in proptest::collection::vec(container(), 0..4),
        contents in proptest::collection::vec(text(), 0..4),
    ) -> Spec {
        let file = |contents| crate::model::FileEntry { path: "etc/a".to_owned(), contents: Some(contents), ..Default::default() };
        Spec { onboot, files: contents.into_iter().map(file).collect(), ..Default::default() }
    }
}

proptest! {
    #[test]
    fn any_spelling_has_one_id(spec in any_spec(), flow: bool, reverse: bool, comment in "[a-z ]{0,9}") {
        let text = yaml(&spec, flow, reverse, &comment);
        let parsed = parse(&[Document { name: "x", text: &text }]);
        let parsed = parsed.map_err(|faults| TestCaseError::fail(format!("{text}\n{faults}")))?;
        prop_assert_eq!(&parsed.spec, &spec);
        let lock = lock(&["docker.io/library/b"]);
        prop_assert_eq!(locked(&parsed.spec, &lock).id(), locked(&spec, &lock).id());
    }

    #[test]
    fn metadata_is_the_spec_again(spec in any_spec()) {
        let text = crate::metadata::yaml(&spec);
        let parsed = parse(&[Document { name: "x", text: &text }]);
        let parsed = parsed.map_err(|faults| TestCaseError::fail(format!("{text}\n{faults}")))?;
        prop_assert_eq!(&parsed.spec, &spec, "{}", text);
        let json: Value = serde_json::from_str(&crate::metadata::json(&spec)).unwrap();
        prop_assert_eq!(json["files"].as_array().map_or(0, Vec::len), spec.files.len());
    }

    #[test]
    fn hostile_text(text in "\\PC{0,200}") {
        prop_assert!(LockedSpec::parse(&text).is_err());
        drop(crate::lock::Lock::parse(&text));
    }

    #[test]
    fn hostile_edits(cut in 0_usize..4000, length in 0_usize..40, with in "[\\[\\]{},:\"0-9a-z]{0,6}") {
        let text = sample().to_json();
        let start = cut.min(text.len());
        let end = (start + length).min(text.len());
        let edited = format!("{}{with}{}", &text[..start], &text[end..]);
        if let Ok(locked) = LockedSpec::parse(&edited) {
            prop_assert_eq!(locked.to_json(), edited);
        }
    }
}
