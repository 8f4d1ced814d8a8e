use nodeimage_spec::model::{Spec, Volume};
use serde_json::{Value, json};

use super::*;

struct Given {
    spec: Spec,
    container: Container,
    label: Option<Options>,
    image: ImageConfig,
}

/// A container `web` of image `i` with these keys, in a spec that has two more and a volume.
fn given(keys: Value, label: Option<Value>) -> Given {
    let mut keys = keys;
    keys["name"] = json!("web");
    keys["image"] = json!("i");
    let container: Container = serde_json::from_value(keys).unwrap();
    let named = |name: &str| Container {
        name: name.into(),
        ..Container::default()
    };
    Given {
        spec: Spec {
            onboot: vec![named("first")],
            services: vec![container.clone()],
            volumes: vec![Volume {
                name: "data".into(),
                ..Volume::default()
            }],
            ..Spec::default()
        },
        container,
        label: label.map(|label| serde_json::from_value(label).unwrap()),
        image: ImageConfig::default(),
    }
}

fn bundle(given: &Given, section: Section, first_copy: Option<&str>) -> Result<Bundle, Error> {
    render(&Request {
        section,
        index: 0,
        container: &given.container,
        label: given.label.as_ref(),
        image: &given.image,
        ids: &NamedIds::of(&given.spec),
        volumes: &Volumes::of(&given.spec),
        first_copy,
    })
}

fn config_of(given: &Given) -> String {
    String::from_utf8(bundle(given, Section::Services, None).unwrap().config_json).unwrap()
}

fn fault(keys: Value, label: Option<Value>) -> String {
    bundle(&given(keys, label), Section::Services, None)
        .unwrap_err()
        .to_string()
}

#[test]
fn the_smallest_container() {
    let golden = include_str!("golden/minimal.json").trim_end();
    assert_eq!(config_of(&given(json!({}), None)), golden);
}

#[test]
fn every_key() {
    let keys: Value = serde_json::from_str(
        r#"{
        "command": ["/bin/sh", "-c", "a && b < c > d"], "env": ["A=1"], "cwd": "/srv",
        "capabilities": ["CAP_SYS_ADMIN", "CAP_NET_ADMIN"], "ambient": ["CAP_CHOWN"],
        "binds": ["data:/data"], "mounts": [{"type": "sysfs"}], "tmpfs": ["/tmp:size=1m"],
        "devices": [
            {"path": "/dev/console", "type": "c", "major": 5, "minor": 1, "mode": "0666"},
            {"path": "all", "type": "b"}],
        "net": "none", "ipc": "new", "uts": "/run/ns/uts", "pid": "host", "userns": "new",
        "hostname": "box", "readonly": true, "maskedPaths": ["/proc/kcore"],
        "readonlyPaths": ["/proc/sys"], "uid": "web", "gid": 7,
        "additionalGids": ["root", "first", -1], "noNewPrivileges": true, "oomScoreAdj": 0,
        "rootfsPropagation": "shared", "cgroupsPath": "/sys/web",
        "resources": {"pids": {"limit": 64}}, "sysctl": {"net.b": "0", "net.a": "1"},
        "annotations": {"nodeimage.restart": "always", "a": "1"}, "rlimits": ["nofile,1024,unlimited"],
        "uidMappings": [{"hostID": 1000, "containerID": 0, "size": 10}],
        "gidMappings": [{"hostID": 2000, "containerID": 1, "size": 20}]
    }"#,
    )
    .unwrap();
    let golden = include_str!("golden/everything.json").trim_end();
    assert_eq!(config_of(&given(keys.clone(), None)), golden);
    // From the label the same comes out.
    assert_eq!(config_of(&given(json!({}), Some(keys))), golden);
}

#[test]
fn the_image_gives_what_neither_says() {
    let mut given = given(json!({}), Some(json!({"env": ["L=1"]})));
    given.image = ImageConfig {
        entrypoint: vec!["/e".into()],
        cmd: vec!["c".into()],
        env: vec!["I=1".into()],
        working_dir: "/w".into(),
        ..ImageConfig::default()
    };
    let config: Value = serde_json::from_str(&config_of(&given)).unwrap();
    assert_eq!(config["process"]["args"], json!(["/e", "c"]));
    assert_eq!(config["process"]["env"], json!(["L=1"]));
    assert_eq!(config["process"]["cwd"], json!("/w"));
}

#[test]
fn where_files_lie() {
    let read_write = given(json!({}), None);
    let read_only = given(json!({}), Some(json!({"readonly": true})));
    let place = |given: &Given, first| {
        let bundle = bundle(given, Section::Onboot, first).unwrap();
        (bundle.path, bundle.files, bundle.readonly)
    };
    let path = "containers/onboot/000-web".to_owned();
    assert_eq!(
        place(&read_write, None),
        (path.clone(), format!("{path}/lower"), false)
    );
    assert_eq!(
        place(&read_only, None),
        (path.clone(), format!("{path}/rootfs"), true)
    );
    let first = "containers/onboot/000-x/lower";
    assert_eq!(
        place(&read_only, Some(first)),
        (path.clone(), first.to_owned(), true)
    );
    assert_eq!(
        place(&read_write, Some(first)),
        (path, first.to_owned(), false)
    );
}

#[test]
fn read_only_binds_its_root_and_writable_lays_over_it() {
    let runtime = |given: &Given, first| -> Value {
        let bundle = bundle(given, Section::Services, first).unwrap();
        serde_json::from_slice(&bundle.runtime_json).unwrap()
    };
    let read_only = given(json!({"readonly": true}), None);
    assert_eq!(
        runtime(&read_only, None)["mounts"],
        json!([{"destination": "/containers/services/web/rootfs",
                "source": "/containers/services/web/rootfs", "options": ["bind"]}])
    );
    assert_eq!(
        runtime(&read_only, Some("containers/onboot/000-a/lower"))["mounts"][0]["source"],
        json!("/containers/onboot/000-a/lower")
    );
    let read_write = given(json!({"runtime": {"mounts": [{"source": "x"}]}}), None);
    let mounts = &runtime(&read_write, None)["mounts"];
    assert_eq!(
        mounts[2]["options"][0],
        json!("lowerdir=/containers/services/web/lower")
    );
    assert_eq!(mounts[3], json!({"destination": "", "source": "x"}));
}

#[test]
fn a_fault_names_container_key_and_value() {
    assert_eq!(
        fault(json!({"capabilities": ["CAP_X"]}), None),
        "services[0] (web): capabilities: unknown capability: CAP_X"
    );
    for (keys, start) in [
        (
            json!({"ambient": ["x", "y"]}),
            "ambient: unknown capability: x",
        ),
        (json!({"rlimits": ["x,1,1"]}), "rlimits: unknown limit `x`"),
        (json!({"uid": "nobody"}), "uid: cannot find id: nobody"),
        (json!({"gid": "0"}), "gid: cannot find id: 0"),
        (
            json!({"additionalGids": ["x"]}),
            "additionalGids: cannot find id: x",
        ),
        (
            json!({"devices": [{"path": "/dev/x"}]}),
            "devices: cannot parse device mode of /dev/x",
        ),
        (json!({"resources": {"x": 1}}), "resources: not resources"),
        (
            json!({"binds": ["/x"]}),
            "binds: cannot parse bind, missing ':': /x",
        ),
        (
            json!({"binds.add": ["nope:/x"]}),
            "binds.add: volume nope not found",
        ),
        (
            json!({"mounts": [{"type": "bind", "source": "nope"}]}),
            "mounts: volume nope not found",
        ),
        (json!({"tmpfs": ["a:b:c"]}), "tmpfs: cannot parse tmpfs"),
    ] {
        let text = fault(keys, None);
        let expected = format!("services[0] (web): {start}");
        assert!(text.starts_with(&expected), "{text}");
    }
    let text = fault(json!({}), Some(json!({"capabilities": ["kill"]})));
    assert!(
        text.ends_with("unknown capability: kill; write CAP_KILL"),
        "{text}"
    );
}

#[test]
fn a_volume_in_a_label_is_resolved_and_an_unknown_name_kept() {
    let label = json!({"binds": ["data:/d", "other:/o"]});
    let config: Value = serde_json::from_str(&config_of(&given(json!({}), Some(label)))).unwrap();
    let sources: Vec<_> = config["mounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| &m["source"])
        .collect();
    assert!(sources.contains(&&json!("/containers/volumes/data/merged")));
    assert!(sources.contains(&&json!("other")));
}
