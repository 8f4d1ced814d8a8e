//! The mount table, /proc/self/mountinfo (proc(5)).

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where it is.
    pub(crate) target: PathBuf,
    /// Its file system type.
    pub(crate) kind: String,
}

/// All mounts that this process can reach, oldest first; empty without /proc.
pub(crate) fn read() -> Vec<Entry> {
    parse(&fs::read_to_string("/proc/self/mountinfo").unwrap_or_default())
}

/// The file system type of the uppermost mount at exactly `target`.
pub(crate) fn kind_at(target: &Path) -> Option<String> {
    read()
        .into_iter()
        .rfind(|entry| entry.target == target)
        .map(|entry| entry.kind)
}

fn parse(text: &str) -> Vec<Entry> {
    text.lines()
        .filter_map(|line| {
            let (fields, tail) = line.split_once(" - ")?;
            Some(Entry {
                target: unescape(fields.split(' ').nth(4)?),
                kind: tail.split(' ').next()?.to_owned(),
            })
        })
        .collect()
}

/// Undoes the kernel's octal escapes (`\040`).
fn unescape(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let octal = tail.get(..3).and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 8).ok()
        });
        match (first, octal) {
            (b'\\', Some(value)) => {
                bytes.push(value);
                rest = tail.get(3..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_and_kinds() {
        let text = "1 1 0:2 / / rw - rootfs rootfs rw,size=1k\n\
                    25 1 0:22 / /a\\040b rw,nosuid shared:12 - tmpfs tmpfs rw\n\
                    broken\n\
                    26 1 0:23 / /x\\ rw - ext4 /dev/vda rw\n";
        let entries = parse(text);
        let seen: Vec<_> = entries
            .iter()
            .map(|entry| (entry.target.to_str().unwrap(), entry.kind.as_str()))
            .collect();
        assert_eq!(seen, [("/", "rootfs"), ("/a b", "tmpfs"), ("/x\\", "ext4")]);
    }
}
