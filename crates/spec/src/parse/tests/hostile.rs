//! Texts made to hurt.

use super::*;

/// Whatever comes, it ends, and errors stay small.
fn survives(text: &str) -> String {
    let message = match one(text) {
        Ok(_) => String::new(),
        Err(faults) => faults.to_string(),
    };
    assert!(
        message.len() < 1 << 20,
        "{} bytes of message",
        message.len()
    );
    assert!(!message.contains("please report"), "{message}");
    message
}

#[test]
fn nesting() {
    let deep = format!("init: {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(survives(&deep).contains("YAML syntax"));
    let maps = format!("a: {}", "{a: ".repeat(50_000));
    assert!(survives(&maps).contains("YAML syntax"));
    let blocks: String = (0..2000)
        .map(|depth| format!("{:depth$}a:\n", ""))
        .collect();
    assert!(survives(&blocks).contains("YAML syntax"));
    let dashes = format!("{}a", "- ".repeat(50_000));
    assert!(survives(&dashes).contains("YAML syntax"));
    let mut aliases = String::from("a0: &a0 [[[[[[[[[[]]]]]]]]]]\n");
    for level in 1..20_000 {
        let _ = writeln!(aliases, "a{level}: &a{level} [[[[[[[*a{}]]]]]]]", level - 1);
    }
    assert!(survives(&aliases).contains("nested more than"));
}

#[test]
fn alias_bombs() {
    let mut laughs = String::from("a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for level in 1..30 {
        let before = level - 1;
        let _ = writeln!(
            laughs,
            "a{level}: &a{level} [*a{before}, *a{before}, *a{before}, *a{before}, *a{before}, *a{before}]"
        );
    }
    assert!(survives(&laughs).contains("aliases expanded"));
    let big = format!(
        "files:\n- &a\n  path: a\n  contents: {}\n{}",
        "x".repeat(1 << 20),
        "- *a\n".repeat(2000)
    );
    assert!(survives(&big).contains("aliases expanded"));
    let keys: String = (0..50_000).fold(String::new(), |mut keys, key| {
        let _ = write!(keys, "k{key}: 1, ");
        keys
    });
    let merges = format!("a: &a {{{keys}}}\nb:\n{}", " - {<<: *a}\n".repeat(50_000));
    assert!(survives(&merges).contains("merge keys expanded"));
}

#[test]
fn floods() {
    let unknown: String = (0..80_000).fold(String::new(), |mut keys, key| {
        let _ = writeln!(keys, "k{key}: 1");
        keys
    });
    assert!(survives(&unknown).contains("and 79500 more"));
    let line = format!("init: [{}]", "5, ".repeat(80_000));
    assert!(survives(&line).contains("and 79500 more"));
    assert!(survives(&"a".repeat(17 << 20)).contains("more than the"));
    assert!(survives(&format!("init: [{}]", "a, ".repeat(300_000))).contains("values"));
    let huge = format!("kernel: {{cmdline: {}}}", "x".repeat(8 << 20));
    assert_eq!(survives(&huge), "");
    assert!(survives(&format!("{}: 1", "k".repeat(1000))).len() < 2000);
    let comments = format!("{}init: []\n", "# a comment\n".repeat(100_000));
    assert_eq!(survives(&comments), "");
    let number = format!(
        "services: [{{name: a, image: b, oomScoreAdj: {}}}]",
        "9".repeat(1 << 20)
    );
    assert!(survives(&number).contains("oomScoreAdj"));
}

#[test]
fn odd_characters() {
    for text in [
        "\0",
        "a: \0",
        "\u{feff}",
        "\u{feff}\u{feff}a: b",
        "\u{1b}[31m: x",
        "? ",
        "? a",
        "!",
        "&a",
        "*",
        "%",
        "@",
        "`",
        "|",
        ">",
        "- - -",
        "{",
        "}",
        "[",
        "]",
        ": : :",
        "'",
        "\"",
        "\"\\u12",
        "---\n---\n",
        "...",
        "\r\r\r",
        "a: |9\n x",
        "!<",
        "!!",
    ] {
        survives(text);
    }
    let message = survives("\"\\e[31mfoo\\x07\": 1\n");
    assert!(!message.contains('\u{1b}'), "{message:?}");
}

#[test]
fn secrets_stay_out_of_messages() {
    let token = format!("ghp_{}", "a1B2".repeat(9));
    for text in [
        format!("files: [{{path: a, contens: {token}}}]\n"),
        format!("services: [{{name: a, image: b, capabilities: [{token}]}}]\n"),
        format!("services: [{{name: a, image: b, uid: {token}}}]\n"),
        format!("{token}: 1\n"),
        format!("init: ['https://user:{token}@host/x']\n"),
    ] {
        let message = survives(&text);
        assert!(
            !message.is_empty() && !message.contains(&token),
            "{message}"
        );
    }
}

/// A value of the schema or not, in places where the schema looks.
fn node() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("~"),
        Just("1"),
        Just("-1"),
        Just("1.5"),
        Just("true"),
        Just("a"),
        Just("''"),
        Just("\"0644\""),
        Just("!!int 5"),
        Just("*x"),
    ]
    .prop_map(str::to_owned);
    let key = prop::sample::select(KEYS);
    leaf.prop_recursive(5, 40, 5, move |inner| {
        let pair = (key.clone(), inner.clone()).prop_map(|(key, value)| format!("{key}: {value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|list| format!("[{}]", list.join(", "))),
            prop::collection::vec(pair, 0..5).prop_map(|pairs| format!("{{{}}}", pairs.join(", "))),
        ]
    })
}

const KEYS: &[&str] = &[
    "kernel",
    "init",
    "onboot",
    "onshutdown",
    "services",
    "files",
    "volumes",
    "trust",
    "outputs",
    "name",
    "image",
    "org",
    "path",
    "contents",
    "mode",
    "directory",
    "symlink",
    "source",
    "metadata",
    "uid",
    "gid",
    "additionalGids",
    "binds",
    "mounts",
    "type",
    "destination",
    "options",
    "uidmappings",
    "hostID",
    "size",
    "devices",
    "major",
    "resources",
    "hugepageLimits",
    "pageSize",
    "limit",
    "cpu",
    "shares",
    "blockio",
    "weightDevice",
    "network",
    "priorities",
    "runtime",
    "bindNS",
    "net",
    "interfaces",
    "createInRoot",
    "sysctl",
    "annotations",
    "rlimits",
    "capabilities",
    "format",
    "platforms",
    "readonly",
    "<<",
    "foo",
];

proptest! {
    #[test]
    fn schema_like_text(sections in prop::collection::vec((prop::sample::select(KEYS), node()), 0..6)) {
        let text: String = sections.iter().fold(String::new(), |mut text, (key, value)| {
            let _ = writeln!(text, "{key}: {value}");
            text
        });
        survives(&text);
        drop(parse_label(&text));
    }

    #[test]
    fn any_text(text in "\\PC{0,200}") {
        survives(&text);
        drop(parse_label(&text));
    }

    #[test]
    fn yaml_like_text(text in "([-:{}\\[\\],&*!|>'\"%@`#?~<a-c0-9 \n\t\r\0]|init|services|name|image|<<: ){0,60}") {
        survives(&text);
        drop(parse_label(&text));
    }

    #[test]
    fn mutilated_spec(cut in 0_usize..3000, length in 0_usize..60, with in "[-:{}\\[\\],&*!|>'\" \n]{0,4}") {
        let text = include_str!("options.yml");
        let start = cut.min(text.len());
        let end = (start + length).min(text.len());
        survives(&format!("{}{with}{}", &text[..start], &text[end..]));
    }
}
