use serde_json::Value;

use super::*;
use crate::model::FileEntry;
use crate::parse::{Document, parse};

fn spec(text: &str) -> Spec {
    parse(&[Document { name: "a", text }])
        .unwrap_or_else(|faults| panic!("{text}\n{faults}"))
        .spec
}

#[test]
fn every_key() {
    let spec = spec(include_str!("../parse/tests/options.yml"));
    let text = yaml(&spec);
    insta::assert_snapshot!(text);
    // An empty list of a mount says no more than none: the text is compared, not the model.
    assert_eq!(yaml(&self::spec(&text)), text);
    insta::assert_snapshot!(json(&spec));
}

#[test]
fn an_empty_spec() {
    let spec = Spec::default();
    assert_eq!(
        yaml(&spec),
        "kernel:\n  image: \"\"\ninit: []\nonboot: []\nonshutdown: []\nservices: []\nfiles: []\nvolumes: []\n"
    );
    assert_eq!(self::spec(&yaml(&spec)), spec);
    let value: Value = serde_json::from_str(&json(&spec)).unwrap();
    assert_eq!(value["services"], Value::Null);
}

#[test]
fn texts_survive() {
    for text in [
        "",
        " ",
        "a",
        "a\n",
        "a\nb",
        "a\nb\n",
        "a\n\n\nb\n\n\n",
        " a\nb",
        "\na\nb",
        "a\n b\n",
        "yes",
        "No",
        "null",
        "~",
        "1",
        "1.5",
        "0x1",
        "2017-04-18",
        "12:30:00",
        "a: b",
        "a #b",
        "a:",
        "- a",
        "'",
        "\"",
        "\\",
        "@x",
        "%x",
        "\t",
        "a\tb\nc",
        "\u{7f}",
        "\u{85}",
        "\u{2028}",
        "\u{feff}x",
        "äöü\nß",
        "🦀",
        "a\r\nb",
        "{",
        "[a]",
        "*a",
        "&a",
        "!a",
        "|",
        ">",
        "---",
        "...",
        "a\n---\nb\n",
        "<<",
        "=",
        "\0",
        "a\n   \nb",
    ] {
        let mut spec = Spec::default();
        spec.files.push(FileEntry {
            path: "a".to_owned(),
            contents: Some(text.to_owned()),
            ..FileEntry::default()
        });
        let printed = yaml(&spec);
        assert_eq!(self::spec(&printed), spec, "{printed}");
        let value: Value = serde_json::from_str(&json(&spec)).unwrap();
        assert_eq!(value["files"][0]["contents"], text);
    }
}

#[test]
fn bytes() {
    let mut spec = Spec::default();
    let packed = Some("/wA=".to_owned());
    spec.files.push(FileEntry {
        path: "a".to_owned(),
        contents_base64: packed,
        ..FileEntry::default()
    });
    assert!(
        yaml(&spec).contains("  contents: !!binary \"/wA=\"\n  optional: false\n")
            || yaml(&spec).contains("!!binary /wA=\n")
    );
    let value: Value = serde_json::from_str(&json(&spec)).unwrap();
    assert_eq!(value["files"][0]["contents"], "\u{fffd}\0");
    spec.files[0].contents_base64 = Some("aGk=".to_owned());
    assert_eq!(
        self::spec(&yaml(&spec)).files[0].contents.as_deref(),
        Some("hi")
    );
}
