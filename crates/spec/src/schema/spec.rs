//! The document and its sections.

use super::container::CONTAINER;
use super::{Key, Object, Shape, TEXTS, filled, key, required};

/// A whole document.
pub(crate) static SPEC: Object = Object::new(
    "a spec",
    &[
        key("kernel", Shape::Object(&KERNEL)),
        key("init", TEXTS),
        key("onboot", CONTAINERS),
        key("onshutdown", CONTAINERS),
        key("services", CONTAINERS),
        key("files", Shape::List(&Shape::Object(&FILE))),
        key("volumes", Shape::List(&Shape::Object(&VOLUME))),
        key("trust", Shape::Object(&TRUST)),
        // 2017's; LinuxKit refuses it today.
        key("outputs", Shape::List(&Shape::Object(&OUTPUT))),
    ],
);

const CONTAINERS: Shape = Shape::List(&Shape::Object(&CONTAINER));

static KERNEL: Object = Object::new(
    "`kernel`",
    &[
        key("image", Shape::Text),
        key("cmdline", Shape::Text),
        key("binary", Shape::Text),
        key("tar", Shape::Text),
        key("ucode", Shape::Text),
    ],
);

static FILE: Object = Object::new("an entry of `files`", FILE_KEYS);

const FILE_KEYS: &[Key] = &[
    filled("path"),
    key("directory", Shape::Bool),
    key("symlink", Shape::Text),
    key("contents", Shape::Text),
    key("source", Shape::Text),
    key("metadata", Shape::Text),
    key("optional", Shape::Bool),
    key("mode", Shape::Text),
    key("uid", Shape::Id),
    key("gid", Shape::Id),
];

static VOLUME: Object = Object::new(
    "a volume",
    &[
        filled("name"),
        key("image", Shape::Text),
        key("readonly", Shape::Bool),
        key("format", Shape::Choice(&["filesystem", "oci"])),
        key("platforms", TEXTS),
    ],
);

static TRUST: Object = Object::new("`trust`", &[key("image", TEXTS), key("org", TEXTS)]);

static OUTPUT: Object = Object::new("an entry of `outputs`", &[required("format", Shape::Text)]);
