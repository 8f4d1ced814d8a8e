//! A layer with whatever a tar can say of a file.

use anyhow::Result;
use tar::{Builder, EntryType, Header};

/// Time of the entries: 2020-01-01T00:00:00Z.
const MTIME: u64 = 1_577_836_800;

/// What an entry says beyond name and content.
#[derive(Clone, Debug)]
pub(super) struct Meta {
    pub(super) mode: u32,
    pub(super) owner: (u64, u64),
    pub(super) mtime: u64,
    pub(super) xattrs: Vec<(&'static str, Vec<u8>)>,
}

impl Meta {
    pub(super) const fn mode(mode: u32) -> Self {
        Self {
            mode,
            owner: (0, 0),
            mtime: MTIME,
            xattrs: Vec::new(),
        }
    }

    pub(super) fn owner(mut self, uid: u64, gid: u64) -> Self {
        self.owner = (uid, gid);
        self
    }

    pub(super) fn mtime(mut self, mtime: u64) -> Self {
        self.mtime = mtime;
        self
    }

    pub(super) fn xattr(mut self, name: &'static str, value: &[u8]) -> Self {
        self.xattrs.push((name, value.to_vec()));
        self
    }
}

/// A tar in the making.
pub(super) struct Layer(Builder<Vec<u8>>);

impl Layer {
    pub(super) fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    pub(super) fn dir(&mut self, name: &str, mode: u32) -> Result<&mut Self> {
        self.entry(EntryType::Directory, name, "", &Meta::mode(mode), b"")
    }

    pub(super) fn file(&mut self, name: &str, mode: u32, content: &[u8]) -> Result<&mut Self> {
        self.entry(EntryType::Regular, name, "", &Meta::mode(mode), content)
    }

    pub(super) fn symlink(&mut self, name: &str, target: &str) -> Result<&mut Self> {
        self.entry(EntryType::Symlink, name, target, &Meta::mode(0o777), b"")
    }

    pub(super) fn hardlink(&mut self, name: &str, target: &str) -> Result<&mut Self> {
        self.entry(EntryType::Link, name, target, &Meta::mode(0o755), b"")
    }

    pub(super) fn fifo(&mut self, name: &str) -> Result<&mut Self> {
        self.entry(EntryType::Fifo, name, "", &Meta::mode(0o620), b"")
    }

    pub(super) fn device(
        &mut self,
        kind: EntryType,
        name: &str,
        number: (u32, u32),
    ) -> Result<&mut Self> {
        let mut header = header(kind, name, "", &Meta::mode(0o660), 0);
        header.set_device_major(number.0)?;
        header.set_device_minor(number.1)?;
        header.set_cksum();
        self.0.append(&header, &b""[..])?;
        Ok(self)
    }

    /// Any entry. What a ustar header cannot hold goes into PAX records.
    pub(super) fn entry(
        &mut self,
        kind: EntryType,
        name: &str,
        target: &str,
        meta: &Meta,
        content: &[u8],
    ) -> Result<&mut Self> {
        let mut records: Vec<(String, Vec<u8>)> = Vec::new();
        if name.len() > 100 || !name.is_ascii() {
            records.push(("path".to_owned(), name.into()));
        }
        if target.len() > 100 {
            records.push(("linkpath".to_owned(), target.into()));
        }
        for (key, id) in [("uid", meta.owner.0), ("gid", meta.owner.1)] {
            if id > 0o7_777_777 {
                records.push((key.to_owned(), id.to_string().into()));
            }
        }
        for (key, value) in &meta.xattrs {
            records.push((format!("SCHILY.xattr.{key}"), value.clone()));
        }
        if !records.is_empty() {
            let records = records
                .iter()
                .map(|(key, value)| (key.as_str(), &value[..]));
            self.0.append_pax_extensions(records)?;
        }
        let mut header = header(kind, name, target, meta, content.len() as u64);
        header.set_cksum();
        self.0.append(&header, content)?;
        Ok(self)
    }

    pub(super) fn finish(self) -> Result<Vec<u8>> {
        Ok(self.0.into_inner()?)
    }
}

fn header(kind: EntryType, name: &str, target: &str, meta: &Meta, size: u64) -> Header {
    let mut header = Header::new_ustar();
    let old = header.as_old_mut();
    // The setters of paths refuse `./` in front, which real layers have.
    for (field, text) in [(&mut old.name, name), (&mut old.linkname, target)] {
        let fits = text.len().min(field.len());
        field[..fits].copy_from_slice(&text.as_bytes()[..fits]);
    }
    header.set_entry_type(kind);
    header.set_mode(meta.mode);
    header.set_uid(meta.owner.0.min(0o7_777_777));
    header.set_gid(meta.owner.1.min(0o7_777_777));
    header.set_mtime(meta.mtime);
    header.set_size(size);
    header
}
