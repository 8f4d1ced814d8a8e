//! Precedence, key by key: the YAML's value when the key is there (even empty), else the label's,
//! else the image's configuration. Nothing is merged deeply but the members of `runtime`.

use nodeimage_images::ImageConfig;
use nodeimage_spec::model::{BindNamespaces, Options, Runtime};

/// The options that count. `capabilities` and `binds` already hold what `.add` appends.
pub(super) fn merge(yaml: Options, label: Options, image: &ImageConfig) -> Options {
    let command: Vec<String> = image.entrypoint.iter().chain(&image.cmd).cloned().collect();
    Options {
        command: yaml.command.or(label.command).or(Some(command)),
        env: yaml.env.or(label.env).or_else(|| Some(image.env.clone())),
        cwd: text(yaml.cwd, text(label.cwd, Some(image.working_dir.clone()))),
        capabilities: yaml
            .capabilities
            .or(added(label.capabilities, yaml.capabilities_add)),
        capabilities_add: None,
        ambient: yaml.ambient.or(label.ambient),
        binds: yaml.binds.or(added(label.binds, yaml.binds_add)),
        binds_add: None,
        mounts: yaml.mounts.or(label.mounts),
        tmpfs: yaml.tmpfs.or(label.tmpfs),
        devices: yaml.devices.or(label.devices),
        net: text(yaml.net, label.net),
        ipc: text(yaml.ipc, label.ipc),
        uts: text(yaml.uts, label.uts),
        pid: text(yaml.pid, label.pid),
        userns: text(yaml.userns, label.userns),
        hostname: text(yaml.hostname, label.hostname),
        readonly: yaml.readonly.or(label.readonly),
        masked_paths: yaml.masked_paths.or(label.masked_paths),
        readonly_paths: yaml.readonly_paths.or(label.readonly_paths),
        uid: yaml.uid.or(label.uid),
        gid: yaml.gid.or(label.gid),
        additional_gids: yaml.additional_gids.or(label.additional_gids),
        no_new_privileges: yaml.no_new_privileges.or(label.no_new_privileges),
        oom_score_adj: yaml.oom_score_adj.or(label.oom_score_adj),
        rootfs_propagation: yaml.rootfs_propagation.or(label.rootfs_propagation),
        cgroups_path: yaml.cgroups_path.or(label.cgroups_path),
        resources: yaml.resources.or(label.resources),
        sysctl: yaml.sysctl.or(label.sysctl),
        annotations: yaml.annotations.or(label.annotations),
        rlimits: yaml.rlimits.or(label.rlimits),
        uid_mappings: yaml.uid_mappings.or(label.uid_mappings),
        gid_mappings: yaml.gid_mappings.or(label.gid_mappings),
        runtime: Some(runtime(
            yaml.runtime.unwrap_or_default(),
            label.runtime.unwrap_or_default(),
        )),
    }
}

/// For these an empty string means unset.
fn text(first: Option<String>, then: Option<String>) -> Option<String> {
    first.filter(|text| !text.is_empty()).or(then)
}

fn added(label: Option<Vec<String>>, added: Option<Vec<String>>) -> Option<Vec<String>> {
    let mut list = label.unwrap_or_default();
    list.extend(added.unwrap_or_default());
    Some(list)
}

fn runtime(yaml: Runtime, label: Runtime) -> Runtime {
    let (yaml_ns, label_ns) = (
        yaml.bind_ns.unwrap_or_default(),
        label.bind_ns.unwrap_or_default(),
    );
    Runtime {
        cgroups: yaml.cgroups.or(label.cgroups),
        mounts: yaml.mounts.or(label.mounts),
        mkdir: yaml.mkdir.or(label.mkdir),
        interfaces: yaml.interfaces.or(label.interfaces),
        bind_ns: Some(BindNamespaces {
            cgroup: yaml_ns.cgroup.or(label_ns.cgroup),
            ipc: yaml_ns.ipc.or(label_ns.ipc),
            mnt: yaml_ns.mnt.or(label_ns.mnt),
            net: yaml_ns.net.or(label_ns.net),
            pid: yaml_ns.pid.or(label_ns.pid),
            user: yaml_ns.user.or(label_ns.user),
            uts: yaml_ns.uts.or(label_ns.uts),
        }),
        namespace: yaml.namespace.or(label.namespace),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn options(value: Value) -> Options {
        serde_json::from_value(value).unwrap()
    }

    fn merged(yaml: Value, label: Value) -> Value {
        let merged = merge(options(yaml), options(label), &ImageConfig::default());
        serde_json::to_value(merged).unwrap()
    }

    /// One value for each key, `n` making it distinct.
    fn every_key(n: u32) -> Value {
        let text = r##"{
            "command": ["c#"], "env": ["E=#"], "cwd": "/#",
            "capabilities": ["CAP_#"], "ambient": ["CAP_A#"],
            "binds": ["/#:/b"], "mounts": [{"type": "t#"}], "tmpfs": ["/t#"],
            "devices": [{"path": "/d#"}], "net": "n#", "ipc": "i#", "uts": "u#", "pid": "p#",
            "userns": "us#", "hostname": "h#", "readonly": true, "maskedPaths": ["/m#"],
            "readonlyPaths": ["/r#"], "uid": #, "gid": #, "additionalGids": [#],
            "noNewPrivileges": true, "oomScoreAdj": #, "rootfsPropagation": "rp#",
            "cgroupsPath": "/cg#", "resources": {"pids": {"limit": #}},
            "sysctl": {"a": "#"}, "annotations": {"a": "#"}, "rlimits": ["nofile,#,#"],
            "uidMappings": [{"hostID": #, "containerID": #, "size": #}],
            "gidMappings": [{"hostID": #, "containerID": #, "size": #}],
            "runtime": {
                "cgroups": ["c#"], "mounts": [{"source": "s#"}], "mkdir": ["/d#"],
                "interfaces": [{"name": "eth#"}],
                "bindNS": {"cgroup": "c#", "ipc": "i#", "mnt": "m#", "net": "n#", "pid": "p#",
                    "user": "u#", "uts": "t#"},
                "namespace": "ns#"
            }
        }"##;
        let mut value: Value = serde_json::from_str(&text.replace('#', &n.to_string())).unwrap();
        if n != 1 {
            value["readonly"] = json!(false);
            value["noNewPrivileges"] = json!(false);
        }
        value
    }

    #[test]
    fn the_yaml_wins_key_by_key() {
        assert_eq!(merged(every_key(1), every_key(2)), every_key(1));
        assert_eq!(merged(json!({}), every_key(2)), every_key(2));
        // One key of the YAML takes none of the label's others away.
        for (key, value) in every_key(1).as_object().unwrap() {
            let mut expected = every_key(2);
            expected[key] = value.clone();
            assert_eq!(
                merged(json!({ key: value }), every_key(2)),
                expected,
                "{key}"
            );
        }
    }

    #[test]
    fn an_empty_value_counts_as_given_but_for_seven_strings() {
        let label = every_key(2);
        for key in [
            "command",
            "env",
            "capabilities",
            "ambient",
            "binds",
            "mounts",
            "tmpfs",
            "devices",
            "maskedPaths",
            "readonlyPaths",
            "additionalGids",
            "rlimits",
            "uidMappings",
            "gidMappings",
        ] {
            assert_eq!(
                merged(json!({ key: [] }), label.clone())[key],
                json!([]),
                "{key}"
            );
        }
        for key in ["rootfsPropagation", "cgroupsPath"] {
            assert_eq!(
                merged(json!({ key: "" }), label.clone())[key],
                json!(""),
                "{key}"
            );
        }
        for key in ["cwd", "net", "ipc", "uts", "pid", "userns", "hostname"] {
            assert_eq!(
                merged(json!({ key: "" }), label.clone())[key],
                label[key],
                "{key}"
            );
        }
        assert_eq!(merged(json!({"uid": 0}), label.clone())["uid"], json!(0));
        assert_eq!(
            merged(json!({"oomScoreAdj": 0}), label.clone())["oomScoreAdj"],
            json!(0)
        );
        assert_eq!(
            merged(json!({"readonly": false}), every_key(1))["readonly"],
            json!(false)
        );
        assert_eq!(merged(json!({"sysctl": {}}), label)["sysctl"], json!({}));
    }

    #[test]
    fn runtime_merges_by_member() {
        let got = merged(
            json!({"runtime": {"mkdir": [], "bindNS": {"net": "/mine"}}}),
            json!({"runtime": {"mkdir": ["/x"], "cgroups": ["c"], "bindNS": {"net": "n", "pid": "p"}}}),
        );
        assert_eq!(
            got["runtime"],
            json!({"mkdir": [], "cgroups": ["c"], "bindNS": {"net": "/mine", "pid": "p"}})
        );
    }

    #[test]
    fn add_appends_to_the_labels_list_unless_the_list_is_given() {
        let label = json!({
            "capabilities": ["CAP_KILL"], "binds": ["/a:/a"],
            "capabilities.add": ["CAP_CHOWN"], "binds.add": ["/z:/z"]
        });
        let got = merged(
            json!({"capabilities.add": ["CAP_KILL", "CAP_BPF"], "binds.add": ["/b:/b"]}),
            label.clone(),
        );
        assert_eq!(
            got["capabilities"],
            json!(["CAP_KILL", "CAP_KILL", "CAP_BPF"])
        );
        assert_eq!(got["binds"], json!(["/a:/a", "/b:/b"]));
        assert_eq!(got.get("capabilities.add"), None);
        let got = merged(
            json!({"capabilities": [], "capabilities.add": ["CAP_BPF"], "binds": [], "binds.add": ["/b:/b"]}),
            label,
        );
        assert_eq!(
            (&got["capabilities"], &got["binds"]),
            (&json!([]), &json!([]))
        );
    }

    #[test]
    fn the_image_gives_command_environment_and_directory() {
        let image = ImageConfig {
            entrypoint: vec!["/e".into()],
            cmd: vec!["c".into()],
            env: vec!["A=1".into()],
            working_dir: "/w".into(),
            ..ImageConfig::default()
        };
        let got = merge(Options::default(), Options::default(), &image);
        assert_eq!(got.command.unwrap(), ["/e", "c"]);
        assert_eq!(got.env.unwrap(), ["A=1"]);
        assert_eq!(got.cwd.unwrap(), "/w");
        let label = options(json!({"command": ["l"], "env": [], "cwd": "/l"}));
        let got = merge(options(json!({"cwd": ""})), label, &image);
        assert_eq!(got.command.unwrap(), ["l"]);
        assert_eq!(got.env.unwrap(), [""; 0]);
        assert_eq!(got.cwd.unwrap(), "/l");
    }
}
