//! Extended attributes that a cpio archive cannot carry, file capabilities above all, from the
//! builder's manifest.
//!
//! `NIXATTR1`, then records to the end of the file: path (relative to /), u32 count, and as many
//! pairs of name and value; every string is a u32 length and its bytes, integers little-endian.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{StatFs, XattrFlags, lsetxattr};

use crate::console::say;
use crate::error::{Doing, Error, Result};

/// Where the builder puts it.
const MANIFEST: &str = "/etc/nodeimage/xattrs";
const MAGIC: &[u8; 8] = b"NIXATTR1";

/// The kernel's limits: PATH_MAX, XATTR_NAME_MAX, XATTR_SIZE_MAX, XATTR_LIST_MAX.
const PATH_LIMIT: u32 = 4096;
const NAME_LIMIT: u32 = 255;
const VALUE_LIMIT: u32 = 65_536;
const COUNT_LIMIT: u32 = 65_536 / 2;

/// File system types that an initramfs unpacks into, and what its tree moves to.
const TMPFS: u64 = 0x0102_1994;
const RAMFS: u64 = 0x8584_58f6;

/// One attribute to set.
#[derive(Debug, PartialEq, Eq)]
struct Attribute<'a> {
    path: &'a Path,
    name: &'a str,
    value: &'a [u8],
}

/// Applies the manifest, if there is one and / came from an archive; failures are told.
pub(crate) fn apply() {
    let from_archive = |fs: StatFs| [TMPFS, RAMFS].contains(&(fs.f_type.cast_unsigned()));
    if !rustix::fs::statfs("/").is_ok_and(from_archive) {
        return;
    }
    let file = match File::open(MANIFEST) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return,
        Err(error) => return say!("nodeimage: cannot open {MANIFEST}: {error}"),
    };
    let mut failures = 0_u64;
    let result = read(BufReader::new(file), |attribute| {
        if let Err(error) = set(attribute) {
            failures += 1;
            if failures <= 10 {
                say!("nodeimage: {error}");
            }
        }
    });
    if failures > 10 {
        say!("nodeimage: {failures} extended attributes could not be set");
    }
    if let Err(error) = result {
        say!("nodeimage: {error}; later attributes are not set");
    }
}

fn set(attribute: &Attribute<'_>) -> Result<()> {
    let path = Path::new("/").join(attribute.path);
    lsetxattr(&path, attribute.name, attribute.value, XattrFlags::empty())
        .doing(|| format!("set {} of {}", attribute.name, path.display()))
}

/// Reads a manifest, handing out attribute by attribute.
fn read(mut from: impl Read, mut each: impl FnMut(&Attribute<'_>)) -> Result<()> {
    let mut magic = [0; 8];
    from.read_exact(&mut magic).map_err(broken)?;
    if &magic != MAGIC {
        return Err(invalid("it does not begin with NIXATTR1"));
    }
    let (mut path, mut name, mut value) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(length) = next_length(&mut from)? {
        text(&mut from, length, PATH_LIMIT, "path", &mut path)?;
        let path = relative(&path)?;
        let count = number(&mut from)?;
        if count > COUNT_LIMIT {
            return Err(invalid("a file has more attributes than the kernel allows"));
        }
        for _ in 0..count {
            let length = number(&mut from)?;
            text(&mut from, length, NAME_LIMIT, "name", &mut name)?;
            let length = number(&mut from)?;
            text(&mut from, length, VALUE_LIMIT, "value", &mut value)?;
            let name = std::str::from_utf8(&name)
                .ok()
                .filter(|name| !name.is_empty() && !name.contains('\0'))
                .ok_or_else(|| invalid("an attribute's name is empty or not text"))?;
            each(&Attribute {
                path,
                name,
                value: &value,
            });
        }
    }
    Ok(())
}

/// A path that stays below / and has one meaning.
fn relative(path: &[u8]) -> Result<&Path> {
    let plain = !path.contains(&0)
        && path
            .split(|byte| *byte == b'/')
            .all(|part| !matches!(part, b"" | b"." | b".."));
    if plain || path == b"." {
        Ok(Path::new(OsStr::from_bytes(path)))
    } else {
        Err(invalid(
            "a path is empty, absolute, or has `.` or `..` in it",
        ))
    }
}

fn text(from: &mut impl Read, length: u32, limit: u32, what: &str, to: &mut Vec<u8>) -> Result<()> {
    if length > limit {
        return Err(invalid(&format!("a {what} is longer than {limit} bytes")));
    }
    to.clear();
    let read = from
        .by_ref()
        .take(u64::from(length))
        .read_to_end(to)
        .map_err(broken)?;
    if u64::try_from(read).ok() == Some(u64::from(length)) {
        Ok(())
    } else {
        Err(broken(ErrorKind::UnexpectedEof.into()))
    }
}

fn number(from: &mut impl Read) -> Result<u32> {
    let mut bytes = [0; 4];
    from.read_exact(&mut bytes).map_err(broken)?;
    Ok(u32::from_le_bytes(bytes))
}

/// The length that begins a record, `None` at the end of the file.
fn next_length(from: &mut impl Read) -> Result<Option<u32>> {
    let mut first = [0];
    loop {
        match from.read(&mut first) {
            Ok(0) => return Ok(None),
            Ok(_) => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(broken(error)),
        }
    }
    let mut rest = [0; 3];
    from.read_exact(&mut rest).map_err(broken)?;
    let ([a], [b, c, d]) = (first, rest);
    Ok(Some(u32::from_le_bytes([a, b, c, d])))
}

fn invalid(reason: &str) -> Error {
    Error::invalid(MANIFEST, format!("{reason}; build the image again"))
}

fn broken(error: io::Error) -> Error {
    match error.kind() {
        ErrorKind::UnexpectedEof => invalid("it ends in the middle of a record"),
        _ => Error::System {
            what: format!("read {MANIFEST}"),
            source: error,
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Owned = (String, String, Vec<u8>);

    fn string(bytes: &[u8]) -> Vec<u8> {
        let mut out = u32::try_from(bytes.len()).unwrap().to_le_bytes().to_vec();
        out.extend(bytes);
        out
    }

    fn record(path: &str, attributes: &[(&str, &[u8])]) -> Vec<u8> {
        let mut out = string(path.as_bytes());
        out.extend(u32::try_from(attributes.len()).unwrap().to_le_bytes());
        for (name, value) in attributes {
            out.extend(string(name.as_bytes()));
            out.extend(string(value));
        }
        out
    }

    fn collect(bytes: &[u8]) -> (Vec<Owned>, Result<()>) {
        let mut seen = Vec::new();
        let result = read(bytes, |a| {
            seen.push((
                a.path.to_str().unwrap().to_owned(),
                a.name.to_owned(),
                a.value.to_vec(),
            ));
        });
        (seen, result)
    }

    #[test]
    fn records_until_the_end() {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(record(
            "bin/ping",
            &[("security.capability", b"\x01\0"), ("user.a", b"")],
        ));
        bytes.extend(record("etc/x", &[]));
        bytes.extend(record("usr/bin/y", &[("user.b", b"v")]));
        let (seen, result) = collect(&bytes);
        result.unwrap();
        let own = |p: &str, n: &str, v: &[u8]| (p.to_owned(), n.to_owned(), v.to_vec());
        assert_eq!(
            seen,
            [
                own("bin/ping", "security.capability", b"\x01\0"),
                own("bin/ping", "user.a", b""),
                own("usr/bin/y", "user.b", b"v"),
            ]
        );
    }

    #[test]
    fn paths_stay_below_the_root() {
        for path in ["", "/etc", "../etc", "a/../b", "a//b", "a/", "./a", "a\0b"] {
            let mut bytes = MAGIC.to_vec();
            bytes.extend(record(path, &[("user.a", b"")]));
            let (seen, result) = collect(&bytes);
            assert!(result.is_err() && seen.is_empty(), "{path:?}");
        }
    }

    #[test]
    fn cut_anywhere_is_an_error_not_a_panic() {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(record("a", &[("user.a", b"value")]));
        for length in 0..bytes.len() {
            let (_, result) = collect(&bytes[..length]);
            assert_eq!(result.is_ok(), length == MAGIC.len(), "{length}");
        }
    }

    #[test]
    fn lengths_are_limited_before_memory_is_taken() {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(u32::MAX.to_le_bytes());
        assert!(collect(&bytes).1.is_err());
        let mut bytes = MAGIC.to_vec();
        bytes.extend(string(b"a"));
        bytes.extend(u32::MAX.to_le_bytes());
        assert!(collect(&bytes).1.is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut all = MAGIC.to_vec();
            all.extend(&bytes);
            let _ = collect(&bytes);
            let _ = collect(&all);
        }
    }
}
