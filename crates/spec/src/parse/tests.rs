use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

fn one(text: &str) -> Result<Parsed, Faults> {
    parse(&[Document {
        name: "a.yml",
        text,
    }])
}

fn spec(text: &str) -> Spec {
    one(text)
        .unwrap_or_else(|faults| panic!("{text}\n{faults}"))
        .spec
}

fn faults(text: &str) -> Faults {
    match one(text) {
        Ok(_) => panic!("accepted:\n{text}"),
        Err(faults) => faults,
    }
}

/// A service with more keys.
fn service(keys: &str) -> String {
    let mut text = "services:\n  - name: a\n    image: b\n".to_owned();
    for line in keys.lines() {
        let _ = writeln!(text, "    {line}");
    }
    text
}

fn options(keys: &str) -> Options {
    spec(&service(keys)).services.remove(0).options
}

#[test]
fn demo_of_2017() {
    let text = include_str!("../../../../examples/2017/demo-2017.yml");
    let parsed = one(text).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(parsed.outputs, ["kernel+initrd", "iso-bios", "iso-efi"]);
    assert_eq!(
        parsed.trust.image,
        ["linuxkit/kernel", "linuxkit/binfmt", "linuxkit/rngd"]
    );
    let kernel = parsed.spec.kernel.as_ref().unwrap();
    assert_eq!(
        kernel.image.as_deref(),
        Some("docker.io/linuxkit/kernel:4.9.x")
    );
    assert_eq!(
        parsed.spec.services[1].image,
        "docker.io/library/nginx:alpine"
    );
    assert_eq!(parsed.spec.services[0].options.oom_score_adj, Some(-800));
    let location = parsed.locations["services[1].image"];
    assert_eq!((location.line, location.column), (42, 12));
    insta::assert_snapshot!(serde_json::to_string_pretty(&parsed.spec).unwrap());
}

#[test]
fn every_fault_at_once() {
    let first = "\
kernal:
  image: linuxkit/kernel:6
init: builtin:init
onboot:
  - name: sysctl
    image: Linuxkit/sysctl
    bind: [/a:/b]
    readonly: yes
    capabilities: [CAP_SYSADMIN, all]
  - image: x
services:
  - name: web
    image: nginx
    command: /bin/sh
    env: {A: b}
    binds: [data:/srv, nowhere:/x, /a]
    net: 1
    uid: nobdy
  - name: web
    image: nginx
    resources: {cpu: {share: 5}}
    net: host
    net: host
";
    let second = "\
volumes:
  - name: data
  - name: Data
files:
  - path: etc/x
    mode: 0644
    contents: 5
  - path: ../x
    contents: a
  - path: etc/y
  - path: etc/z
    content: a
services:
";
    let result = parse(&[
        Document {
            name: "a.yml",
            text: first,
        },
        Document {
            name: "dir/b.yml",
            text: second,
        },
    ]);
    insta::assert_snapshot!(result.unwrap_err().to_string());
}

#[test]
fn options_of_every_kind() {
    let text = include_str!("tests/options.yml");
    insta::assert_snapshot!(serde_json::to_string_pretty(&spec(text)).unwrap());
}

#[test]
fn anchors_and_merge_keys() {
    let text = "\
services:
  - &base
    name: a
    image: x
    env: &env [A=1]
    net: host
  - <<: *base
    name: b
    env: [B=2]
  - <<: [{net: new, pid: host}, *base]
    name: c
    command: *env
";
    let spec = spec(text);
    let [a, b, c] = &spec.services[..] else {
        panic!()
    };
    assert_eq!(a.options.net.as_deref(), Some("host"));
    assert_eq!(
        (b.name.as_str(), b.image.as_str()),
        ("b", "docker.io/library/x")
    );
    assert_eq!(b.options.env.as_deref(), Some(&["B=2".to_owned()][..]));
    assert_eq!(
        c.options.net.as_deref(),
        Some("new"),
        "the first of several wins"
    );
    assert_eq!(c.options.command, a.options.env);
}

#[test]
fn scalars_are_yaml_1_2() {
    let text = "files: [{path: a, contents: yes}, {path: b, contents: 1.2.3}, {path: c, contents: \"5\"}, {path: d, contents: !!binary aGk=}]\n";
    let contents = spec(text)
        .files
        .into_iter()
        .map(|file| file.contents.unwrap());
    assert_eq!(contents.collect::<Vec<_>>(), ["yes", "1.2.3", "5", "hi"]);
    assert_eq!(
        spec("files: [{path: a, contents: ''}]").files[0]
            .contents
            .as_deref(),
        Some("")
    );
    assert_eq!(
        spec("files:\n - path: a\n   contents: |\n    x\n    y").files[0]
            .contents
            .as_deref(),
        Some("x\ny")
    );
}

#[test]
fn merging() {
    let documents = [
        (
            "a.yml",
            "kernel: {image: k, cmdline: a, tar: t}\ninit: [a]\nvolumes: [{name: v}]\nservices: [{name: a, image: x}]\n",
        ),
        ("b.yml", "---\n"),
        (
            "c.yml",
            "kernel: {cmdline: '', tar: '', binary: b}\ninit: [b]\nservices: [{name: b, image: x, binds: ['v:/v'], uid: a}]\ntrust: {org: [o]}\noutputs: [{format: raw}]\n",
        ),
        (
            "d.yml",
            "trust: {org: [p], image: [q]}\noutputs: [{format: iso}]\nkernel: {}\n",
        ),
    ];
    let documents = documents.map(|(name, text)| Document { name, text });
    let parsed = parse(&documents).unwrap();
    let kernel = parsed.spec.kernel.unwrap();
    assert_eq!(kernel.cmdline.as_deref(), Some("a"), "empty says nothing");
    assert_eq!(kernel.tar.as_deref(), Some(""), "but for tar");
    assert_eq!(kernel.binary.as_deref(), Some("b"));
    assert_eq!(
        parsed.spec.init,
        ["docker.io/library/a", "docker.io/library/b"]
    );
    assert_eq!(parsed.locations["services[1].image"].document, 2);
    assert_eq!(parsed.locations["init[1]"].document, 2);
    assert_eq!(parsed.trust.org, ["o", "p"]);
    assert_eq!(parsed.outputs, ["raw", "iso"]);

    let twice = [documents[0], documents[0]];
    let faults = parse(&twice).unwrap_err();
    let all = faults.to_string();
    assert!(
        all.contains("duplicate service name `a`, the same as services[0]"),
        "{all}"
    );
    // A later document may declare a volume anew, as for LinuxKit.
    assert!(!all.contains("duplicate volume name"), "{all}");
    assert!(
        faults
            .iter()
            .all(|fault| fault.place.as_ref().unwrap().document == 1)
    );
    assert!(parse(&[]).is_err());
}

#[test]
fn a_missing_name_is_not_reported_twice() {
    let text =
        "volumes: [5]\nservices:\n  - nam: a\n    image: b\n    binds: ['v:/x']\n    uid: a\n";
    let faults = faults(text);
    let messages: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
    assert_eq!(messages.len(), 3, "{messages:?}");
    let mut broken = String::from("kernel: [\n");
    broken.push_str(text);
    assert_eq!(one(&broken).unwrap_err().len(), 1);
}

#[test]
fn read_only_volumes() {
    let with = |bind: &str| {
        format!(
            "volumes: [{{name: v, readonly: true}}]\n{}",
            service(&format!("binds: ['{bind}']"))
        )
    };
    spec(&with("v:/x:ro"));
    for bind in ["v:/x", "v:/x:rw", "v:/x:ro,nosuid"] {
        assert!(
            faults(&with(bind))
                .to_string()
                .contains("is read-only and mounted writable"),
            "{bind}"
        );
    }
}

#[test]
fn empty_texts_count_as_absent() {
    let parsed = spec(
        "kernel: {image: '', cmdline: ''}\nfiles: [{path: a, source: '', contents: b, mode: '', optional: false}]\n",
    );
    assert_eq!(parsed, spec("files: [{path: a, contents: b}]\n"));
    assert_eq!(options("net: ''"), Options::default());
    assert_eq!(
        options("command: []").command,
        Some(Vec::new()),
        "an empty list overrides the label"
    );
}

#[test]
fn ignored_contents_are_told() {
    let parsed = one("files: [{path: a, symlink: b, contents: c}, {path: d, directory: true, symlink: e}, {path: f, contents: g}]\n").unwrap();
    assert_eq!(parsed.ignored_contents, ["files[0]", "files[1]"]);
    assert_eq!(parsed.spec.files[0].contents, None);
}

#[test]
fn resources_get_the_runtime_specification_s_names() {
    let resources = options(
        "resources:\n  memory: {limit: 1e9, kernelTCP: 5, disableOOMKiller: true}\n  cpu: {realtimeRuntime: 1, cpus: '0'}\n  pids: {limit: 3}\n  blockio: {leafWeight: 7, weightDevice: [{major: 8, minor: 0, weight: 5, leafWeight: 6}], throttleReadIOPSDevice: [{major: 8, minor: 0, rate: 9}]}\n  hugepageLimits: [{pageSize: 2097152, limit: 1}]\n  network: {classID: 4, priorities: [{name: eth0, priority: 1}]}\n  devices: [{allow: false, access: rwm}]\n",
    )
    .resources
    .unwrap();
    assert_eq!(
        resources,
        serde_json::json!({
            "memory": {"limit": 1_000_000_000, "kernelTCP": 5, "disableOOMKiller": true},
            "cpu": {"realtimeRuntime": 1, "cpus": "0"},
            "pids": {"limit": 3},
            "blockIO": {
                "leafWeight": 7,
                "weightDevice": [{"major": 8, "minor": 0, "weight": 5, "leafWeight": 6}],
                "throttleReadIOPSDevice": [{"major": 8, "minor": 0, "rate": 9}],
            },
            "hugepageLimits": [{"pageSize": "2MB", "limit": 1}],
            "network": {"classID": 4, "priorities": [{"name": "eth0", "priority": 1}]},
            "devices": [{"allow": false, "access": "rwm"}],
        })
    );
}

#[test]
fn labels() {
    let yaml = parse_label("pid: host\nreadonly: true\ncapabilities:\n - CAP_SYS_ADMIN\nbinds: [\"v:/x\"]\nuid: someone\n").unwrap();
    let json = parse_label(
        r#"{"pid":"host","readonly":true,"capabilities":["CAP_SYS_ADMIN"],"binds":["v:/x"],"uid":"someone"}"#,
    );
    assert_eq!(json.unwrap(), yaml);
    assert_eq!(parse_label("").unwrap(), Options::default());
    for (text, wanted) in [
        ("name: a\n", "its name and image come from the spec"),
        (r#"{"image":"a"}"#, "its name and image come from the spec"),
        ("[]", "an image's label must be a mapping"),
        ("~", "an image's label must be a mapping"),
        ("foo: 1", "unknown key `foo`"),
        ("capabilities: [X]", "unknown capability"),
        ("{", "YAML syntax"),
    ] {
        let faults = parse_label(text).unwrap_err().to_string();
        assert!(faults.contains(wanted), "{text}\n{faults}");
        assert!(faults.contains("org.mobyproject.config:1:"), "{faults}");
    }
}

mod hostile;
mod verdicts;
