//! What the YAML, the label and the image say of a container, each alone and against each other.

use super::*;
use crate::model::Options;
use crate::parse::{parse, parse_label};

const PIN: &str = "@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Findings of one lint for a service with these keys, and what its image says.
fn of(id: &str, keys: &str, image: Option<ImageFacts>) -> Vec<String> {
    let text = format!("services:\n  - {{name: web, image: 'a{PIN}'{keys}}}\n");
    let documents = [Document {
        name: "a.yml",
        text: &text,
    }];
    let parsed = parse(&documents).unwrap_or_else(|faults| panic!("{text}\n{faults}"));
    let mut facts = Facts::default();
    if let Some(image) = image {
        let reference = parsed.spec.services[0].image.clone();
        facts.images.insert(reference, image);
    }
    let mut selection = Selection::default();
    selection.enable(id).unwrap();
    let found = lint(&parsed, &documents, None, &selection, &facts);
    let found = found.iter().filter(|fault| fault.id == Some(id));
    found
        .map(|fault| {
            assert!(fault.place.is_some(), "{fault}");
            format!("{}: {}", fault.path, fault.message)
        })
        .collect()
}

fn label(text: &str) -> Option<ImageFacts> {
    let label: Options = parse_label(text).unwrap();
    Some(ImageFacts {
        label,
        ..ImageFacts::default()
    })
}

/// `keys` and `label` give no finding, `-` as label: the image is not at hand.
#[track_caller]
fn quiet(id: &str, keys: &str, image: &str) {
    assert_eq!(of(id, keys, at_hand(image)), [""; 0], "{keys} {image}");
}

#[track_caller]
fn fires(id: &str, keys: &str, image: &str, expected: &str) {
    assert_eq!(of(id, keys, at_hand(image)), [expected], "{keys} {image}");
}

fn at_hand(image: &str) -> Option<ImageFacts> {
    match image {
        "-" => None,
        text => label(text),
    }
}

#[test]
fn all_capabilities() {
    let id = "all-capabilities";
    let has = "the container `web` has all capabilities";
    let by_label = format!("services[0].image: {has} (by its image's label)");
    quiet(id, "", "-");
    quiet(id, "", "{}");
    quiet(id, ", capabilities: [CAP_CHOWN]", "capabilities: [all]");
    quiet(id, ", capabilities: []", "{capabilities: [all]}");
    fires(id, "", "capabilities: [all]", &by_label);
    fires(id, "", "ambient: [ALL]", &by_label);
    fires(
        id,
        ", capabilities.add: [CAP_CHOWN]",
        "capabilities: [all]",
        &by_label,
    );
    for image in ["-", "capabilities: []"] {
        fires(
            id,
            ", capabilities: [all]",
            image,
            &format!("services[0].capabilities: {has}"),
        );
        fires(
            id,
            ", ambient: [All]",
            image,
            &format!("services[0].ambient: {has}"),
        );
    }
    fires(
        id,
        ", capabilities.add: [all]",
        "-",
        &format!("services[0].capabilities.add: {has}"),
    );
}

#[test]
fn writable_root() {
    let id = "writable-root";
    let is = "services[0]: the root of the container `web` is writable";
    fires(
        id,
        "",
        "-",
        &format!("{is}, unless its image's label says otherwise"),
    );
    fires(id, "", "{}", is);
    fires(id, ", readonly: false", "readonly: true", is);
    fires(id, ", readonly: false", "-", is);
    quiet(id, ", readonly: true", "-");
    quiet(id, "", "readonly: true");
}

#[test]
fn new_privileges() {
    let id = "new-privileges";
    let may = "services[0]: programs of the container `web` may gain privileges from setuid bits \
               and file capabilities";
    fires(
        id,
        "",
        "-",
        &format!("{may}, unless its image's label says otherwise"),
    );
    fires(id, "", "{}", may);
    fires(id, ", noNewPrivileges: false", "noNewPrivileges: true", may);
    quiet(id, ", noNewPrivileges: true", "-");
    quiet(id, "", "noNewPrivileges: true");
}

#[test]
fn host_namespace() {
    let id = "host-namespace";
    let is = "services[0]: the container `web` is in the host's namespaces:";
    fires(
        id,
        "",
        "-",
        &format!("{is} net, ipc, uts, unless its image's label says otherwise"),
    );
    fires(id, "", "{}", &format!("{is} net, ipc, uts"));
    fires(
        id,
        ", net: new, ipc: new, uts: new, pid: host",
        "-",
        &format!("{is} pid"),
    );
    fires(
        id,
        ", net: host, ipc: new, uts: new",
        "-",
        &format!("{is} net"),
    );
    fires(
        id,
        ", net: ''",
        "{net: root, ipc: new, uts: new, pid: host}",
        &format!("{is} net, pid"),
    );
    quiet(id, ", net: new, ipc: new, uts: new", "-");
    quiet(id, ", net: /run/netns/x", "{ipc: new, uts: new}");
    quiet(
        id,
        ", pid: new",
        "{net: none, ipc: new, uts: new, pid: host}",
    );
}

#[test]
fn root_user() {
    let id = "root-user";
    let is = "the container `web` runs as root";
    fires(
        id,
        "",
        "-",
        &format!("services[0]: {is}, unless its image's label says otherwise"),
    );
    fires(id, "", "{}", &format!("services[0]: {is}"));
    fires(
        id,
        ", uid: 0",
        "uid: 1000",
        &format!("services[0].uid: {is}"),
    );
    fires(id, "", "uid: root", &format!("services[0].image: {is}"));
    quiet(id, ", uid: 1000", "-");
    quiet(id, ", uid: web", "-");
    quiet(id, "", "uid: 1000");
    quiet(id, ", userns: new", "-");
}

#[test]
fn ignored_user() {
    let id = "ignored-user";
    let image = |user: &str| {
        Some(ImageFacts {
            user: user.to_owned(),
            ..ImageFacts::default()
        })
    };
    for user in ["nobody", "101", "101:101", "web:0"] {
        assert_eq!(
            of(id, "", image(user)),
            [format!(
                "services[0].image: the image of the container `web` wants the user `{user}`, and \
                 runs as root: LinuxKit ignores an image's user"
            )]
        );
        assert_eq!(of(id, ", uid: 0", image(user)), [""; 0]);
        assert_eq!(of(id, ", uid: 101", image(user)), [""; 0]);
    }
    for user in ["", "0", "root", "root:root", "0:101"] {
        assert_eq!(of(id, "", image(user)), [""; 0], "{user}");
    }
    assert_eq!(of(id, "", None), [""; 0]);
}

#[test]
fn broad_bind() {
    let id = "broad-bind";
    let says = |key: &str, what: &str| format!("services[0].{key}: the container `web` {what}");
    for (keys, key, what) in [
        (
            "binds: ['/etc:/etc']",
            "binds[0]",
            "can write below the host's `/etc`",
        ),
        (
            "binds: ['/a:/a', '/run/../etc/:/x:rw']",
            "binds[1]",
            "can write below the host's `/etc`",
        ),
        (
            "binds: ['/:/host:ro']",
            "binds[0]",
            "can read all below the host's `/`",
        ),
        (
            "binds.add: ['/dev:/dev']",
            "binds.add[0]",
            "can write below the host's `/dev`",
        ),
        (
            "binds: ['/run/containerd/containerd.sock:/x:ro']",
            "binds[0]",
            "can start any container through the host's `/run/containerd/containerd.sock`",
        ),
        (
            "mounts: [{type: bind, source: /var, destination: /x}]",
            "mounts[0]",
            "can write below the host's `/var`",
        ),
    ] {
        fires(id, &format!(", {keys}"), "-", &says(key, what));
    }
    fires(
        id,
        "",
        "binds: ['/:/rootfs']",
        &says(
            "image",
            "can write below the host's `/` (by its image's label)",
        ),
    );
    for keys in [
        "binds: ['/etc/resolv.conf:/etc/resolv.conf']",
        "binds: ['/etc:/etc:ro', '/sys:/sys:ro']",
        "binds: ['/var/log/web:/var/log/web']",
        "binds: []",
        "mounts: [{type: proc, source: proc, destination: /proc}]",
        "mounts: [{type: bind, source: /etc, destination: /x, options: [ro]}]",
    ] {
        quiet(id, &format!(", {keys}"), "-");
    }
    quiet(id, ", binds: []", "binds: ['/:/rootfs']");
}

#[test]
fn all_devices() {
    let id = "all-devices";
    fires(
        id,
        ", devices: [{path: /dev/x, type: c, major: 1, minor: 2, mode: '0600'}, {path: all, type: b}]",
        "-",
        "services[0].devices[1]: the container `web` may use every block device of the host",
    );
    fires(
        id,
        "",
        "devices: [{path: all, type: a}]",
        "services[0].image: the container `web` may use every device of the host (by its image's label)",
    );
    quiet(id, ", devices: []", "devices: [{path: all, type: a}]");
    quiet(id, "", "-");
}

#[test]
fn secrets_by_label_and_image() {
    let id = "secret-in-env";
    let secret = || vec!["A=postgres://me:hunter2@db/".to_owned()];
    let image = || ImageFacts {
        env: secret(),
        command: secret(),
        ..ImageFacts::default()
    };
    let says = |key: &str, who: &str| {
        format!(
            "services[0].image: the `{key}` of the container `web` holds a password in a URL ({who})"
        )
    };
    assert_eq!(
        of(id, "", Some(image())),
        [says("env", "by its image"), says("command", "by its image")]
    );
    let mut with_label = image();
    with_label.label.env = Some(secret());
    with_label.label.command = Some(Vec::new());
    assert_eq!(
        of(id, "", Some(with_label)),
        [says("env", "by its image's label")]
    );
    assert_eq!(of(id, ", env: [], command: [x]", Some(image())), [""; 0]);
}
