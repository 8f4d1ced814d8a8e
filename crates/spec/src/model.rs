//! The spec as plain data: what a LinuxKit YAML says, after templates and merging.
//!
//! Field order and names are LinuxKit's. `None` means "the key is absent", which matters: an absent
//! key takes the image's label, an empty list does not. Serialized (absent keys left out), this is
//! part of the locked spec and so of the image id: renaming a field changes every id.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One LinuxKit machine: all documents merged, references expanded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The kernel, its command line and modules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<Kernel>,
    /// Expanded references of the images unpacked at the root, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub init: Vec<String>,
    /// Containers run one after another at boot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub onboot: Vec<Container>,
    /// Containers run one after another at shutdown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub onshutdown: Vec<Container>,
    /// Long-running containers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<Container>,
    /// Files added last; they win over everything else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileEntry>,
    /// Named volumes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
}

/// The `kernel` section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kernel {
    /// Expanded reference; without it nothing of this section is emitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Kernel command line, verbatim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmdline: Option<String>,
    /// Path of the kernel in the image; default `kernel`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary: Option<String>,
    /// Path of the modules' tar in the image; default `kernel.tar`; `none` or empty: no tar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tar: Option<String>,
    /// Path of the microcode cpio in the image; silently left out when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ucode: Option<String>,
}

/// One entry of `onboot`, `onshutdown` or `services`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Joined as is to the section's directory.
    pub name: String,
    /// Expanded reference.
    pub image: String,
    /// Everything else; the same keys an image's `org.mobyproject.config` label may hold.
    #[serde(flatten)]
    pub options: Options,
}

/// The keys of a container entry that the image's label may set as well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Arguments of the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// Environment, `NAME=VALUE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<Vec<String>>,
    /// Working directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Capabilities; `all` or `none` alone is special.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Vec<String>>,
    /// Added to the label's capabilities.
    #[serde(
        default,
        rename = "capabilities.add",
        skip_serializing_if = "Option::is_none"
    )]
    pub capabilities_add: Option<Vec<String>>,
    /// Ambient capabilities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ambient: Option<Vec<String>>,
    /// Bind mounts, `SRC:DST[:OPTIONS]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binds: Option<Vec<String>>,
    /// Added to the label's bind mounts.
    #[serde(default, rename = "binds.add", skip_serializing_if = "Option::is_none")]
    pub binds_add: Option<Vec<String>>,
    /// Other mounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mounts: Option<Vec<Mount>>,
    /// tmpfs mounts, `DST[:OPTIONS]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tmpfs: Option<Vec<String>>,
    /// Device nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub devices: Option<Vec<Device>>,
    /// Network namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net: Option<String>,
    /// IPC namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipc: Option<String>,
    /// UTS namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uts: Option<String>,
    /// PID namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<String>,
    /// User namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userns: Option<String>,
    /// Host name in the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Whether the root is read-only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readonly: Option<bool>,
    /// Paths hidden from the container.
    #[serde(
        default,
        rename = "maskedPaths",
        skip_serializing_if = "Option::is_none"
    )]
    pub masked_paths: Option<Vec<String>>,
    /// Paths made read-only.
    #[serde(
        default,
        rename = "readonlyPaths",
        skip_serializing_if = "Option::is_none"
    )]
    pub readonly_paths: Option<Vec<String>>,
    /// User of the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Id>,
    /// Group of the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<Id>,
    /// Additional groups.
    #[serde(
        default,
        rename = "additionalGids",
        skip_serializing_if = "Option::is_none"
    )]
    pub additional_gids: Option<Vec<Id>>,
    /// The no_new_privs bit.
    #[serde(
        default,
        rename = "noNewPrivileges",
        skip_serializing_if = "Option::is_none"
    )]
    pub no_new_privileges: Option<bool>,
    /// oom_score_adj of the process.
    #[serde(
        default,
        rename = "oomScoreAdj",
        skip_serializing_if = "Option::is_none"
    )]
    pub oom_score_adj: Option<i64>,
    /// Mount propagation of the root.
    #[serde(
        default,
        rename = "rootfsPropagation",
        skip_serializing_if = "Option::is_none"
    )]
    pub rootfs_propagation: Option<String>,
    /// Path of the cgroup.
    #[serde(
        default,
        rename = "cgroupsPath",
        skip_serializing_if = "Option::is_none"
    )]
    pub cgroups_path: Option<String>,
    /// Limits, already in the OCI runtime specification's names (`realtimeRuntime` …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<serde_json::Value>,
    /// Kernel parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sysctl: Option<BTreeMap<String, String>>,
    /// Free annotations; `nodeimage.*` are ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
    /// Resource limits, `NAME,SOFT,HARD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rlimits: Option<Vec<String>>,
    /// User id mappings.
    #[serde(
        default,
        rename = "uidMappings",
        skip_serializing_if = "Option::is_none"
    )]
    pub uid_mappings: Option<Vec<IdMapping>>,
    /// Group id mappings.
    #[serde(
        default,
        rename = "gidMappings",
        skip_serializing_if = "Option::is_none"
    )]
    pub gid_mappings: Option<Vec<IdMapping>>,
    /// What is prepared around the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<Runtime>,
}

/// A user or group: a number, or the name of a container of this spec (`""` and `root` are 0).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Id {
    /// A number; LinuxKit wraps negative ones to u32.
    Number(i64),
    /// `""`, `root` or a container's name.
    Name(String),
}

/// An entry of `mounts`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mount {
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// File system type.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Mount options.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<Vec<String>>,
    /// Id-mapped mount, users.
    #[serde(
        default,
        rename = "uidmappings",
        skip_serializing_if = "Option::is_none"
    )]
    pub uid_mappings: Option<Vec<IdMapping>>,
    /// Id-mapped mount, groups.
    #[serde(
        default,
        rename = "gidmappings",
        skip_serializing_if = "Option::is_none"
    )]
    pub gid_mappings: Option<Vec<IdMapping>>,
}

/// An entry of `devices`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Path in the container, or `all`.
    pub path: String,
    /// `b`, `c`, `a`, `u` or `p`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Major number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub major: Option<i64>,
    /// Minor number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minor: Option<i64>,
    /// Octal mode as a string.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
}

/// An id mapping of a user namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdMapping {
    /// First id in the container.
    #[serde(default, rename = "containerID")]
    pub container_id: u32,
    /// First id on the host.
    #[serde(default, rename = "hostID")]
    pub host_id: u32,
    /// How many.
    #[serde(default)]
    pub size: u32,
}

/// The `runtime` key: what init prepares before a container starts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Runtime {
    /// cgroups to create.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroups: Option<Vec<String>>,
    /// Mounts on the host; relative destinations lie under the container's rootfs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mounts: Option<Vec<Mount>>,
    /// Directories to create.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mkdir: Option<Vec<String>>,
    /// Interfaces to move into, or create in, the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interfaces: Option<Vec<Interface>>,
    /// Where to bind the container's namespaces.
    #[serde(default, rename = "bindNS", skip_serializing_if = "Option::is_none")]
    pub bind_ns: Option<BindNamespaces>,
    /// containerd namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// An entry of `runtime.interfaces`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interface {
    /// Name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Link type to add; empty: the interface is moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add: Option<String>,
    /// Peer of a veth pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// Created in the root namespace first.
    #[serde(
        default,
        rename = "createInRoot",
        skip_serializing_if = "Option::is_none"
    )]
    pub create_in_root: Option<bool>,
}

/// `runtime.bindNS`: a path per namespace kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BindNamespaces {
    /// cgroup namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<String>,
    /// IPC namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipc: Option<String>,
    /// Mount namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mnt: Option<String>,
    /// Network namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net: Option<String>,
    /// PID namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<String>,
    /// User namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// UTS namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uts: Option<String>,
}

/// An entry of `files`. Exactly one of directory, symlink, contents, source, metadata is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Path in the root; one leading `/` is stripped.
    pub path: String,
    /// Whether this is a directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<bool>,
    /// Target of a symbolic link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symlink: Option<String>,
    /// Text of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contents: Option<String>,
    /// Bytes of the file that are not UTF-8 text, in base64; only in a locked spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contents_base64: Option<String>,
    /// File on the builder's side; never in a locked spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// `yaml` or `json`: the spec itself as the file's content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
    /// Skip the entry when `source` does not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
    /// Octal mode as a string; default 0600, directories 0700.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Id>,
    /// Group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<Id>,
}

/// An entry of `volumes`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// Name, `[a-z0-9_-]*`.
    pub name: String,
    /// Expanded reference; none: an empty volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Whether containers may only read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readonly: Option<bool>,
    /// `filesystem` (default) or `oci`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// `os/arch[/variant]` of an `oci` volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platforms: Option<Vec<String>>,
}
