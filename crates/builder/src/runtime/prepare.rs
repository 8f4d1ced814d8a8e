//! `runtime.json`: what LinuxKit's init prepares around a container. All keys are always printed.

use nodeimage_spec::model::{BindNamespaces, Interface, Mount as Wanted, Runtime};
use serde::Serialize;

use super::oci::Mount;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Prepare {
    cgroups: Vec<String>,
    mounts: Vec<Mount>,
    mkdir: Vec<String>,
    interfaces: Vec<PreparedInterface>,
    #[serde(rename = "bindNS")]
    bind_ns: BoundNamespaces,
    namespace: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PreparedInterface {
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    add: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    peer: String,
    create_in_root: bool,
}

#[derive(Debug, Serialize)]
struct BoundNamespaces {
    cgroup: String,
    ipc: String,
    mnt: String,
    net: String,
    pid: String,
    user: String,
    uts: String,
}

impl Prepare {
    /// The root's mounts come before the wanted ones. `bundle` and `files` (where the image's files
    /// lie) are relative to the root file system.
    pub(super) fn new(bundle: &str, files: &str, readonly: bool, wanted: Runtime) -> Self {
        let mut mounts = root_mounts(bundle, files, readonly);
        mounts.extend(wanted.mounts.into_iter().flatten().map(verbatim));
        Self {
            cgroups: wanted.cgroups.unwrap_or_default(),
            mounts,
            mkdir: wanted.mkdir.unwrap_or_default(),
            interfaces: wanted
                .interfaces
                .into_iter()
                .flatten()
                .map(interface)
                .collect(),
            bind_ns: namespaces(wanted.bind_ns.unwrap_or_default()),
            namespace: wanted.namespace.unwrap_or_default(),
        }
    }
}

fn root_mounts(bundle: &str, files: &str, readonly: bool) -> Vec<Mount> {
    let rootfs = format!("/{bundle}/rootfs");
    if readonly {
        // Bound onto itself the first time: the runtime wants a mount point.
        return vec![Mount {
            destination: rootfs,
            source: format!("/{files}"),
            options: vec!["bind".to_owned()],
            ..Mount::default()
        }];
    }
    let tmp = format!("/{bundle}/tmp");
    vec![
        Mount {
            destination: tmp.clone(),
            kind: "tmpfs".to_owned(),
            source: "tmpfs".to_owned(),
            ..Mount::default()
        },
        // Nothing else should see the layers.
        Mount {
            destination: tmp.clone(),
            options: vec!["remount".to_owned(), "private".to_owned()],
            ..Mount::default()
        },
        Mount {
            destination: rootfs,
            kind: "overlay".to_owned(),
            source: "overlay".to_owned(),
            options: vec![
                format!("lowerdir=/{files}"),
                format!("upperdir={tmp}/upper"),
                format!("workdir={tmp}/work"),
            ],
            ..Mount::default()
        },
    ]
}

fn verbatim(mount: Wanted) -> Mount {
    Mount {
        destination: mount.destination.unwrap_or_default(),
        kind: mount.kind.unwrap_or_default(),
        source: mount.source.unwrap_or_default(),
        options: mount.options.unwrap_or_default(),
        uid_mappings: mount.uid_mappings.unwrap_or_default(),
        gid_mappings: mount.gid_mappings.unwrap_or_default(),
    }
}

fn interface(interface: Interface) -> PreparedInterface {
    PreparedInterface {
        name: interface.name.unwrap_or_default(),
        add: interface.add.unwrap_or_default(),
        peer: interface.peer.unwrap_or_default(),
        create_in_root: interface.create_in_root.unwrap_or_default(),
    }
}

fn namespaces(bound: BindNamespaces) -> BoundNamespaces {
    BoundNamespaces {
        cgroup: bound.cgroup.unwrap_or_default(),
        ipc: bound.ipc.unwrap_or_default(),
        mnt: bound.mnt.unwrap_or_default(),
        net: bound.net.unwrap_or_default(),
        pid: bound.pid.unwrap_or_default(),
        user: bound.user.unwrap_or_default(),
        uts: bound.uts.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::gojson;
    use super::*;

    fn text(prepare: &Prepare) -> String {
        String::from_utf8(gojson::to_vec(prepare, "    ").unwrap()).unwrap()
    }

    #[test]
    fn all_keys_are_printed_for_a_writable_container() {
        let prepare = Prepare::new(
            "containers/services/web",
            "containers/onboot/000-a/rootfs",
            false,
            Runtime::default(),
        );
        assert_eq!(
            text(&prepare),
            r#"{
    "cgroups": [],
    "mounts": [
        {
            "destination": "/containers/services/web/tmp",
            "type": "tmpfs",
            "source": "tmpfs"
        },
        {
            "destination": "/containers/services/web/tmp",
            "options": [
                "remount",
                "private"
            ]
        },
        {
            "destination": "/containers/services/web/rootfs",
            "type": "overlay",
            "source": "overlay",
            "options": [
                "lowerdir=/containers/onboot/000-a/rootfs",
                "upperdir=/containers/services/web/tmp/upper",
                "workdir=/containers/services/web/tmp/work"
            ]
        }
    ],
    "mkdir": [],
    "interfaces": [],
    "bindNS": {
        "cgroup": "",
        "ipc": "",
        "mnt": "",
        "net": "",
        "pid": "",
        "user": "",
        "uts": ""
    },
    "namespace": ""
}"#
        );
    }

    #[test]
    fn every_member_after_the_bind_of_a_read_only_root() {
        let wanted = serde_json::from_value(json!({
            "cgroups": ["kube"],
            "mounts": [{"type": "bind", "source": "/var", "destination": "var", "options": ["rw"]}],
            "mkdir": ["/var/lib/x"],
            "interfaces": [{"name": "eth1"}, {"name": "v0", "add": "veth", "peer": "v1", "createInRoot": true}],
            "bindNS": {"net": "/run/netns/x"},
            "namespace": "k8s.io"
        }))
        .unwrap();
        let bundle = "containers/onboot/000-x";
        let got = Prepare::new(bundle, "containers/onboot/000-x/rootfs", true, wanted);
        assert_eq!(
            serde_json::to_string(&got).unwrap(),
            concat!(
                r#"{"cgroups":["kube"],"mounts":["#,
                r#"{"destination":"/containers/onboot/000-x/rootfs","#,
                r#""source":"/containers/onboot/000-x/rootfs","options":["bind"]},"#,
                r#"{"destination":"var","type":"bind","source":"/var","options":["rw"]}],"#,
                r#""mkdir":["/var/lib/x"],"interfaces":[{"name":"eth1","createInRoot":false},"#,
                r#"{"name":"v0","add":"veth","peer":"v1","createInRoot":true}],"#,
                r#""bindNS":{"cgroup":"","ipc":"","mnt":"","net":"/run/netns/x","pid":"","#,
                r#""user":"","uts":""},"namespace":"k8s.io"}"#
            )
        );
    }
}
