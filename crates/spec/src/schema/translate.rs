//! `resources` from LinuxKit's names to those of the OCI runtime specification (`linux.resources`).
//!
//! | LinuxKit | OCI | |
//! |---|---|---|
//! | `devices[]` | `devices[]` | same members |
//! | `memory` | `memory` | same members, `kernelTCP` and `disableOOMKiller` included |
//! | `cpu` | `cpu` | same members, `realtimeRuntime` and `realtimePeriod` included |
//! | `pids.limit` | `pids.limit` | |
//! | `blockio` | `blockIO` | same members: `leafWeight`, `weightDevice`, `throttle…Device` |
//! | `hugepageLimits[].pageSize` | the same, as text | bytes: 2097152 → `2MB`, 1073741824 → `1GB` |
//! | `network` | `network` | `classID`, `priorities[]` |
//!
//! LinuxKit itself drops the camelCase members in silence; here all are honoured.

use serde_json::{Map, Value};

/// Renames in place. A page size that is not a whole number of KiB comes back as the index of its
/// entry in `hugepageLimits`.
pub(crate) fn resources(resources: &mut Map<String, Value>) -> Result<(), usize> {
    if let Some(block_io) = resources.remove("blockio") {
        resources.insert("blockIO".to_owned(), block_io);
    }
    let limits = resources
        .get_mut("hugepageLimits")
        .and_then(Value::as_array_mut);
    for (index, limit) in limits.into_iter().flatten().enumerate() {
        if let Some(size) = limit.get_mut("pageSize") {
            let text = size.as_u64().and_then(page_size).ok_or(index)?;
            *size = Value::String(text);
        }
    }
    Ok(())
}

/// The way back, for printing a spec.
pub(crate) fn resources_back(resources: &mut Map<String, Value>) {
    if let Some(block_io) = resources.remove("blockIO") {
        resources.insert("blockio".to_owned(), block_io);
    }
    let limits = resources
        .get_mut("hugepageLimits")
        .and_then(Value::as_array_mut);
    for limit in limits.into_iter().flatten() {
        if let Some(size) = limit.get_mut("pageSize")
            && let Some(bytes) = size.as_str().and_then(page_bytes)
        {
            *size = Value::from(bytes);
        }
    }
}

fn page_bytes(text: &str) -> Option<u64> {
    let (number, shift) = [("GB", 30), ("MB", 20), ("KB", 10)]
        .into_iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift)))?;
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// The runtime specification's `^[1-9][0-9]*[KMG]B$`.
fn page_size(bytes: u64) -> Option<String> {
    [(30, "GB"), (20, "MB"), (10, "KB")]
        .into_iter()
        .find(|(shift, _)| bytes > 0 && bytes.is_multiple_of(1 << shift))
        .map(|(shift, unit)| format!("{}{unit}", bytes >> shift))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn page_sizes() {
        assert_eq!(page_size(2 << 20).as_deref(), Some("2MB"));
        assert_eq!(page_size(1 << 30).as_deref(), Some("1GB"));
        assert_eq!(page_size(64 << 10).as_deref(), Some("64KB"));
        assert_eq!(page_size(1000), None);
        assert_eq!(page_size(0), None);
    }

    #[test]
    fn renames() {
        let mut map = json!({"blockio": {"leafWeight": 1}, "hugepageLimits": [{"pageSize": 2_097_152, "limit": 3}]});
        let before = map.clone();
        assert_eq!(resources(map.as_object_mut().unwrap()), Ok(()));
        let wanted = json!({"blockIO": {"leafWeight": 1}, "hugepageLimits": [{"pageSize": "2MB", "limit": 3}]});
        assert_eq!(map, wanted);
        resources_back(map.as_object_mut().unwrap());
        assert_eq!(map, before);
    }
}
