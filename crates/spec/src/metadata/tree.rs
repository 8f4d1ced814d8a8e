//! The model as a tree with ordered keys, in LinuxKit's order.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde_json::Value;

use crate::model::{
    BindNamespaces, Container, Device, FileEntry, Id, IdMapping, Interface, Kernel, Mount, Options,
    Runtime, Spec, Volume,
};
use crate::schema::untranslate_resources;

/// What is printed.
#[derive(Clone, Debug)]
pub(super) enum Tree {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    /// Base64 of bytes that are no text.
    Binary(String),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

/// The two notations differ in more than punctuation: LinuxKit's structures are tagged twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notation {
    Yaml,
    Json,
}

/// The keys of an object as they come.
#[derive(Debug)]
struct Pairs {
    notation: Notation,
    list: Vec<(String, Tree)>,
}

impl Pairs {
    fn new(notation: Notation) -> Self {
        let list = Vec::new();
        Self { notation, list }
    }

    fn put(&mut self, key: &str, tree: Tree) -> &mut Self {
        self.list.push((key.to_owned(), tree));
        self
    }

    /// A text that is left out when it is not given.
    fn text(&mut self, key: &str, text: Option<&String>) -> &mut Self {
        if let Some(text) = text {
            self.put(key, Tree::Text(text.clone()));
        }
        self
    }

    fn texts(&mut self, key: &str, list: Option<&Vec<String>>) -> &mut Self {
        if let Some(list) = list {
            self.put(key, texts(list));
        }
        self
    }

    fn map(&mut self, key: &str, map: Option<&BTreeMap<String, String>>) -> &mut Self {
        if let Some(map) = map {
            let pairs = map
                .iter()
                .map(|(key, value)| (key.clone(), Tree::Text(value.clone())));
            let mut pairs: Vec<_> = pairs.collect();
            if self.notation == Notation::Yaml {
                pairs = super::yaml::sort(pairs);
            }
            self.put(key, Tree::Map(pairs));
        }
        self
    }

    fn bool(&mut self, key: &str, value: Option<bool>) -> &mut Self {
        if let Some(value) = value {
            self.put(key, Tree::Bool(value));
        }
        self
    }

    fn number(&mut self, key: &str, value: Option<i64>) -> &mut Self {
        if let Some(value) = value {
            self.put(key, number(value));
        }
        self
    }

    fn id(&mut self, key: &str, value: Option<&Id>) -> &mut Self {
        if let Some(value) = value {
            self.put(key, id(value));
        }
        self
    }

    fn list<T>(
        &mut self,
        key: &str,
        list: Option<&Vec<T>>,
        tree: impl Fn(&T, Notation) -> Tree,
    ) -> &mut Self {
        let notation = self.notation;
        if let Some(list) = list {
            let trees = list.iter().map(|entry| tree(entry, notation));
            self.put(key, Tree::List(trees.collect()));
        }
        self
    }

    fn done(&mut self) -> Tree {
        Tree::Map(std::mem::take(&mut self.list))
    }
}

/// A whole spec.
pub(super) fn of(spec: &Spec, notation: Notation) -> Tree {
    let section = |list: Vec<Tree>| match notation {
        // A slice of Go that was never filled.
        Notation::Json if list.is_empty() => Tree::Null,
        _ => Tree::List(list),
    };
    let containers = |list: &[Container]| {
        let trees = list.iter().map(|entry| container(entry, notation));
        section(trees.collect())
    };
    let init = spec.init.iter().map(|image| Tree::Text(image.clone()));
    let files = spec.files.iter().map(|entry| file(entry, notation));
    let volumes = spec.volumes.iter().map(|entry| volume(entry, notation));
    Pairs::new(notation)
        .put("kernel", kernel(spec.kernel.as_ref(), notation))
        .put("init", section(init.collect()))
        .put("onboot", containers(&spec.onboot))
        .put("onshutdown", containers(&spec.onshutdown))
        .put("services", containers(&spec.services))
        .put("files", section(files.collect()))
        .put("volumes", section(volumes.collect()))
        .done()
}

fn texts(list: &[String]) -> Tree {
    Tree::List(list.iter().map(|text| Tree::Text(text.clone())).collect())
}

fn number(value: impl Into<i64>) -> Tree {
    Tree::Number(value.into().to_string())
}

fn id(value: &Id) -> Tree {
    match value {
        Id::Number(value) => number(*value),
        Id::Name(name) => Tree::Text(name.clone()),
    }
}

fn kernel(kernel: Option<&Kernel>, notation: Notation) -> Tree {
    let none = Kernel::default();
    let kernel = kernel.unwrap_or(&none);
    Pairs::new(notation)
        .put(
            "image",
            Tree::Text(kernel.image.clone().unwrap_or_default()),
        )
        .text("cmdline", filled(kernel.cmdline.as_ref()))
        .text("binary", filled(kernel.binary.as_ref()))
        .text("tar", kernel.tar.as_ref())
        .text("ucode", kernel.ucode.as_ref())
        .done()
}

fn filled(text: Option<&String>) -> Option<&String> {
    text.filter(|text| !text.is_empty())
}

fn container(container: &Container, notation: Notation) -> Tree {
    let mut pairs = Pairs::new(notation);
    pairs
        .put("name", Tree::Text(container.name.clone()))
        .put("image", Tree::Text(container.image.clone()));
    options(&mut pairs, &container.options);
    pairs.done()
}

fn options(pairs: &mut Pairs, options: &Options) {
    let notation = pairs.notation;
    pairs
        .texts("capabilities", options.capabilities.as_ref())
        .texts("capabilities.add", options.capabilities_add.as_ref())
        .texts("ambient", options.ambient.as_ref())
        .list("mounts", options.mounts.as_ref(), mount)
        .texts("binds", options.binds.as_ref())
        .texts("binds.add", options.binds_add.as_ref())
        .list("devices", options.devices.as_ref(), device)
        .texts("tmpfs", options.tmpfs.as_ref())
        .texts("command", options.command.as_ref())
        .texts("env", options.env.as_ref())
        .text("cwd", options.cwd.as_ref())
        .text("net", options.net.as_ref())
        .text("pid", options.pid.as_ref())
        .text("ipc", options.ipc.as_ref())
        .text("uts", options.uts.as_ref())
        .text("userns", options.userns.as_ref())
        .text("hostname", options.hostname.as_ref())
        .bool("readonly", options.readonly)
        .texts("maskedPaths", options.masked_paths.as_ref())
        .texts("readonlyPaths", options.readonly_paths.as_ref())
        .id("uid", options.uid.as_ref())
        .id("gid", options.gid.as_ref())
        .list(
            "additionalGids",
            options.additional_gids.as_ref(),
            |entry, _| id(entry),
        )
        .bool("noNewPrivileges", options.no_new_privileges)
        .number("oomScoreAdj", options.oom_score_adj)
        .text("rootfsPropagation", options.rootfs_propagation.as_ref())
        .text("cgroupsPath", options.cgroups_path.as_ref());
    if let Some(value) = &options.resources {
        pairs.put("resources", resources(value, notation));
    }
    pairs
        .map("sysctl", options.sysctl.as_ref())
        .texts("rlimits", options.rlimits.as_ref())
        .list("uidMappings", options.uid_mappings.as_ref(), id_mapping)
        .list("gidMappings", options.gid_mappings.as_ref(), id_mapping)
        .map("annotations", options.annotations.as_ref());
    if let Some(value) = &options.runtime {
        pairs.put("runtime", runtime(value, notation));
    }
}

fn mount(mount: &Mount, notation: Notation) -> Tree {
    let text = |text: &Option<String>| Tree::Text(text.clone().unwrap_or_default());
    let mut pairs = Pairs::new(notation);
    pairs.put("destination", text(&mount.destination));
    match notation {
        Notation::Yaml => pairs
            .put("type", text(&mount.kind))
            .put("source", text(&mount.source))
            .put(
                "options",
                texts(mount.options.as_deref().unwrap_or_default()),
            )
            .list(
                "uidmappings",
                mount.uid_mappings.as_ref().or(Some(&Vec::new())),
                id_mapping,
            )
            .list(
                "gidmappings",
                mount.gid_mappings.as_ref().or(Some(&Vec::new())),
                id_mapping,
            ),
        Notation::Json => pairs
            .text("type", mount.kind.as_ref())
            .text("source", mount.source.as_ref())
            .texts("options", mount.options.as_ref())
            .list("uidMappings", mount.uid_mappings.as_ref(), id_mapping)
            .list("gidMappings", mount.gid_mappings.as_ref(), id_mapping),
    }
    .done()
}

fn id_mapping(mapping: &IdMapping, notation: Notation) -> Tree {
    Pairs::new(notation)
        .put("containerID", number(mapping.container_id))
        .put("hostID", number(mapping.host_id))
        .put("size", number(mapping.size))
        .done()
}

fn device(device: &Device, notation: Notation) -> Tree {
    Pairs::new(notation)
        .put("path", Tree::Text(device.path.clone()))
        .put("type", Tree::Text(device.kind.clone().unwrap_or_default()))
        .put("major", number(device.major.unwrap_or_default()))
        .put("minor", number(device.minor.unwrap_or_default()))
        .text("mode", device.mode.as_ref())
        .done()
}

/// In JSON under the runtime specification's names, in YAML under the schema's.
fn resources(value: &Value, notation: Notation) -> Tree {
    let mut value = value.clone();
    if let (Notation::Yaml, Some(map)) = (notation, value.as_object_mut()) {
        untranslate_resources(map);
    }
    limits(value)
}

/// Members of `resources` in the order of the runtime specification's structures; of equal rank
/// are those that never stand together.
const RANKS: &[&[&str]] = &[
    &[
        "devices", "allow", "limit", "shares", "weight", "classID", "name", "pageSize",
    ],
    &[
        "memory",
        "type",
        "reservation",
        "quota",
        "leafWeight",
        "priorities",
        "priority",
    ],
    &["cpu", "major", "swap", "period", "weightDevice"],
    &[
        "pids",
        "minor",
        "kernel",
        "realtimeRuntime",
        "throttleReadBpsDevice",
    ],
    &[
        "blockIO",
        "blockio",
        "access",
        "kernelTCP",
        "realtimePeriod",
        "throttleWriteBpsDevice",
        "rate",
    ],
    &[
        "hugepageLimits",
        "swappiness",
        "cpus",
        "throttleReadIOPSDevice",
    ],
    &[
        "network",
        "disableOOMKiller",
        "mems",
        "throttleWriteIOPSDevice",
    ],
];

fn rank(key: &str) -> usize {
    let found = RANKS.iter().position(|keys| keys.contains(&key));
    found.unwrap_or(RANKS.len())
}

fn limits(value: Value) -> Tree {
    match value {
        Value::Null => Tree::Null,
        Value::Bool(value) => Tree::Bool(value),
        Value::Number(number) => Tree::Number(number.to_string()),
        Value::String(text) => Tree::Text(text),
        Value::Array(list) => Tree::List(list.into_iter().map(limits).collect()),
        Value::Object(map) => {
            let weighted = map.contains_key("leafWeight") || map.contains_key("weight");
            let huge = map.contains_key("pageSize");
            let mut pairs: Vec<_> = map.into_iter().collect();
            // `major` and `minor` come before the weights of a device, after its kind elsewhere.
            pairs.sort_by_key(|(key, _)| match key.as_str() {
                "major" | "minor" if weighted => (0, key.clone()),
                "limit" if huge => (1, key.clone()),
                _ => (rank(key), key.clone()),
            });
            let pairs = pairs.into_iter().map(|(key, value)| (key, limits(value)));
            Tree::Map(pairs.collect())
        }
    }
}

fn runtime(runtime: &Runtime, notation: Notation) -> Tree {
    let mut pairs = Pairs::new(notation);
    pairs
        .texts("cgroups", runtime.cgroups.as_ref())
        .list("mounts", runtime.mounts.as_ref(), mount)
        .texts("mkdir", runtime.mkdir.as_ref())
        .list("interfaces", runtime.interfaces.as_ref(), interface);
    let none = BindNamespaces::default();
    let names = runtime.bind_ns.as_ref().unwrap_or(&none);
    if notation == Notation::Json || names != &none {
        pairs.put("bindNS", bind_ns(names, notation));
    }
    pairs.text("namespace", runtime.namespace.as_ref()).done()
}

fn bind_ns(names: &BindNamespaces, notation: Notation) -> Tree {
    Pairs::new(notation)
        .text("cgroup", names.cgroup.as_ref())
        .text("ipc", names.ipc.as_ref())
        .text("mnt", names.mnt.as_ref())
        .text("net", names.net.as_ref())
        .text("pid", names.pid.as_ref())
        .text("user", names.user.as_ref())
        .text("uts", names.uts.as_ref())
        .done()
}

fn interface(interface: &Interface, notation: Notation) -> Tree {
    Pairs::new(notation)
        .text("name", interface.name.as_ref())
        .text("add", interface.add.as_ref())
        .text("peer", interface.peer.as_ref())
        .put(
            "createInRoot",
            Tree::Bool(interface.create_in_root == Some(true)),
        )
        .done()
}

fn file(file: &FileEntry, notation: Notation) -> Tree {
    let contents = file.contents_base64.as_ref().map(|packed| match notation {
        Notation::Yaml => Tree::Binary(packed.clone()),
        Notation::Json => {
            let engine = base64::engine::general_purpose::STANDARD;
            let bytes = engine.decode(packed).unwrap_or_default();
            Tree::Text(String::from_utf8_lossy(&bytes).into_owned())
        }
    });
    let contents = contents.or_else(|| file.contents.clone().map(Tree::Text));
    let mut pairs = Pairs::new(notation);
    pairs
        .put("path", Tree::Text(file.path.clone()))
        .put("directory", Tree::Bool(file.directory == Some(true)))
        .text("symlink", file.symlink.as_ref());
    if let Some(contents) = contents {
        pairs.put("contents", contents);
    }
    pairs
        .text("source", file.source.as_ref())
        .text("metadata", file.metadata.as_ref())
        .put("optional", Tree::Bool(file.optional == Some(true)))
        .text("mode", file.mode.as_ref())
        .id("uid", file.uid.as_ref())
        .id("gid", file.gid.as_ref())
        .done()
}

fn volume(volume: &Volume, notation: Notation) -> Tree {
    let platforms = volume.platforms.as_ref().filter(|list| !list.is_empty());
    Pairs::new(notation)
        .put("name", Tree::Text(volume.name.clone()))
        .text("image", volume.image.as_ref())
        .bool("readonly", volume.readonly.filter(|flag| *flag))
        .text("format", volume.format.as_ref())
        .texts("platforms", platforms)
        .done()
}
