//! `var/lib/dpkg/status` (deb-control(5), dpkg's `Status` field): paragraphs of fields; a line that
//! begins with a space continues the one before.

use super::{Package, word};

/// Calls `found` with every package that is unpacked; removed ones of which only configuration is
/// left are none. Files of `status.d` have no `Status`.
pub(super) fn parse(text: &[u8], found: &mut dyn FnMut(Package)) {
    let mut one = Paragraph::default();
    for line in text.split(|byte| *byte == b'\n').chain([b"".as_slice()]) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            if let Some(package) = std::mem::take(&mut one).package() {
                found(package);
            }
            continue;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (key, value) = (&line[..colon], &line[colon + 1..]);
        let field = match key {
            key if key.eq_ignore_ascii_case(b"package") => &mut one.name,
            key if key.eq_ignore_ascii_case(b"version") => &mut one.version,
            key if key.eq_ignore_ascii_case(b"architecture") => &mut one.architecture,
            key if key.eq_ignore_ascii_case(b"status") => {
                one.absent = !value.trim_ascii().ends_with(b"installed")
                    || value.trim_ascii().ends_with(b"not-installed");
                continue;
            }
            _ => continue,
        };
        *field = word(value).unwrap_or_default();
    }
}

#[derive(Default)]
struct Paragraph {
    name: String,
    version: String,
    architecture: String,
    absent: bool,
}

impl Paragraph {
    fn package(self) -> Option<Package> {
        if self.absent || self.name.is_empty() || self.version.is_empty() {
            return None;
        }
        // The machine's own architecture goes without saying; which one it is, dpkg tells elsewhere.
        let foreign = matches!(self.architecture.as_str(), "i386" | "armhf" | "armel");
        Some(Package {
            name: if foreign {
                format!("{}:{}", self.name, self.architecture)
            } else {
                self.name
            },
            version: self.version,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_installed() {
        let text = b"Package: libc6\nStatus: install ok installed\nArchitecture: amd64\n\
            Version: 2.36-9+deb12u4\nDescription: GNU C Library\n Version: 1\n .\n more\n\n\
            Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n\
            Package: never\nStatus: unknown ok not-installed\nVersion: 1\n\n\
            Package: libc6\nStatus: install ok installed\nArchitecture: i386\nVersion: 2.36-9\n\n\
            Package: base-files\nVersion: 12.4\n";
        let mut all = Vec::new();
        parse(text, &mut |package| {
            all.push(format!("{} {}", package.name, package.version))
        });
        assert_eq!(
            all,
            [
                "libc6 2.36-9+deb12u4",
                "libc6:i386 2.36-9",
                "base-files 12.4"
            ]
        );
    }
}
