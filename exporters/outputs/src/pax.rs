//! One tar entry's header: ustar where its fields reach, PAX records (POSIX.1-2017, `pax`) where
//! they do not.

use nodeimage_images::{Data, Kind, Node};
use tar::{EntryType, Header};

/// Most bytes of a name in a ustar header; longer ones go into a PAX record as well.
const NAME: usize = 100;
/// Most a numeric header field of 8 bytes holds in octal.
const SHORT: u64 = 0o7_777_777;
/// Most a numeric header field of 12 bytes holds in octal.
const LONG: u64 = 0o77_777_777_777;

pub(crate) const BLOCK: usize = 512;

/// The header of an entry with its extended header in front: whole blocks. `records` come first in
/// it; the entry's data follow, padded to whole blocks.
pub(crate) fn header(path: &[u8], node: &Node, mut records: Records) -> Vec<u8> {
    let mut header = Header::new_ustar();
    let (kind, link) = match &node.kind {
        Kind::Dir => (EntryType::Directory, None),
        Kind::File(_) => (EntryType::Regular, None),
        Kind::Symlink(target) => (EntryType::Symlink, Some(target)),
        Kind::HardLink(target) => (EntryType::Link, Some(target)),
        Kind::Char { .. } => (EntryType::Char, None),
        Kind::Block { .. } => (EntryType::Block, None),
        Kind::Fifo => (EntryType::Fifo, None),
    };
    if let (Kind::Char { major, minor } | Kind::Block { major, minor }, Some(ustar)) =
        (&node.kind, header.as_ustar_mut())
    {
        number(&mut ustar.dev_major, *major);
        number(&mut ustar.dev_minor, *minor);
    }
    header.set_entry_type(kind);
    header.set_mode(node.mode & 0o7777);
    let size = len(node);
    // Both: not every reader takes the binary form, nor the record.
    header.set_size(size);
    if size > LONG {
        records.add(b"size", size.to_string().as_bytes());
    }
    for (id, key) in [(node.uid, "uid"), (node.gid, "gid")] {
        let id = u64::from(id);
        if id > SHORT {
            records.add(key.as_bytes(), id.to_string().as_bytes());
        }
        match key {
            "uid" => header.set_uid(id.min(SHORT)),
            _ => header.set_gid(id.min(SHORT)),
        }
    }
    let mtime = u64::try_from(node.mtime).unwrap_or(0);
    header.set_mtime(mtime.min(LONG));
    if node.mtime < 0 || mtime > LONG {
        records.add(b"mtime", node.mtime.to_string().as_bytes());
    }
    let old = header.as_old_mut();
    put_name(&mut old.name, path, b"path", &mut records);
    if let Some(link) = link {
        put_name(&mut old.linkname, link, b"linkpath", &mut records);
    }
    // Those of a hard link are its file's.
    if !matches!(node.kind, Kind::HardLink(_)) {
        for (name, value) in &node.xattrs {
            records.add(&xattr_key(name), value);
        }
    }
    header.set_cksum();

    let mut pax = Header::new_ustar();
    pax.set_entry_type(EntryType::XHeader);
    pax.set_size(records.0.len() as u64);
    pax.set_mode(0o644);
    let name = b"PaxHeaders.0/x";
    pax.as_old_mut().name[..name.len()].copy_from_slice(name);
    pax.set_cksum();
    let mut bytes = pax.as_bytes().to_vec();
    bytes.append(&mut records.0);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    bytes.extend_from_slice(header.as_bytes());
    bytes
}

/// Bytes of data behind the header.
fn len(node: &Node) -> u64 {
    match &node.kind {
        Kind::File(data) => Data::len(data),
        _ => 0,
    }
}

/// A device number: octal, or GNU's binary form where that does not reach. PAX has no record of it.
fn number(field: &mut [u8; 8], number: u32) {
    if u64::from(number) <= SHORT {
        field.copy_from_slice(format!("{number:07o}\0").as_bytes());
    } else {
        *field = [0x80, 0, 0, 0, 0, 0, 0, 0];
        field[4..].copy_from_slice(&number.to_be_bytes());
    }
}

/// A PAX key has no `=`: GNU tar writes names with one as in a URL, and reads them back.
fn xattr_key(name: &[u8]) -> Vec<u8> {
    let mut key = b"SCHILY.xattr.".to_vec();
    let encode = name.contains(&b'=');
    for byte in name {
        match byte {
            b'=' => key.extend_from_slice(b"%3D"),
            b'%' if encode => key.extend_from_slice(b"%25"),
            byte => key.push(*byte),
        }
    }
    key
}

/// The name, or as much of it as fits, with a PAX record that has it all.
fn put_name(field: &mut [u8; NAME], name: &[u8], key: &[u8], records: &mut Records) {
    let fits = name.len().min(NAME);
    field[..fits].copy_from_slice(&name[..fits]);
    if name.len() > NAME || !name.is_ascii() {
        records.add(key, name);
    }
}

/// PAX records: `LENGTH KEY=VALUE\n`, the length counting itself.
#[derive(Debug, Default)]
pub(crate) struct Records(Vec<u8>);

impl Records {
    pub(crate) fn add(&mut self, key: &[u8], value: &[u8]) {
        let rest = key.len() + value.len() + 3;
        let mut len = rest + 1;
        while rest + len.to_string().len() != len {
            len = rest + len.to_string().len();
        }
        self.0.extend_from_slice(format!("{len} ").as_bytes());
        self.0.extend_from_slice(key);
        self.0.push(b'=');
        self.0.extend_from_slice(value);
        self.0.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_its_own_length() {
        for value in 0..1200 {
            let mut records = Records::default();
            records.add(b"path", &vec![b'x'; value]);
            let text = String::from_utf8(records.0).unwrap();
            let (len, _) = text.split_once(' ').unwrap();
            assert_eq!(len.parse::<usize>().unwrap(), text.len());
        }
    }

    #[test]
    fn keys_have_no_equals_sign() {
        assert_eq!(xattr_key(b"user.a%b"), b"SCHILY.xattr.user.a%b");
        assert_eq!(xattr_key(b"user.a=%b"), b"SCHILY.xattr.user.a%3D%25b");
    }
}
