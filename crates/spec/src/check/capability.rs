//! Capability names.

use super::{Check, join};
use crate::fault::{Fault, quoted};
use crate::suggest::nearest;

/// Linux' capabilities in the order of their numbers, to `CAP_CHECKPOINT_RESTORE` (40).
pub const CAPABILITIES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

impl Check<'_> {
    pub(super) fn capabilities(&mut self, path: &str, key: &str, names: Option<&[String]>) {
        let path = join(path, key);
        let names = names.unwrap_or_default();
        for (index, name) in names.iter().enumerate() {
            let path = format!("{path}[{index}]");
            if CAPABILITIES.contains(&name.as_str()) || self.broken(&path) {
                continue;
            }
            let word = name.to_lowercase();
            if word == "all" || word == "none" {
                if names.len() > 1 {
                    let message = format!(
                        "{} must stand alone in a list of capabilities",
                        quoted(name)
                    );
                    self.fault(Fault::new(path, message));
                }
                continue;
            }
            let fault = Fault::new(path, format!("unknown capability {}", quoted(name)));
            let full = name.to_uppercase();
            let full = if full.starts_with("CAP_") {
                full
            } else {
                format!("CAP_{full}")
            };
            self.fault(match nearest(&full, CAPABILITIES) {
                Some(near) => fault.help(format!("did you mean `{near}`?")),
                None => fault.help(
                    "names are as in capabilities(7), such as `CAP_NET_ADMIN`; or `all`, `none`",
                ),
            });
        }
    }
}
