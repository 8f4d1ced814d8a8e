use std::collections::BTreeSet;

use super::*;
use crate::lint::{Selection, Skipped, lint};
use crate::parse::{Document, Parsed, parse};

const TEXT: &str = "init: [a/b:1, runc:1]\nonboot:\n  - {name: é, image: c, capabilities: [all]} # nodeimage: allow nothing\nfiles:\n  - path: k\n    mode: '0644'\n    contents: |\n      -----BEGIN PRIVATE KEY-----\n      MIIE\n";

fn documents() -> [Document<'static>; 2] {
    [
        Document {
            name: "my dir/ä:b.yml",
            text: TEXT,
        },
        Document {
            name: "/x/two.yml",
            text: "services: [{name: a, image: d}]\n",
        },
    ]
}

fn log(documents: &[Document<'_>], facts: &Facts) -> Value {
    let parsed: Parsed = parse(documents).unwrap();
    let found = lint(&parsed, documents, None, &Selection::default(), facts);
    let names: Vec<&str> = documents.iter().map(|document| document.name).collect();
    sarif(&parsed.spec, &names, &found, facts)
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

/// What the schema of SARIF 2.1.0 asks of the parts that are written, and no other part is there.
fn check(log: &Value) {
    let text = |value: &Value| assert!(!value.as_str().unwrap().is_empty());
    assert_eq!(keys(log), ["$schema", "runs", "version"]);
    assert_eq!(log["version"], "2.1.0");
    let runs = log["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 1);
    let run = &runs[0];
    assert_eq!(
        keys(run),
        ["artifacts", "columnKind", "invocations", "results", "tool"]
    );
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let driver = &run["tool"]["driver"];
    for key in ["name", "version", "informationUri"] {
        text(&driver[key]);
    }
    assert!(driver["informationUri"].as_str().unwrap().contains("://"));
    let rules = driver["rules"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    for rule in rules {
        assert!(ids.insert(rule["id"].as_str().unwrap()), "ids are unique");
        text(&rule["shortDescription"]["text"]);
        let level = rule["defaultConfiguration"]["level"].as_str().unwrap();
        assert!(["warning", "error"].contains(&level));
        assert!(rule["defaultConfiguration"]["enabled"].is_boolean());
    }
    for invocation in run["invocations"].as_array().unwrap() {
        assert!(invocation["executionSuccessful"].is_boolean());
        for notification in invocation["toolExecutionNotifications"].as_array().unwrap() {
            assert_eq!(keys(notification), ["level", "message"]);
            text(&notification["message"]["text"]);
        }
    }
    let artifacts = run["artifacts"].as_array().unwrap();
    let mut fingerprints = BTreeSet::new();
    for result in run["results"].as_array().unwrap() {
        assert_eq!(
            keys(result),
            [
                "level",
                "locations",
                "message",
                "partialFingerprints",
                "ruleId",
                "ruleIndex"
            ]
        );
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        text(&result["message"]["text"]);
        let prints = result["partialFingerprints"].as_object().unwrap();
        for print in prints.values() {
            assert!(fingerprints.insert(print.as_str().unwrap()));
        }
        let locations = result["locations"].as_array().unwrap();
        assert_eq!(locations.len(), 1, "code hosts want exactly one");
        let place = &locations[0]["physicalLocation"];
        let artifact = &place["artifactLocation"];
        let uri = artifact["uri"].as_str().unwrap();
        assert!(uri.is_ascii() && !uri.contains([' ', '<', '>', '"']));
        let index = usize::try_from(artifact["index"].as_u64().unwrap()).unwrap();
        assert_eq!(artifacts[index]["location"]["uri"], uri);
        let region = &place["region"];
        assert!(region["startLine"].as_u64().unwrap() >= 1);
        if let Some(start) = region["startColumn"].as_u64() {
            assert!(start >= 1 && region["endColumn"].as_u64().unwrap() > start);
        }
    }
}

fn skipped() -> Facts {
    Facts {
        skipped: vec![Skipped {
            subject: "docker.io/library/c:latest".to_owned(),
            lints: vec!["no-init", "usr-merge"],
            reason: "it is not in the store".to_owned(),
        }],
        ..Facts::default()
    }
}

#[test]
fn whole_log() {
    let log = log(&documents(), &skipped());
    check(&log);
    let mut shown = log.clone();
    // They follow from the table of lints, and from the release.
    shown["runs"][0]["tool"]["driver"]["rules"] = json!("…");
    shown["runs"][0]["tool"]["driver"]["version"] = json!("…");
    insta::assert_snapshot!(serde_json::to_string_pretty(&shown).unwrap());
    assert!(!log.to_string().contains("MIIE"));
}

#[test]
fn nothing_found() {
    let documents = [Document {
        name: "a.yml",
        text: "init: [builtin:init]\n",
    }];
    let log = log(&documents, &Facts::default());
    check(&log);
    assert_eq!(log["runs"][0]["results"], json!([]));
}

#[test]
fn without_a_place_it_is_the_first_line() {
    let documents = [Document {
        name: "a.yml",
        text: "{}\n",
    }];
    let log = log(&documents, &Facts::default());
    check(&log);
    let result = &log["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "no-init");
    assert_eq!(
        result["locations"][0]["physicalLocation"]["region"]["startLine"],
        1
    );
}

#[test]
fn faults_that_are_no_findings() {
    let faults = parse(&[Document {
        name: "a.yml",
        text: "kernel: 1\nx: 2\n",
    }])
    .unwrap_err();
    let log = sarif(&Spec::default(), &["a.yml"], &faults, &Facts::default());
    check(&log);
    let results = log["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    assert!(results.iter().all(|it| it["ruleId"] == "invalid"));
}

#[test]
fn fingerprints_stay_when_lines_and_entries_are_added() {
    let prints = |text: &str| {
        let documents = [Document {
            name: "a.yml",
            text,
        }];
        let log = log(&documents, &Facts::default());
        let results = log["runs"][0]["results"].as_array().unwrap().clone();
        let pair = |it: &Value| {
            format!(
                "{} {}",
                it["ruleId"], it["partialFingerprints"]["nodeimageFinding/v1"]
            )
        };
        results.iter().map(pair).collect::<BTreeSet<_>>()
    };
    let one =
        prints("init: [a/b:1, runc:1]\nonboot:\n  - {name: x, image: c, capabilities: [all]}\n");
    let more = prints(
        "# more\n\ninit: [z/z:9, a/b:2, runc:1]\nonboot:\n  - {name: w, image: v}\n  - {name: x, image: c, capabilities: [all]}\n",
    );
    assert!(one.len() >= 3);
    assert!(one.is_subset(&more), "{one:?}\n{more:?}");
}

#[test]
fn uris() {
    for (path, expected) in [
        ("a.yml", "a.yml"),
        ("./a b/c.yml", "./a%20b/c.yml"),
        ("/x/ä.yml", "file:///x/%C3%A4.yml"),
        ("<stdin>", "%3Cstdin%3E"),
        ("a:b%.yml", "a%3Ab%25.yml"),
    ] {
        assert_eq!(uri(path), expected);
    }
}
