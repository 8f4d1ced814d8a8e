//! `tar`: the root file system with `boot/`, as LinuxKit writes it: PAX entries with
//! `LINUXKIT.source` and `LINUXKIT.location`, components in order, a later entry winning.

use std::io::{self, Write};
use std::path::Path;

use nodeimage_builder::{Builder, rootfs::Component};
use nodeimage_images::{Data, Kind, Node, Tree};
use nodeimage_spec::LockedSpec;
use tar::{EntryType, Header};

use crate::OutputError;
use crate::aside::Aside;

/// Most bytes of a name in a ustar header; longer ones go into a PAX record as well.
const NAME: usize = 100;
/// Most a numeric header field of 8 bytes holds in octal.
const ID: u32 = 0o7_777_777;

/// Writes `path`; returns its length.
pub fn write(builder: &Builder, locked: &LockedSpec, path: &Path) -> Result<u64, OutputError> {
    let failed = OutputError::write(path);
    let mut aside = Aside::create(path).map_err(&failed)?;
    write_to(builder, locked, &mut aside)?;
    aside.commit().map_err(&failed)
}

/// Writes the tar to any writer.
pub fn write_to(
    builder: &Builder,
    locked: &LockedSpec,
    out: &mut dyn Write,
) -> Result<(), OutputError> {
    let mut failure = None;
    let result = builder.with_components(locked, |components, open| {
        for component in components {
            let tree = component.tree(open)?;
            if let Err(error) = append(component, &tree, out) {
                failure = Some(error);
                break;
            }
        }
        Ok(())
    });
    result?;
    if let Some(error) = failure {
        return Err(error);
    }
    out.write_all(&[0; 1024])
        .map_err(OutputError::write(Path::new("tar")))
}

fn append(component: &Component, tree: &Tree, out: &mut dyn Write) -> Result<(), OutputError> {
    for (path, node) in tree {
        if path.is_empty() {
            continue;
        }
        // A hard link may sort before its file; the file must come first in a tar.
        if matches!(node.kind, Kind::HardLink(_)) {
            continue;
        }
        entry(component, path, node, out)?;
    }
    for (path, node) in tree {
        if matches!(node.kind, Kind::HardLink(_)) {
            entry(component, path, node, out)?;
        }
    }
    Ok(())
}

fn entry(
    component: &Component,
    path: &[u8],
    node: &Node,
    out: &mut dyn Write,
) -> Result<(), OutputError> {
    let failed = OutputError::write(Path::new("tar"));
    let refuse = |source| OutputError::Header {
        path: String::from_utf8_lossy(path).into_owned(),
        source,
    };
    let mut records = Records::default();
    records.add(b"LINUXKIT.location", component.label.as_bytes());
    records.add(b"LINUXKIT.source", component.source.as_bytes());
    let mut header = Header::new_ustar();
    let (kind, data, link) = match &node.kind {
        Kind::Dir => (EntryType::Directory, None, None),
        Kind::File(data) => (EntryType::Regular, Some(data), None),
        Kind::Symlink(target) => (EntryType::Symlink, None, Some(target)),
        Kind::HardLink(target) => (EntryType::Link, None, Some(target)),
        Kind::Char { .. } => (EntryType::Char, None, None),
        Kind::Block { .. } => (EntryType::Block, None, None),
        Kind::Fifo => (EntryType::Fifo, None, None),
    };
    if let Kind::Char { major, minor } | Kind::Block { major, minor } = node.kind {
        header.set_device_major(major).map_err(refuse)?;
        header.set_device_minor(minor).map_err(refuse)?;
    }
    let size = data.map_or(0, Data::len);
    header.set_entry_type(kind);
    header.set_mode(node.mode & 0o7777);
    header.set_size(size);
    if size > 0o77_777_777_777 {
        records.add(b"size", size.to_string().as_bytes());
    }
    header.set_uid(u64::from(node.uid.min(ID)));
    header.set_gid(u64::from(node.gid.min(ID)));
    if node.uid > ID {
        records.add(b"uid", node.uid.to_string().as_bytes());
    }
    if node.gid > ID {
        records.add(b"gid", node.gid.to_string().as_bytes());
    }
    header.set_mtime(u64::try_from(node.mtime).unwrap_or(0));
    if node.mtime < 0 {
        records.add(b"mtime", node.mtime.to_string().as_bytes());
    }
    put_name(&mut header.as_old_mut().name, path, b"path", &mut records);
    if let Some(link) = link {
        put_name(
            &mut header.as_old_mut().linkname,
            link,
            b"linkpath",
            &mut records,
        );
    }
    for (name, value) in &node.xattrs {
        records.add(&[b"SCHILY.xattr.", name.as_slice()].concat(), value);
    }
    header.set_cksum();
    let mut pax = Header::new_ustar();
    pax.set_entry_type(EntryType::XHeader);
    pax.set_size(records.0.len() as u64);
    pax.set_mode(0o644);
    put_name(
        &mut pax.as_old_mut().name,
        b"PaxHeaders.0/x",
        b"path",
        &mut Records::default(),
    );
    pax.set_cksum();
    out.write_all(pax.as_bytes()).map_err(&failed)?;
    padded(&records.0, out).map_err(&failed)?;
    out.write_all(header.as_bytes()).map_err(&failed)?;
    if let Some(data) = data {
        let mut from = data.open().map_err(refuse)?;
        io::copy(&mut from, out).map_err(&failed)?;
        out.write_all(&[0; 512][..padding(size)]).map_err(&failed)?;
    }
    Ok(())
}

/// The name, or as much of it as fits, with a PAX record that has it all.
fn put_name(field: &mut [u8; NAME], name: &[u8], key: &[u8], records: &mut Records) {
    let fits = name.len().min(NAME);
    field[..fits].copy_from_slice(&name[..fits]);
    if name.len() > NAME || !name.is_ascii() {
        records.add(key, name);
    }
}

fn padding(len: u64) -> usize {
    (len.next_multiple_of(512) - len) as usize
}

fn padded(bytes: &[u8], out: &mut dyn Write) -> io::Result<()> {
    out.write_all(bytes)?;
    out.write_all(&[0; 512][..padding(bytes.len() as u64)])
}

/// PAX records: `LENGTH KEY=VALUE\n`, the length counting itself.
#[derive(Default)]
struct Records(Vec<u8>);

impl Records {
    fn add(&mut self, key: &[u8], value: &[u8]) {
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
        let mut records = Records::default();
        records.add(b"path", &[b'x'; 90]);
        records.add(b"a", b"");
        let text = String::from_utf8(records.0).unwrap();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        for line in lines {
            let (len, _) = line.split_once(' ').unwrap();
            assert_eq!(len.parse::<usize>().unwrap(), line.len());
        }
    }
}
