//! What a program needs of the machine it runs on, from its ELF file (System
//! V gABI, chapter 5; symbol versions: LSB Core, chapter 10.7).

use anyhow::{Context, Result, bail};
use object::read::elf::{Dyn, FileHeader};
use object::{Endianness, elf};

/// Part of glibc, or of the compiler that made it, on every machine that has
/// one.
const EVERYWHERE: [&str; 7] = [
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "librt.so.1",
];

/// What a program needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Shared libraries, in the program's order.
    pub libraries: Vec<String>,
    /// The oldest glibc that has all its symbols: major, minor.
    pub glibc: (u32, u32),
}

/// Reads them, and refuses a program that would not start everywhere.
pub(super) fn facts(program: &[u8]) -> Result<Facts> {
    let facts = read(program).context("the program is no sound ELF file")?;
    let odd: Vec<&str> = facts
        .libraries
        .iter()
        .map(String::as_str)
        .filter(|library| !EVERYWHERE.contains(library))
        .collect();
    if !odd.is_empty() {
        bail!(
            "the program needs {}: a release may need the C library alone, so link it statically",
            odd.join(", ")
        );
    }
    Ok(facts)
}

fn read(program: &[u8]) -> Result<Facts> {
    let header = elf::FileHeader64::<Endianness>::parse(program)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, program)?;
    let mut facts = Facts {
        libraries: Vec::new(),
        glibc: (2, 0),
    };
    if let Some((entries, strings)) = sections.dynamic(endian, program)? {
        let strings = sections.strings(endian, program, strings)?;
        for entry in entries {
            if entry.tag32(endian) == Some(elf::DT_NEEDED) {
                let name = entry.string(endian, strings)?;
                facts.libraries.push(String::from_utf8(name.to_vec())?);
            }
        }
    }
    if let Some((mut needs, strings)) = sections.gnu_verneed(endian, program)? {
        let strings = sections.strings(endian, program, strings)?;
        while let Some((_, mut versions)) = needs.next()? {
            while let Some(version) = versions.next()? {
                let name = String::from_utf8_lossy(version.name(endian, strings)?).into_owned();
                facts.glibc = facts.glibc.max(glibc(&name).unwrap_or((2, 0)));
            }
        }
    }
    Ok(facts)
}

/// `GLIBC_2.34` → (2, 34); patch levels of long ago do not matter.
fn glibc(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.strip_prefix("GLIBC_")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_programs_facts_are_read() {
        let this = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let facts = facts(&this).unwrap();
        assert!(facts.libraries.iter().any(|name| name == "libc.so.6"));
        assert!(facts.glibc >= (2, 17) && facts.glibc < (3, 0), "{facts:?}");
    }

    #[test]
    fn a_library_that_is_not_everywhere_is_refused() {
        // A program of Debian's base system that has more to load.
        let ls = std::fs::read("/bin/ls").unwrap();
        let error = facts(&ls).unwrap_err().to_string();
        assert!(error.contains("libselinux"), "{error}");
        assert!(facts(b"\x7fELF").is_err());
    }

    #[test]
    fn versions_are_numbers() {
        assert_eq!(glibc("GLIBC_2.2.5"), Some((2, 2)));
        assert_eq!(glibc("GLIBC_2.34"), Some((2, 34)));
        assert_eq!(glibc("GCC_3.0"), None);
        assert_eq!(glibc("GLIBC_PRIVATE"), None);
    }
}
