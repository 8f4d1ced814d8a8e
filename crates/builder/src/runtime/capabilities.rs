//! The process's capability sets.

use std::collections::BTreeSet;

use super::ErrorKind;
use super::oci::Capabilities;

/// The kernel's capabilities in the order of their numbers, without `CAP_`.
const KNOWN: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// The full names of a list, in its order with its duplicates; a lone `all` or `none` is special.
pub(super) fn expand(list: &[String]) -> Result<Vec<String>, ErrorKind> {
    if let [only] = list {
        match only.to_lowercase().as_str() {
            "all" => return Ok(KNOWN.iter().map(|name| format!("CAP_{name}")).collect()),
            "none" => return Ok(Vec::new()),
            _ => {}
        }
    }
    list.iter()
        .map(|name| check(name).map(|()| name.clone()))
        .collect()
}

fn known(name: &str) -> bool {
    name.strip_prefix("CAP_")
        .is_some_and(|bare| KNOWN.contains(&bare))
}

fn check(name: &str) -> Result<(), ErrorKind> {
    if known(name) {
        return Ok(());
    }
    let upper = name.trim().to_uppercase();
    let hint = if known(&upper) {
        Some(upper)
    } else {
        Some(format!("CAP_{upper}")).filter(|prefixed| known(prefixed))
    };
    Err(ErrorKind::UnknownCapability {
        value: name.to_owned(),
        hint,
    })
}

/// Bounding, inheritable and permitted are the sorted union of both lists; effective and ambient
/// are the lists as given.
pub(super) fn sets(effective: Vec<String>, ambient: Vec<String>) -> Capabilities {
    let union: BTreeSet<&String> = effective.iter().chain(&ambient).collect();
    let union: Vec<String> = union.into_iter().cloned().collect();
    Capabilities {
        bounding: union.clone(),
        inheritable: union.clone(),
        permitted: union,
        effective,
        ambient,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn all_and_none_alone_in_any_case() {
        assert_eq!(expand(&list(&["ALL"])).unwrap().len(), 41);
        assert_eq!(
            expand(&list(&["all"])).unwrap()[40],
            "CAP_CHECKPOINT_RESTORE"
        );
        assert_eq!(expand(&list(&["None"])).unwrap(), list(&[]));
        assert_eq!(expand(&[]).unwrap(), list(&[]));
    }

    #[test]
    fn exact_names_only() {
        let error = expand(&list(&["CAP_KILL", "all"])).unwrap_err();
        assert_eq!(error.to_string(), "unknown capability: all");
        let error = expand(&list(&["net_admin"])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown capability: net_admin; write CAP_NET_ADMIN"
        );
        let error = expand(&list(&["cap_kill"])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown capability: cap_kill; write CAP_KILL"
        );
        assert!(expand(&list(&[""])).is_err());
    }

    #[test]
    fn union_is_sorted_and_effective_keeps_order_and_duplicates() {
        let effective = list(&["CAP_SYS_ADMIN", "CAP_KILL", "CAP_SYS_ADMIN"]);
        let got = sets(effective.clone(), list(&["CAP_CHOWN"]));
        assert_eq!(
            got.bounding,
            list(&["CAP_CHOWN", "CAP_KILL", "CAP_SYS_ADMIN"])
        );
        assert_eq!(got.permitted, got.bounding);
        assert_eq!(got.inheritable, got.bounding);
        assert_eq!(got.effective, effective);
        assert_eq!(got.ambient, list(&["CAP_CHOWN"]));
    }
}
