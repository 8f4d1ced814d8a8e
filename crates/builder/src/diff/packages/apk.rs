//! `lib/apk/db/installed` of apk-tools 2 and 3: a line for each field, letter, colon, value; an
//! empty line ends a package.

use super::{Package, word};

/// Calls `found` with every package that has a name and a version.
pub(super) fn parse(text: &[u8], found: &mut dyn FnMut(Package)) {
    let mut package = Package::default();
    for line in text.split(|byte| *byte == b'\n').chain([b"".as_slice()]) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            let package = std::mem::take(&mut package);
            if !package.name.is_empty() && !package.version.is_empty() {
                found(package);
            }
        } else if let Some(name) = line.strip_prefix(b"P:") {
            package.name = word(name).unwrap_or_default();
        } else if let Some(version) = line.strip_prefix(b"V:") {
            package.version = word(version).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_with_name_and_version() {
        let text = b"C:Q1abc=\nP:musl\nV:1.2.4-r2\nA:x86_64\nF:lib\nR:ld-musl-x86_64.so.1\n\n\
            P:nameless\n\nV:1\n\nP:bad name\nV:1\n\nP:busybox\nV:1.36.1-r5";
        let mut all = Vec::new();
        parse(text, &mut |package| {
            all.push((package.name, package.version))
        });
        let own = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        assert_eq!(all, [own("musl", "1.2.4-r2"), own("busybox", "1.36.1-r5")]);
        parse(&[0xff; 100], &mut |_| panic!());
        parse(b"", &mut |_| panic!());
    }
}
