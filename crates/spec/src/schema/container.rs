//! A container's keys, which an image's label takes too but for `name` and `image`.

use super::resources::RESOURCES;
use super::{INT, Key, Object, Shape, TEXTS, U32, filled, key, required};

/// An entry of `onboot`, `onshutdown` or `services`.
pub(super) static CONTAINER: Object = Object {
    title: "a container",
    keys: &[
        required("name", Shape::Text),
        required("image", Shape::Text),
    ],
    more: OPTIONS,
};

/// The `org.mobyproject.config` label of an image.
pub(crate) static LABEL: Object = Object {
    title: "an image's label",
    keys: &[],
    more: OPTIONS,
};

const OPTIONS: &[Key] = &[
    key("command", TEXTS),
    key("env", TEXTS),
    key("cwd", Shape::Text),
    key("capabilities", TEXTS),
    key("capabilities.add", TEXTS),
    key("ambient", TEXTS),
    key("binds", TEXTS),
    key("binds.add", TEXTS),
    key("mounts", MOUNTS),
    key("tmpfs", TEXTS),
    key("devices", DEVICES),
    key("net", Shape::Text),
    key("ipc", Shape::Text),
    key("uts", Shape::Text),
    key("pid", Shape::Text),
    key("userns", Shape::Text),
    key("hostname", Shape::Text),
    key("readonly", Shape::Bool),
    key("maskedPaths", TEXTS),
    key("readonlyPaths", TEXTS),
    key("uid", Shape::Id),
    key("gid", Shape::Id),
    key("additionalGids", Shape::List(&Shape::Id)),
    key("noNewPrivileges", Shape::Bool),
    key("oomScoreAdj", INT),
    key("rootfsPropagation", Shape::Text),
    key("cgroupsPath", Shape::Text),
    key("resources", Shape::Object(&RESOURCES)),
    key("sysctl", Shape::Texts),
    key("annotations", Shape::Texts),
    key("rlimits", TEXTS),
    key("uidMappings", ID_MAPPINGS),
    key("gidMappings", ID_MAPPINGS),
    key("runtime", Shape::Object(&RUNTIME)),
];

const DEVICES: Shape = Shape::List(&Shape::Object(&DEVICE));
const MOUNTS: Shape = Shape::List(&Shape::Object(&MOUNT));
const ID_MAPPINGS: Shape = Shape::List(&Shape::Object(&ID_MAPPING));

static MOUNT: Object = Object::new(
    "a mount",
    &[
        key("destination", Shape::Text),
        key("type", Shape::Text),
        key("source", Shape::Text),
        key("options", TEXTS),
        key("uidmappings", ID_MAPPINGS),
        key("gidmappings", ID_MAPPINGS),
    ],
);

static DEVICE: Object = Object::new(
    "a device",
    &[
        filled("path"),
        key("type", Shape::Text),
        key("major", INT),
        key("minor", INT),
        key("mode", Shape::Text),
    ],
);

static ID_MAPPING: Object = Object::new(
    "an id mapping",
    &[
        key("hostID", U32),
        key("containerID", U32),
        key("size", U32),
    ],
);

static RUNTIME: Object = Object::new(
    "`runtime`",
    &[
        key("cgroups", TEXTS),
        key("mounts", MOUNTS),
        key("mkdir", TEXTS),
        key("interfaces", Shape::List(&Shape::Object(&INTERFACE))),
        key("bindNS", Shape::Object(&BIND_NS)),
        key("namespace", Shape::Text),
    ],
);

static INTERFACE: Object = Object::new(
    "an interface",
    &[
        key("name", Shape::Text),
        key("add", Shape::Text),
        key("peer", Shape::Text),
        key("createInRoot", Shape::Bool),
    ],
);

static BIND_NS: Object = Object::new(
    "`bindNS`",
    &[
        key("cgroup", Shape::Text),
        key("ipc", Shape::Text),
        key("mnt", Shape::Text),
        key("net", Shape::Text),
        key("pid", Shape::Text),
        key("user", Shape::Text),
        key("uts", Shape::Text),
    ],
);
