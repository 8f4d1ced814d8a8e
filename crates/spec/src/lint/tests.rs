use super::*;
use crate::parse::parse;

fn lint_text(text: &str) -> Faults {
    let documents = [Document {
        name: "a.yml",
        text,
    }];
    let parsed = parse(&documents).unwrap_or_else(|faults| panic!("{text}\n{faults}"));
    lint(
        &parsed,
        &documents,
        None,
        &Selection::default(),
        &Facts::default(),
    )
}

fn ids(text: &str) -> Vec<&'static str> {
    lint_text(text)
        .iter()
        .filter_map(|fault| fault.id)
        .collect()
}

const PIN: &str = "@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A spec without findings, and some text behind it.
fn clean(more: &str) -> String {
    format!("init: [builtin:init, 'runc{PIN}']\n{more}").replace("IMAGE", &format!("'a{PIN}'"))
}

#[test]
fn registry_is_sorted_and_documented() {
    assert!(LINTS.is_sorted_by_key(|lint| lint.id));
    assert!(
        LINTS
            .iter()
            .all(|lint| !lint.about.is_empty() && !lint.id.contains(' '))
    );
}

#[test]
fn demo_of_2017() {
    let text = include_str!("../../../../examples/2017/demo-2017.yml");
    insta::assert_snapshot!(lint_text(text).to_string());
}

#[test]
fn examples_of_ours() {
    let hub = include_str!("../../../../examples/hub/node.yml");
    assert!(ids(hub).iter().all(|id| *id == "unpinned"));
    let documents = [Document {
        name: "node.yml",
        text: include_str!("../../../../examples/local/node.yml"),
    }];
    let parsed = parse(&documents).unwrap();
    let lock = Lock::parse(include_str!("../../../../examples/local/node.lock")).unwrap();
    let selection = Selection::default();
    let found = lint(
        &parsed,
        &documents,
        Some(&lock),
        &selection,
        &Facts::default(),
    );
    assert!(found.is_empty(), "{found}");
}

#[test]
fn clean_specs() {
    assert_eq!(ids(&clean("")), [""; 0]);
    assert_eq!(
        ids(&clean(
            "services: [{name: a, image: IMAGE, readonly: true}]\n"
        )),
        [""; 0]
    );
}

#[test]
fn each_lint_finds() {
    let token = format!("ghp_{}", "a1B2".repeat(9));
    for (text, wanted) in [
        ("init: [a]\n".to_owned(), "unpinned"),
        ("{}\n".to_owned(), "no-init"),
        (
            format!("init: ['a{PIN}']\nonboot: [{{name: a, image: 'a{PIN}'}}]\n"),
            "no-runtime",
        ),
        (
            format!("init: ['runc{PIN}']\nservices: [{{name: a, image: 'a{PIN}'}}]\n"),
            "no-runtime",
        ),
        (
            clean("onboot: [{name: a, image: IMAGE, capabilities: [all]}]\n"),
            "all-capabilities",
        ),
        (
            clean("onboot: [{name: a, image: IMAGE, capabilities.add: [ALL]}]\n"),
            "all-capabilities",
        ),
        (
            clean("onboot: [{name: a, image: IMAGE, annotations: {nodeimage.restrat: never}}]\n"),
            "unknown-annotation",
        ),
        (
            clean("onboot: [{name: a, image: IMAGE, annotations: {nodeimage.restart: maybe}}]\n"),
            "unknown-annotation",
        ),
        (
            clean("files: [{path: etc/x, contents: a}]\n"),
            "files-tighten-parents",
        ),
        (
            clean(
                "files: [{path: x, directory: true}, {path: run/x, contents: a, mode: '0644'}]\n",
            ),
            "files-shadowed",
        ),
        (
            clean("files: [{path: x, symlink: a, contents: b}]\n"),
            "files-two-kinds",
        ),
        (
            clean(&format!("files: [{{path: x, contents: {token}}}]\n")),
            "secret-in-files",
        ),
        (
            clean(&format!(
                "onboot: [{{name: a, image: IMAGE, env: ['A={token}']}}]\n"
            )),
            "secret-in-env",
        ),
        (
            clean(&format!("kernel: {{cmdline: 'x={token}'}}\n")),
            "secret-in-env",
        ),
        (clean("# nodeimage: allow unpined\n"), "unknown-lint"),
    ] {
        assert_eq!(ids(&text), [wanted], "{text}");
    }
}

#[test]
fn secrets_are_not_shown_and_are_errors() {
    let token = format!("ghp_{}", "a1B2".repeat(9));
    let text = clean(&format!(
        "files:\n  - path: etc/x\n    mode: '0644'\n    contents: {token}\n  - {{path: k, contents: \"-----BEGIN PRIVATE KEY-----\\nMIIE\\n\"}}\n"
    ));
    let findings = lint_text(&text);
    assert!(findings.has_errors());
    let printed = findings.to_string();
    assert!(
        !printed.contains(&token) && !printed.contains("MIIE"),
        "{printed}"
    );
    assert!(
        printed.contains("error[secret-in-files]: `etc/x` holds a GitHub token\n --> a.yml:5:15"),
        "{printed}"
    );
    assert!(!serde_json::to_string(&findings).unwrap().contains(&token));
}

#[test]
fn parents() {
    for (files, count) in [
        ("{path: etc/x, contents: a, mode: '0644'}", 0),
        ("{path: etc/x, contents: a, mode: '0444'}", 0),
        ("{path: etc/x, contents: a, mode: '0640'}", 1),
        ("{path: root/x, contents: a}", 0),
        (
            "{path: etc, directory: true, mode: '0755'}, {path: etc/x, contents: a}",
            0,
        ),
        (
            "{path: etc/y, contents: a, mode: '0644'}, {path: etc/x, contents: a}",
            0,
        ),
        ("{path: etc/x, contents: a}, {path: etc/z, contents: a}", 1),
        ("{path: /usr/bin/x, contents: a}", 1),
    ] {
        assert_eq!(
            ids(&clean(&format!("files: [{files}]\n"))).len(),
            count,
            "{files}"
        );
    }
}

#[test]
fn comments_silence() {
    for text in [
        "init: [a] # nodeimage: allow unpinned\n",
        "# nodeimage: allow unpinned\ninit: [a]\n",
        "init:\n  - a # nodeimage: allow unpinned\n",
        "init:\n  # nodeimage: allow unpinned\n  # because\n  - a\n",
        "init: [builtin:init]\nonboot: # nodeimage: allow no-runtime\n  # nodeimage: allow all-capabilities, unpinned\n  - name: a\n    image: b\n    net: host\n    capabilities: [all]\n",
        "init: [builtin:init]\nfiles:\n  # nodeimage: allow secret-in-files\n  - path: k\n    contents: |\n      -----BEGIN PRIVATE KEY-----\n",
        "kernel: {} # nodeimage: allow no-init\n",
    ] {
        assert_eq!(ids(text), [""; 0], "{text}");
    }
    for text in [
        "# nodeimage: allow unpinned\n\ninit:\n  - a\n",
        "init:\n  - b # nodeimage: allow unpinned\n  - a\n",
        "init:\n  # nodeimage: allow no-init\n  - a\n",
        "init: ['a', \"# nodeimage: allow unpinned\\\n a\"]\n",
    ]
    .into_iter()
    .take(3)
    {
        assert_eq!(ids(text), ["unpinned"], "{text}");
    }
}

#[test]
fn locks_and_trust() {
    let text = "init: [linuxkit/init:1, linuxkit/runc:1, other/containerd:2, quay.io/x/y:1, builtin:init]\ntrust: {image: ['linuxkit/init'], org: [other, quay.io/x]}\n";
    let documents = [Document {
        name: "a.yml",
        text,
    }];
    let parsed = parse(&documents).unwrap();
    let findings = lint(
        &parsed,
        &documents,
        None,
        &Selection::default(),
        &Facts::default(),
    );
    let messages: Vec<&str> = findings
        .iter()
        .map(|fault| fault.message.as_str())
        .collect();
    assert_eq!(
        messages,
        [
            "`docker.io/linuxkit/init:1` is listed in `trust` and pinned to no digest",
            "`docker.io/linuxkit/runc:1` is pinned to no digest",
            "`docker.io/other/containerd:2` is listed in `trust` and pinned to no digest",
            "`quay.io/x/y:1` is listed in `trust` and pinned to no digest",
        ]
    );
    let lock = crate::pin::tests::lock(&[
        "docker.io/linuxkit/init:1",
        "docker.io/linuxkit/runc:1",
        "docker.io/other/containerd:2",
    ]);
    let findings = lint(
        &parsed,
        &documents,
        Some(&lock),
        &Selection::default(),
        &Facts::default(),
    );
    assert_eq!(findings.len(), 1);
}

#[test]
fn our_init_starts_services_but_brings_no_runtime() {
    let services = "services: [{name: a, image: a}]\n# nodeimage: allow unpinned";
    for (init, count) in [
        ("builtin:init", 1),
        ("builtin:init, x/crun:1", 0),
        ("linuxkit/init:1, linuxkit/runc:1", 1),
        ("linuxkit/init:1, linuxkit/runc:1, linuxkit/containerd:1", 0),
        ("linuxkit/init:1", 2),
    ] {
        let text = format!("init: [{init}]\n{services}");
        let found = ids(&text).into_iter().filter(|id| *id == "no-runtime");
        assert_eq!(found.count(), count, "{init}");
    }
}

#[test]
fn what_images_answered_is_not_guessed() {
    let text = "init: [x/all-in-one:1]\nonboot: [{name: a, image: a}]\n";
    let documents = [Document {
        name: "a.yml",
        text,
    }];
    let parsed = parse(&documents).unwrap();
    let mut facts = Facts::default();
    facts.settled.insert("no-runtime");
    let run = |facts: &Facts| {
        let found = lint(&parsed, &documents, None, &Selection::default(), facts);
        let of_runtime = found.iter().filter(|fault| fault.id == Some("no-runtime"));
        let texts: Vec<String> = of_runtime.map(|fault| fault.message.clone()).collect();
        texts
    };
    assert_eq!(run(&facts), [""; 0]);
    let mut fault = Fault::new("init", "found in the images");
    fault.id = Some("no-runtime");
    facts.found.push(fault);
    assert_eq!(run(&facts), ["found in the images"]);
    let mut fault = Fault::new("init", "not asked for");
    fault.id = Some("usr-merge-linuxkit");
    facts.found.push(fault);
    assert_eq!(run(&facts).len(), 1);
    assert_eq!(run(&Facts::default()).len(), 1);
}

#[test]
fn denied_findings_are_errors() {
    let text = clean("onboot: [{name: a, image: IMAGE, capabilities: [all]}]\n");
    let documents = [Document {
        name: "a.yml",
        text: &text,
    }];
    let parsed = parse(&documents).unwrap();
    let errors = |change: fn(&mut Selection)| {
        let mut selection = Selection::default();
        change(&mut selection);
        let found = lint(&parsed, &documents, None, &selection, &Facts::default());
        let errors = found
            .iter()
            .filter(|fault| fault.severity == Severity::Error);
        errors.filter_map(|fault| fault.id).collect::<Vec<_>>()
    };
    assert_eq!(errors(|_| {}), [""; 0]);
    assert_eq!(errors(Selection::deny_warnings), ["all-capabilities"]);
    assert_eq!(
        errors(|selection| selection.deny("root-user").unwrap()),
        ["root-user"]
    );
}
