//! The `resources` key: cgroup limits.

use super::{INT, Object, Shape, U16, U32, UINT, key};

/// All of it.
pub(super) static RESOURCES: Object = Object::new(
    "`resources`",
    &[
        key("devices", Shape::List(&Shape::Object(&DEVICE))),
        key("memory", Shape::Object(&MEMORY)),
        key("cpu", Shape::Object(&CPU)),
        key("pids", Shape::Object(&PIDS)),
        key("blockio", Shape::Object(&BLOCK_IO)),
        key("hugepageLimits", Shape::List(&Shape::Object(&HUGE_PAGES))),
        key("network", Shape::Object(&NETWORK)),
    ],
);

static DEVICE: Object = Object::new(
    "a device rule",
    &[
        key("allow", Shape::Bool),
        key("type", Shape::Text),
        key("major", INT),
        key("minor", INT),
        key("access", Shape::Text),
    ],
);

static MEMORY: Object = Object::new(
    "`memory`",
    &[
        key("limit", INT),
        key("reservation", INT),
        key("swap", INT),
        key("kernel", INT),
        key("kernelTCP", INT),
        key("swappiness", UINT),
        key("disableOOMKiller", Shape::Bool),
    ],
);

static CPU: Object = Object::new(
    "`cpu`",
    &[
        key("shares", UINT),
        key("quota", INT),
        key("period", UINT),
        key("realtimeRuntime", INT),
        key("realtimePeriod", UINT),
        key("cpus", Shape::Text),
        key("mems", Shape::Text),
    ],
);

static PIDS: Object = Object::new("`pids`", &[key("limit", INT)]);

const THROTTLED: Shape = Shape::List(&Shape::Object(&THROTTLED_DEVICE));

static BLOCK_IO: Object = Object::new(
    "`blockio`",
    &[
        key("weight", U16),
        key("leafWeight", U16),
        key("weightDevice", Shape::List(&Shape::Object(&WEIGHT_DEVICE))),
        key("throttleReadBpsDevice", THROTTLED),
        key("throttleWriteBpsDevice", THROTTLED),
        key("throttleReadIOPSDevice", THROTTLED),
        key("throttleWriteIOPSDevice", THROTTLED),
    ],
);

static WEIGHT_DEVICE: Object = Object::new(
    "a weighted device",
    &[
        key("major", INT),
        key("minor", INT),
        key("weight", U16),
        key("leafWeight", U16),
    ],
);

static THROTTLED_DEVICE: Object = Object::new(
    "a throttled device",
    &[key("major", INT), key("minor", INT), key("rate", UINT)],
);

static HUGE_PAGES: Object = Object::new(
    "a huge page limit",
    &[key("pageSize", UINT), key("limit", UINT)],
);

static NETWORK: Object = Object::new(
    "`network`",
    &[
        key("classID", U32),
        key("priorities", Shape::List(&Shape::Object(&PRIORITY))),
    ],
);

static PRIORITY: Object = Object::new(
    "an interface priority",
    &[key("name", Shape::Text), key("priority", U32)],
);
