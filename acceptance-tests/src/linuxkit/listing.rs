//! What a file tree holds, as text that can be kept and read again.
//!
//! A line for each path, its fields separated by spaces:
//!
//! ```text
//! PATH TYPE MODE UID:GID MTIME DATA XATTRS LOCATION SOURCE
//! ```
//!
//! DATA is SIZE:SHA256 of a file, the target of a link, MAJOR,MINOR of a device. A field that says
//! nothing is `-`; a byte that is not graphic ASCII, a space and a backslash are written `\xHH`.
//! Behind the lines stand the contents of generated files, each line indented.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use anyhow::{Context, Result, ensure};
use sha2::{Digest as _, Sha256};

/// One path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// `dir`, `file`, `symlink`, `hardlink` (of several names of a file all but the first in order;
    /// what it says of owner, mode, time and attributes is the file's), `char`, `block`, `fifo`.
    pub kind: String,
    /// Permission bits.
    pub mode: u32,
    /// Owner and group.
    pub owner: (u64, u64),
    /// Seconds since 1970.
    pub mtime: i64,
    /// Of a file its length and digest, of a link its target, of a device its numbers.
    pub data: String,
    /// Extended attributes, values in hexadecimal.
    pub xattrs: BTreeMap<String, String>,
    /// `LINUXKIT.location` and `LINUXKIT.source`.
    pub origin: Option<(String, String)>,
}

/// All paths of a tree: of several entries for one, the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// By escaped path.
    pub entries: BTreeMap<String, Entry>,
    /// Contents of generated files.
    pub texts: BTreeMap<String, String>,
}

impl Listing {
    /// Adds an entry, over one that is there.
    pub(super) fn add(&mut self, path: &[u8], entry: Entry) {
        let path = escape(path);
        self.texts.remove(&path);
        self.entries.insert(path, entry);
    }

    /// Adds a file with its content.
    pub(super) fn add_file(&mut self, path: &[u8], mut entry: Entry, content: &[u8]) {
        entry.kind = "file".to_owned();
        entry.data = format!("{}:{}", content.len(), hex::encode(Sha256::digest(content)));
        self.add(path, entry);
        let path = escape(path);
        if path.ends_with(".json") || path.ends_with(".yml") {
            let text = String::from_utf8_lossy(content).into_owned();
            self.texts.insert(path, text);
        }
    }

    /// With the contents of those files that are the same in another listing.
    #[must_use]
    pub fn with_texts_of(mut self, other: &Self) -> Self {
        for (path, text) in &other.texts {
            let data = |listing: &Self| listing.entries.get(path).map(|it| it.data.clone());
            if data(&self) == data(other) {
                self.texts.insert(path.clone(), text.clone());
            }
        }
        self
    }

    /// LinuxKit's initrd with the hard links of its tar, which it makes symbolic links, and how many
    /// names that concerns.
    #[must_use]
    pub fn with_links_of(mut self, tar: &Self) -> (Self, usize) {
        let mut links = 0;
        for (path, entry) in &mut self.entries {
            let Some(in_tar) = tar.entries.get(path) else {
                continue;
            };
            let linked = entry.kind == "symlink" && in_tar.kind != "symlink";
            links += usize::from(linked);
            if linked || in_tar.kind == "hardlink" {
                *entry = Entry {
                    xattrs: BTreeMap::new(),
                    origin: None,
                    ..in_tar.clone()
                };
            }
        }
        (self, links)
    }

    /// Reads what [`fmt::Display`] has written.
    ///
    /// # Errors
    /// Which line is not one of a listing.
    pub fn parse(text: &str) -> Result<Self> {
        let mut listing = Self::default();
        let (entries, texts) = text.split_once("\n\n").unwrap_or((text, ""));
        for line in entries.lines() {
            let (path, entry) =
                parse_line(line).with_context(|| format!("no line of a listing: {line}"))?;
            listing.entries.insert(path, entry);
        }
        for block in texts.split("\n\n").filter(|block| !block.is_empty()) {
            let (path, text) = block.split_once('\n').unwrap_or((block, ""));
            let lines: Vec<&str> = text
                .lines()
                .map(|line| line.strip_prefix("    ").unwrap_or(line))
                .collect();
            let path = path.trim_end_matches(':').to_owned();
            listing.texts.insert(path, lines.join("\n"));
        }
        Ok(listing)
    }
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (path, entry) in &self.entries {
            let (location, source) = entry.origin.clone().unwrap_or_default();
            writeln!(
                f,
                "{path} {} {:04o} {}:{} {} {} {} {} {}",
                entry.kind,
                entry.mode,
                entry.owner.0,
                entry.owner.1,
                entry.mtime,
                field(&entry.data),
                field(&xattrs(&entry.xattrs)),
                field(&location),
                field(&source),
            )?;
        }
        for (path, text) in &self.texts {
            writeln!(f, "\n{path}:")?;
            for line in text.split('\n') {
                writeln!(f, "    {line}")?;
            }
        }
        Ok(())
    }
}

fn field(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

fn xattrs(all: &BTreeMap<String, String>) -> String {
    let all: Vec<String> = all
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    all.join(",")
}

fn parse_line(line: &str) -> Result<(String, Entry)> {
    let fields: Vec<&str> = line.split(' ').collect();
    let [
        path,
        kind,
        mode,
        owner,
        mtime,
        data,
        xattrs,
        location,
        source,
    ] = fields[..]
    else {
        anyhow::bail!("it has {} fields", fields.len());
    };
    let (uid, gid) = owner.split_once(':').context("its owner is none")?;
    let given = |text: &str| {
        if text == "-" {
            String::new()
        } else {
            text.to_owned()
        }
    };
    let mut attributes = BTreeMap::new();
    for xattr in given(xattrs).split(',').filter(|xattr| !xattr.is_empty()) {
        let (key, value) = xattr.split_once('=').context("an attribute has no value")?;
        attributes.insert(key.to_owned(), value.to_owned());
    }
    ensure!((location == "-") == (source == "-"), "half an origin");
    let entry = Entry {
        kind: kind.to_owned(),
        mode: u32::from_str_radix(mode, 8)?,
        owner: (uid.parse()?, gid.parse()?),
        mtime: mtime.parse()?,
        data: given(data),
        xattrs: attributes,
        origin: (location != "-").then(|| (location.to_owned(), source.to_owned())),
    };
    Ok((path.to_owned(), entry))
}

/// Without spaces and what a terminal would not show.
#[must_use]
pub(super) fn escape(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        if byte.is_ascii_graphic() && byte != b'\\' {
            text.push(byte.into());
        } else {
            // Never fails for a String.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let mut listing = Listing::default();
        let entry = Entry {
            mode: 0o4755,
            owner: (0, 7),
            mtime: -1,
            xattrs: [("user.a".to_owned(), "00ff".to_owned())].into(),
            origin: Some(("init[0]".to_owned(), "x:1".to_owned())),
            ..Entry::default()
        };
        listing.add_file(b"etc/a b.json", entry.clone(), b"{\n    \"a\": 1\n}");
        let link = Entry {
            kind: "symlink".to_owned(),
            data: "a".to_owned(),
            ..Entry::default()
        };
        listing.add(b"l", link);
        let dir = Entry {
            kind: "dir".to_owned(),
            ..entry
        };
        listing.add(b".", dir);
        let text = listing.to_string();
        assert_eq!(Listing::parse(&text).unwrap(), listing, "{text}");
        let names: Vec<_> = listing.entries.keys().collect();
        assert_eq!(names, [".", "etc/a\\x20b.json", "l"]);
        assert!(Listing::parse("a b c").is_err());
    }
}
