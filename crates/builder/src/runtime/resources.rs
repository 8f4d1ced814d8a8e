//! cgroup limits, in the runtime specification's names and order.

use serde::{Deserialize, Serialize};

use super::ErrorKind;

/// `linux.resources`; always printed, `{}` when nothing is limited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Resources {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) devices: Vec<DeviceRule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    memory: Option<Memory>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cpu: Option<Cpu>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pids: Option<Pids>,
    #[serde(default, rename = "blockIO", skip_serializing_if = "Option::is_none")]
    block_io: Option<BlockIo>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hugepage_limits: Vec<HugepageLimit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    network: Option<Network>,
}

/// One rule of the device controller.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeviceRule {
    #[serde(default)]
    pub(super) allow: bool,
    #[serde(default, rename = "type", skip_serializing_if = "String::is_empty")]
    pub(super) kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) major: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) minor: Option<i64>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) access: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Memory {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reservation: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    swap: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kernel: Option<i64>,
    #[serde(default, rename = "kernelTCP", skip_serializing_if = "Option::is_none")]
    kernel_tcp: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    swappiness: Option<u64>,
    #[serde(
        default,
        rename = "disableOOMKiller",
        skip_serializing_if = "Option::is_none"
    )]
    disable_oom_killer: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Cpu {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shares: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quota: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    period: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    realtime_runtime: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    realtime_period: Option<u64>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    cpus: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    mems: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pids {
    #[serde(default)]
    limit: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BlockIo {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weight: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    leaf_weight: Option<u16>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    weight_device: Vec<WeightDevice>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    throttle_read_bps_device: Vec<ThrottleDevice>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    throttle_write_bps_device: Vec<ThrottleDevice>,
    #[serde(
        default,
        rename = "throttleReadIOPSDevice",
        skip_serializing_if = "Vec::is_empty"
    )]
    throttle_read_iops_device: Vec<ThrottleDevice>,
    #[serde(
        default,
        rename = "throttleWriteIOPSDevice",
        skip_serializing_if = "Vec::is_empty"
    )]
    throttle_write_iops_device: Vec<ThrottleDevice>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WeightDevice {
    #[serde(default)]
    major: i64,
    #[serde(default)]
    minor: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weight: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    leaf_weight: Option<u16>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ThrottleDevice {
    #[serde(default)]
    major: i64,
    #[serde(default)]
    minor: i64,
    #[serde(default)]
    rate: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HugepageLimit {
    #[serde(default)]
    page_size: String,
    #[serde(default)]
    limit: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Network {
    #[serde(default, rename = "classID", skip_serializing_if = "Option::is_none")]
    class_id: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    priorities: Vec<Priority>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Priority {
    #[serde(default)]
    name: String,
    #[serde(default)]
    priority: u32,
}

impl Resources {
    /// From the spec's value.
    pub(super) fn parse(value: Option<&serde_json::Value>) -> Result<Self, ErrorKind> {
        match value {
            None | Some(serde_json::Value::Null) => Ok(Self::default()),
            Some(value) => Self::deserialize(value).map_err(|error| ErrorKind::Resources {
                reason: error.to_string(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Every member the schema knows, given in the wrong order, comes out in Go's.
    #[test]
    fn every_member_in_the_specifications_order() {
        let given = json!({
            "network": {"priorities": [{"priority": 5, "name": "eth0"}], "classID": 7},
            "hugepageLimits": [{"limit": 9, "pageSize": "2MB"}],
            "blockIO": {
                "throttleWriteIOPSDevice": [{"rate": 4, "minor": 2, "major": 1}],
                "throttleReadIOPSDevice": [{"rate": 3, "minor": 2, "major": 1}],
                "throttleWriteBpsDevice": [{"rate": 2, "minor": 2, "major": 1}],
                "throttleReadBpsDevice": [{"rate": 1, "minor": 2, "major": 1}],
                "weightDevice": [{"leafWeight": 4, "weight": 3, "minor": 2, "major": 1}],
                "leafWeight": 11, "weight": 10
            },
            "pids": {"limit": 64},
            "cpu": {"mems": "0", "cpus": "0-1", "realtimePeriod": 5, "realtimeRuntime": 4,
                    "period": 3, "quota": -1, "shares": 2},
            "memory": {"disableOOMKiller": false, "swappiness": 0, "kernelTCP": 5, "kernel": 4,
                       "swap": -1, "reservation": 2, "limit": 1},
            "devices": [{"access": "rwm", "minor": 1, "major": 0, "type": "c", "allow": false}]
        });
        let parsed = Resources::parse(Some(&given)).unwrap();
        assert_eq!(
            serde_json::to_string(&parsed).unwrap(),
            concat!(
                r#"{"devices":[{"allow":false,"type":"c","major":0,"minor":1,"access":"rwm"}],"#,
                r#""memory":{"limit":1,"reservation":2,"swap":-1,"kernel":4,"kernelTCP":5,"#,
                r#""swappiness":0,"disableOOMKiller":false},"#,
                r#""cpu":{"shares":2,"quota":-1,"period":3,"realtimeRuntime":4,"realtimePeriod":5,"#,
                r#""cpus":"0-1","mems":"0"},"pids":{"limit":64},"#,
                r#""blockIO":{"weight":10,"leafWeight":11,"#,
                r#""weightDevice":[{"major":1,"minor":2,"weight":3,"leafWeight":4}],"#,
                r#""throttleReadBpsDevice":[{"major":1,"minor":2,"rate":1}],"#,
                r#""throttleWriteBpsDevice":[{"major":1,"minor":2,"rate":2}],"#,
                r#""throttleReadIOPSDevice":[{"major":1,"minor":2,"rate":3}],"#,
                r#""throttleWriteIOPSDevice":[{"major":1,"minor":2,"rate":4}]},"#,
                r#""hugepageLimits":[{"pageSize":"2MB","limit":9}],"#,
                r#""network":{"classID":7,"priorities":[{"name":"eth0","priority":5}]}}"#
            )
        );
    }

    #[test]
    fn empty_sections_stay_and_absent_ones_do_not_appear() {
        let parsed =
            Resources::parse(Some(&json!({"memory": {}, "pids": {}, "devices": []}))).unwrap();
        assert_eq!(
            serde_json::to_string(&parsed).unwrap(),
            r#"{"memory":{},"pids":{"limit":0}}"#
        );
        assert_eq!(
            serde_json::to_string(&Resources::parse(None).unwrap()).unwrap(),
            "{}"
        );
    }

    #[test]
    fn wrong_members_and_types_are_refused() {
        for bad in [
            json!({"blockio": {}}),
            json!({"cpu": {"shares": -1}}),
            json!([1]),
        ] {
            assert!(matches!(
                Resources::parse(Some(&bad)),
                Err(ErrorKind::Resources { .. })
            ));
        }
    }
}
