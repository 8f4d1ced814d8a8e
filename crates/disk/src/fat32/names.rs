//! Short (8.3) and long names.

use std::collections::BTreeSet;

/// An 8.3 name as it stands in a directory entry.
pub(super) type ShortName = [u8; 11];

/// UTF-16 units in one long-name entry.
const UNITS: usize = 13;

/// Why a name can't be used, or nothing.
pub(super) fn fault(name: &str) -> Option<&'static str> {
    let forbidden = |c: char| c.is_control() || "\"*/:<>?\\|".contains(c);
    match name {
        "" => Some("it has an empty name"),
        "." | ".." => Some("it has '.' or '..' in it"),
        _ if name.chars().any(forbidden) => Some("a name has a character that FAT forbids"),
        _ if name.ends_with(['.', ' ']) || name.starts_with(' ') => {
            Some("a name begins with a space or ends with a dot or space")
        }
        _ if name.encode_utf16().count() > 255 => Some("a name is longer than 255 UTF-16 units"),
        _ => None,
    }
}

/// The 8.3 name that is exactly this name, if there is one.
pub(super) fn exact(name: &str) -> Option<ShortName> {
    let (base, extension) = name.split_once('.').unwrap_or((name, ""));
    let fits = |part: &str, max| part.len() <= max && part.bytes().all(is_short);
    let dot = name.contains('.');
    if base.is_empty() || (dot && extension.is_empty()) || !fits(base, 8) || !fits(extension, 3) {
        return None;
    }
    Some(join(base.as_bytes(), extension.as_bytes()))
}

/// A short name for a long one, not among `taken`: its first characters and `~N`.
pub(super) fn tailed(name: &str, taken: &BTreeSet<ShortName>) -> Option<ShortName> {
    let (base, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let reduce = |part: &str, max| -> Vec<u8> {
        let kept = part.chars().filter(|c| !matches!(c, ' ' | '.'));
        let upper = kept.map(|c| u8::try_from(c).map_or(b'_', |byte| byte.to_ascii_uppercase()));
        upper
            .map(|byte| if is_short(byte) { byte } else { b'_' })
            .take(max)
            .collect()
    };
    let extension = reduce(extension, 3);
    let base = reduce(base, 8);
    (1..100_000_u32)
        .map(|number| {
            let tail = format!("~{number}");
            let keep = base.len().min(8 - tail.len());
            let base = [&base[..keep], tail.as_bytes()].concat();
            join(&base, &extension)
        })
        .find(|short| !taken.contains(short))
}

/// How a name is compared: FAT ignores case.
pub(super) fn folded(name: &str) -> String {
    name.to_uppercase()
}

/// How many long-name entries a name takes.
pub(super) fn long_entries(name: &str) -> usize {
    name.encode_utf16().count().div_ceil(UNITS)
}

/// The long-name entries of a name, in their order on disk: last part first.
pub(super) fn encode_long(name: &str, short: &ShortName) -> Vec<u8> {
    let checksum = short
        .iter()
        .fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte));
    let units: Vec<u16> = name.encode_utf16().collect();
    let parts = units.len().div_ceil(UNITS);
    let mut out = Vec::with_capacity(parts * 32);
    for (index, part) in units.chunks(UNITS).enumerate().rev() {
        // A closing NUL, then 0xffff as filling.
        let closing = std::iter::once(0).chain(std::iter::repeat(0xffff));
        let mut filled = part
            .iter()
            .copied()
            .chain(closing)
            .take(UNITS)
            .flat_map(u16::to_le_bytes);
        let last = if index + 1 == parts { 0x40 } else { 0 };
        out.push((index + 1) as u8 | last);
        out.extend(filled.by_ref().take(10));
        out.extend_from_slice(&[0x0f, 0, checksum]);
        out.extend(filled.by_ref().take(12));
        out.extend_from_slice(&[0, 0]);
        out.extend(filled);
    }
    out
}

fn is_short(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"$%'-_@~`!(){}^#&".contains(&byte)
}

fn join(base: &[u8], extension: &[u8]) -> ShortName {
    let mut short = [b' '; 11];
    short[..base.len()].copy_from_slice(base);
    short[8..8 + extension.len()].copy_from_slice(extension);
    short
}
