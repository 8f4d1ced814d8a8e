//! Names of entries.

use crate::limits::{NAME_BYTES, PATH_BYTES, PATH_DEPTH};

/// The path without empty and `.` components and without leading and trailing slashes, as an
/// unpacker in the root would see it. `..` is refused even where it stays inside: no tool that
/// makes layers writes it.
pub(crate) fn clean(raw: &[u8]) -> Result<Vec<u8>, &'static str> {
    if raw.len() > PATH_BYTES {
        return Err("its path is longer than 4096 bytes");
    }
    if raw.contains(&0) {
        return Err("there is a NUL byte in its name");
    }
    let mut path = Vec::with_capacity(raw.len());
    let mut depth = 0;
    for part in raw.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => continue,
            b".." => return Err("its path leads out through \"..\""),
            _ if part.len() > NAME_BYTES => return Err("a name in its path exceeds 255 bytes"),
            _ => {}
        }
        depth += 1;
        if depth > PATH_DEPTH {
            return Err("it lies more than 256 directories deep");
        }
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(part);
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned_or_refused() {
        for (raw, clean_path) in [
            ("./x", "x"),
            ("x/", "x"),
            (".", ""),
            ("./", ""),
            ("/", ""),
            ("/etc//passwd", "etc/passwd"),
            ("a/./b", "a/b"),
            ("..a/b..", "..a/b.."),
        ] {
            assert_eq!(
                clean(raw.as_bytes()),
                Ok(clean_path.as_bytes().to_vec()),
                "{raw}"
            );
        }
        let deep = "d/".repeat(257);
        let long = "l".repeat(256);
        let longest = format!("{}/x", "l/".repeat(2048));
        for raw in [
            "..", "a/..", "../a", "a/../b", "/../a", "a\0b", &deep, &long, &longest,
        ] {
            assert!(clean(raw.as_bytes()).is_err(), "{raw:?}");
        }
    }
}
