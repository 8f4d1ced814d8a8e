//! The 512 bytes of a header (POSIX ustar, "ustar Interchange Format"; GNU's differs in numbers,
//! which may be base-256, and in having no name prefix).

use super::TarError;

/// What a header is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// It stands for an entry.
    Entry,
    /// Records for the next entry.
    Pax,
    /// Records for all that follow.
    Global,
    /// The next entry's long name.
    GnuName,
    /// The next entry's long link target.
    GnuLink,
}

/// The fields of a header that matter, not yet cleaned.
#[derive(Debug)]
pub(super) struct Fields {
    pub(super) form: Form,
    /// The type flag.
    pub(super) flag: u8,
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) mode: u32,
    pub(super) uid: u64,
    pub(super) gid: u64,
    pub(super) size: u64,
    pub(super) mtime: i64,
    pub(super) major: u32,
    pub(super) minor: u32,
}

impl Fields {
    /// Reads the header that stands at offset `at`.
    pub(super) fn parse(block: &[u8; 512], at: u64) -> Result<Self, TarError> {
        if !checksum_fits(block) {
            return Err(TarError::Checksum(at));
        }
        let name = name(block);
        let flag = block[156];
        let form = match flag {
            b'x' | b'X' => Form::Pax,
            b'g' => Form::Global,
            b'L' => Form::GnuName,
            b'K' => Form::GnuLink,
            _ => Form::Entry,
        };
        let fail = |why| TarError::Entry {
            name: name.clone(),
            why,
        };
        let natural = |field: &[u8], why| {
            number(field)
                .and_then(|n| u64::try_from(n).ok())
                .ok_or_else(|| fail(why))
        };
        let device = |field: &[u8]| -> Result<u32, TarError> {
            if !matches!(flag, b'3' | b'4') {
                return Ok(0);
            }
            let number = natural(field, "its device number is not a number")?;
            u32::try_from(number).map_err(|_| fail("its device number exceeds 32 bits"))
        };
        let mode = natural(&block[100..108], "its mode is not a number")?;
        Ok(Self {
            form,
            flag,
            link: until_nul(&block[157..257]).to_vec(),
            // Some writers put the file type above the permission bits.
            mode: (mode & 0o7777) as u32,
            uid: natural(&block[108..116], "its owner is not a number")?,
            gid: natural(&block[116..124], "its group is not a number")?,
            size: natural(&block[124..136], "its size is not a number")?,
            mtime: number(&block[136..148])
                .and_then(|n| i64::try_from(n).ok())
                .ok_or_else(|| fail("its time is not a number"))?,
            major: device(&block[329..337])?,
            minor: device(&block[337..345])?,
            name,
        })
    }

    pub(super) fn error(&self, why: &'static str) -> TarError {
        TarError::Entry {
            name: self.name.clone(),
            why,
        }
    }
}

fn name(block: &[u8; 512]) -> Vec<u8> {
    let name = until_nul(&block[..100]);
    let ustar = &block[257..263] == b"ustar\0";
    let prefix = if ustar {
        until_nul(&block[345..500])
    } else {
        b""
    };
    if prefix.is_empty() {
        name.to_vec()
    } else {
        [prefix, b"/", name].concat()
    }
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    &bytes[..end]
}

/// Octal digits between spaces and NULs, nothing being 0; or, when the first bit is set, a
/// big-endian two's complement number in the bits behind it.
fn number(field: &[u8]) -> Option<i128> {
    let first = *field.first()?;
    if first & 0x80 != 0 {
        let negative = first & 0x40 != 0;
        // Bit 7 of the first byte is the mark: sign-extend over it.
        let start = if negative { -1 } else { 0 };
        let first = if negative { first } else { first & 0x7f };
        let bytes = std::iter::once(first).chain(field[1..].iter().copied());
        return Some(bytes.fold(start, |n: i128, byte| (n << 8) | i128::from(byte)));
    }
    let blank = |byte: &u8| matches!(byte, b' ' | 0);
    let digits = field
        .iter()
        .skip_while(|byte| blank(byte))
        .take_while(|byte| !blank(byte));
    digits.copied().try_fold(0, |n: i128, digit| match digit {
        b'0'..=b'7' => Some((n << 3) | i128::from(digit - b'0')),
        _ => None,
    })
}

/// The sum of all bytes, those of the sum itself as spaces; old writers summed signed bytes.
fn checksum_fits(block: &[u8; 512]) -> bool {
    let spaced = || {
        let bytes = block.iter().enumerate();
        bytes.map(|(at, byte)| {
            if (148..156).contains(&at) {
                b' '
            } else {
                *byte
            }
        })
    };
    let unsigned: i128 = spaced().map(i128::from).sum();
    let signed: i128 = spaced().map(|byte| i128::from(byte as i8)).sum();
    number(&block[148..156]).is_some_and(|stored| stored == unsigned || stored == signed)
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_octal_or_base_256() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"   644 \0"), Some(0o644));
        assert_eq!(number(b"\0\0\0\0\0\0\0\0"), Some(0));
        assert_eq!(number(b"00006x4\0"), None);
        assert_eq!(number(b"-000001\0"), None);
        assert_eq!(number(b"\x80\0\0\0\0\0\x01\0"), Some(256));
        assert_eq!(number(b"\xff\xff\xff\xff\xff\xff\xff\xff"), Some(-1));
        assert_eq!(number(b"\xc0\0\0\0\0\0\0\0"), Some(-(1 << 62)));
        assert!(number(&[0x80 | 0x3f; 12]).is_some_and(|n| n > i128::from(u64::MAX)));
    }
}
