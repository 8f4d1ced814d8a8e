//! What is told of a file: type, size, mode, owner, what it may do.

use nodeimage_images::{Kind, Node};
use serde::Serialize;

const CAPABILITY: &[u8] = b"security.capability";
const SETUID: u32 = 0o4000;
const SETGID: u32 = 0o2000;

/// Capabilities by number, without `cap_` (include/uapi/linux/capability.h).
const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// What is told of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileFacts {
    /// `directory`, `file`, `symlink`, `char`, `block`, `fifo`.
    pub kind: &'static str,
    /// Bytes of a regular file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Four octal digits.
    pub mode: String,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Where a symbolic link leads, or of which file this is another name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// `major:minor` of a device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// File capabilities as `getcap` writes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<String>,
    /// Names of the other extended attributes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub xattrs: Vec<String>,
}

impl FileFacts {
    /// Of a node. `linked_to`: of which file it is another name.
    pub(super) fn of(node: &Node, linked_to: Option<&[u8]>) -> Self {
        let (kind, size, target, device) = match &node.kind {
            Kind::Dir => ("directory", None, None, None),
            Kind::File(data) => ("file", Some(data.len()), None, None),
            Kind::Symlink(target) => ("symlink", None, Some(target.as_slice()), None),
            Kind::HardLink(target) => ("file", None, Some(target.as_slice()), None),
            Kind::Char { major, minor } => ("char", None, None, Some((*major, *minor))),
            Kind::Block { major, minor } => ("block", None, None, Some((*major, *minor))),
            Kind::Fifo => ("fifo", None, None, None),
        };
        let others = node.xattrs.keys().filter(|name| *name != CAPABILITY);
        Self {
            kind,
            size,
            mode: format!("{:04o}", node.mode & 0o7777),
            uid: node.uid,
            gid: node.gid,
            target: target.or(linked_to).map(shown),
            device: device.map(|(major, minor)| format!("{major}:{minor}")),
            capabilities: capabilities(node),
            xattrs: others.map(|name| shown(name)).collect(),
        }
    }
}

/// What a file gives whoever starts or opens it beyond their own rights: `setuid`, `setgid`,
/// its capabilities, that it is a device.
pub(super) fn privileges(node: &Node) -> Vec<String> {
    let mut found = Vec::new();
    match node.kind {
        Kind::File(_) | Kind::HardLink(_) => {
            if node.mode & SETUID != 0 {
                found.push("setuid".to_owned());
            }
            if node.mode & SETGID != 0 {
                found.push("setgid".to_owned());
            }
            found.extend(capabilities(node));
        }
        Kind::Char { .. } | Kind::Block { .. } => found.push("device".to_owned()),
        Kind::Dir | Kind::Symlink(_) | Kind::Fifo => {}
    }
    found
}

/// The attribute as text. One that the kernel would not take is told as its bytes.
fn capabilities(node: &Node) -> Option<String> {
    let bytes = node.xattrs.get(CAPABILITY)?;
    Some(
        decode(bytes)
            .unwrap_or_else(|| format!("0x{}", hex::encode(bytes.get(..24).unwrap_or(bytes)))),
    )
}

/// `struct vfs_cap_data` and `vfs_ns_cap_data`, revisions 1 to 3.
fn decode(bytes: &[u8]) -> Option<String> {
    let word = |at: usize| -> Option<u32> {
        let bytes = bytes.get(4 * at..4 * at + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    };
    let magic = word(0)?;
    let wide = match (magic >> 24, bytes.len()) {
        (1, 12) => false,
        (2, 20) | (3, 24) => true,
        _ => return None,
    };
    let high = |at: usize| -> Option<u64> {
        if wide {
            word(at).map(u64::from)
        } else {
            Some(0)
        }
    };
    let permitted = u64::from(word(1)?) | high(3)? << 32;
    let inheritable = u64::from(word(2)?) | high(4)? << 32;
    let effective = magic & 1 != 0;
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for number in 0..64_usize {
        let has = |set: u64| set >> number & 1 != 0;
        let mut flags = String::new();
        if has(permitted) || has(inheritable) {
            if effective {
                flags.push('e');
            }
            if has(inheritable) {
                flags.push('i');
            }
            if has(permitted) {
                flags.push('p');
            }
        }
        if flags.is_empty() {
            continue;
        }
        let name = match NAMES.get(number) {
            Some(name) => format!("cap_{name}"),
            None => number.to_string(),
        };
        match groups.iter_mut().find(|(known, _)| *known == flags) {
            Some((_, names)) => names.push(name),
            None => groups.push((flags, vec![name])),
        }
    }
    let mut texts: Vec<String> = groups
        .into_iter()
        .map(|(flags, names)| format!("{}={flags}", names.join(",")))
        .collect();
    if let Some(root) = word(5).filter(|root| magic >> 24 == 3 && *root != 0) {
        texts.push(format!("[rootid={root}]"));
    }
    Some(if texts.is_empty() {
        "=".to_owned()
    } else {
        texts.join(" ")
    })
}

/// A path or name as text: what is not UTF-8 as `\xNN`, and a backslash as `\\`.
pub(super) fn shown(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(&chunk.valid().replace('\\', "\\\\"));
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(number: u32, effective: bool, words: &[u32]) -> Vec<u8> {
        let magic = number << 24 | u32::from(effective);
        let all = [magic].into_iter().chain(words.iter().copied());
        all.flat_map(u32::to_le_bytes).collect()
    }

    #[test]
    fn capabilities_as_getcap_writes_them() {
        // ping of Debian: setcap cap_net_raw+ep.
        let ping = revision(2, true, &[1 << 13, 0, 0, 0]);
        assert_eq!(decode(&ping).unwrap(), "cap_net_raw=ep");
        let several = revision(2, false, &[1 << 10 | 1 << 12, 1 << 12, 0, 0]);
        assert_eq!(
            decode(&several).unwrap(),
            "cap_net_bind_service=p cap_net_admin=ip"
        );
        let high = revision(3, true, &[0, 0, 1 << 7 | 1 << 20, 0, 1000]);
        assert_eq!(decode(&high).unwrap(), "cap_bpf,52=ep [rootid=1000]");
        assert_eq!(decode(&revision(1, true, &[1, 0])).unwrap(), "cap_chown=ep");
        assert_eq!(decode(&revision(2, false, &[0; 4])).unwrap(), "=");
        for odd in [
            &[] as &[u8],
            &[0; 20],
            &ping[..19],
            &revision(9, true, &[0; 4]),
        ] {
            assert_eq!(decode(odd), None);
        }
    }

    #[test]
    fn odd_names_stay_apart() {
        assert_eq!(shown(b"a/\xff\\x"), "a/\\xff\\\\x");
        assert_eq!(shown("ü".as_bytes()), "ü");
    }
}
