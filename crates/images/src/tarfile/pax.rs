//! Extended headers: what they say about the next entry, and the entry they make of its header.

use std::collections::BTreeMap;

use crate::limits::PATH_BYTES;

use super::header::{Fields, Form};
use super::{Entry, EntryKind, TarError, clean};

const XATTR: &[u8] = b"SCHILY.xattr.";

/// What extended headers say about the next entry.
#[derive(Debug, Default)]
pub(super) struct Extended {
    seen: bool,
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
    mtime: Option<i64>,
    xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    sparse: bool,
}

impl Extended {
    pub(super) fn is_empty(&self) -> bool {
        !self.seen
    }

    /// Takes one extended header; of several that say the same thing the last wins.
    pub(super) fn add(&mut self, fields: &Fields, body: Vec<u8>) -> Result<(), TarError> {
        self.seen = true;
        match fields.form {
            Form::GnuName => self.path = Some(until_nul(body)),
            Form::GnuLink => self.link = Some(until_nul(body)),
            Form::Pax => self.records(&body).map_err(|why| fields.error(why))?,
            Form::Global | Form::Entry => {}
        }
        Ok(())
    }

    /// `LENGTH KEY=VALUE\n`, LENGTH counting itself.
    fn records(&mut self, mut body: &[u8]) -> Result<(), &'static str> {
        const MALFORMED: &str = "a PAX record is malformed";
        while !body.is_empty() {
            let space = body
                .iter()
                .take(20)
                .position(|byte| *byte == b' ')
                .ok_or(MALFORMED)?;
            let len: usize = number(&body[..space]).ok_or(MALFORMED)?;
            if len > body.len() || len < space + 2 {
                return Err(MALFORMED);
            }
            let (record, rest) = body.split_at(len);
            let record = record[space + 1..].strip_suffix(b"\n").ok_or(MALFORMED)?;
            let equals = record
                .iter()
                .position(|byte| *byte == b'=')
                .ok_or(MALFORMED)?;
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            self.record(key, value)?;
            body = rest;
        }
        Ok(())
    }

    fn record(&mut self, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
        match key {
            // An empty value takes an earlier record back.
            b"path" => self.path = some(value).map(<[u8]>::to_vec),
            b"linkpath" => self.link = some(value).map(<[u8]>::to_vec),
            b"size" => self.size = parsed(value, "its PAX size is not a number")?,
            b"uid" => self.uid = parsed(value, "its PAX uid is not a number")?,
            b"gid" => self.gid = parsed(value, "its PAX gid is not a number")?,
            b"mtime" => {
                self.mtime = match some(value) {
                    Some(text) => Some(seconds(text).ok_or("its PAX mtime is not a number")?),
                    None => None,
                };
            }
            _ if key.starts_with(b"GNU.sparse.") => self.sparse = true,
            _ => {
                if let Some(name) = key.strip_prefix(XATTR) {
                    if name.is_empty() || name.len() > 255 || name.contains(&0) {
                        return Err("the name of an xattr is empty, too long or has a NUL byte");
                    }
                    if value.len() > 64 << 10 {
                        return Err("the value of an xattr is longer than 64 KiB");
                    }
                    self.xattrs.insert(name.to_vec(), value.to_vec());
                }
            }
        }
        Ok(())
    }

    /// The entry that `fields` and these records make; its data starts at `offset`.
    pub(super) fn apply(self, fields: Fields, offset: u64) -> Result<Entry, TarError> {
        let raw = self.path.unwrap_or_else(|| fields.name.clone());
        let error = |why| TarError::Entry {
            name: raw.clone(),
            why,
        };
        if self.sparse || fields.flag == b'S' {
            return Err(error(
                "it is a sparse file; write the archive without --sparse",
            ));
        }
        let path = clean(&raw).map_err(error)?;
        let link = self.link.unwrap_or(fields.link);
        let len = self.size.unwrap_or(fields.size);
        let kind = match fields.flag {
            // Before POSIX a directory was a file whose name ends in a slash.
            0 | b'0' if raw.ends_with(b"/") => EntryKind::Dir,
            0 | b'0' | b'7' => {
                // No room for an overflow later: tar itself has 63 bits.
                if offset
                    .checked_add(len)
                    .is_none_or(|end| end > i64::MAX as u64)
                {
                    return Err(error("its size is more than a file can have"));
                }
                EntryKind::File { offset, len }
            }
            b'1' => EntryKind::HardLink(clean(&link).map_err(|_| {
                error("the name it links to is too long, leads outside or has a NUL byte")
            })?),
            b'2' => {
                if link.is_empty() || link.len() > PATH_BYTES || link.contains(&0) {
                    return Err(error("its target is empty, too long or has a NUL byte"));
                }
                EntryKind::Symlink(link)
            }
            b'3' => EntryKind::Char {
                major: fields.major,
                minor: fields.minor,
            },
            b'4' => EntryKind::Block {
                major: fields.major,
                minor: fields.minor,
            },
            b'5' => EntryKind::Dir,
            b'6' => EntryKind::Fifo,
            _ => return Err(error("its type is unknown")),
        };
        if path.is_empty() && kind != EntryKind::Dir {
            return Err(error("the root must be a directory"));
        }
        let id = |id: u64| u32::try_from(id).map_err(|_| error("its owner exceeds 32 bits"));
        Ok(Entry {
            kind,
            mode: fields.mode,
            uid: id(self.uid.unwrap_or(fields.uid))?,
            gid: id(self.gid.unwrap_or(fields.gid))?,
            mtime: self.mtime.unwrap_or(fields.mtime),
            xattrs: self.xattrs,
            path,
        })
    }
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(end) = bytes.iter().position(|byte| *byte == 0) {
        bytes.truncate(end);
    }
    bytes
}

fn some(value: &[u8]) -> Option<&[u8]> {
    (!value.is_empty()).then_some(value)
}

fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text)
        .ok()
        .filter(|_| digits)?
        .parse()
        .ok()
}

fn parsed(value: &[u8], why: &'static str) -> Result<Option<u64>, &'static str> {
    some(value).map(|text| number(text).ok_or(why)).transpose()
}

/// Whole seconds, rounded down: `-1.5` is -2.
fn seconds(text: &[u8]) -> Option<i64> {
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut parts = text.splitn(2, |byte| *byte == b'.');
    let whole: i64 = number(parts.next()?)?;
    let fraction = parts.next().unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let rest = fraction.iter().any(|digit| *digit != b'0');
    Some(if negative {
        -whole - i64::from(rest)
    } else {
        whole
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_round_down() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1492533000", Some(1_492_533_000)),
            ("1.999", Some(1)),
            ("-1.5", Some(-2)),
            ("-1.0", Some(-1)),
            ("1.", Some(1)),
            ("", None),
            ("-", None),
            ("1.x", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(seconds(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn malformed_records_are_refused() {
        for body in [
            "x",
            "5 a=b",
            "0 a=b\n",
            "3 a\n",
            "99 a=b\n",
            "6 a=b\n\n\n",
            "7 ab\n\n\n",
            "-6 a=b\n",
            "18446744073709551616 a=b\n",
            "11 size=1x\n",
            "12 mtime=zz\n",
        ] {
            assert!(
                Extended::default().records(body.as_bytes()).is_err(),
                "{body:?}"
            );
        }
        let mut extended = Extended::default();
        extended
            .records(b"6 a=b\n10 size=9\n19 path=with=equal\n")
            .unwrap();
        assert_eq!(extended.size, Some(9));
        assert_eq!(extended.path.as_deref(), Some(&b"with=equal"[..]));
    }
}
