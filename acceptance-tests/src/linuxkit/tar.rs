//! The tree in a tar, as the tar's last entries leave it.

use std::io::Read;

use anyhow::{Context, Result, ensure};
use tar::{Archive, EntryType};

use super::listing::{Entry, Listing, escape};
use super::unpack::Unpacked;

/// Reads a tar.
///
/// # Errors
/// When it is no tar.
pub fn listing(tar: impl Read) -> Result<Listing> {
    let mut tree = Unpacked::default();
    let mut archive = Archive::new(tar);
    for entry in archive.entries()? {
        let mut from = entry?;
        let header = from.header().clone();
        let mut path = from.path_bytes().into_owned();
        let mut link = from.link_name_bytes().map(std::borrow::Cow::into_owned);
        let mut entry = Entry {
            mode: header.mode()? & 0o7777,
            owner: (header.uid()?, header.gid()?),
            mtime: i64::try_from(header.mtime()?)?,
            ..Entry::default()
        };
        let mut origin = (String::new(), String::new());
        for record in from.pax_extensions()?.into_iter().flatten() {
            let record = record?;
            let (key, value) = (record.key()?, record.value_bytes());
            let number = || {
                std::str::from_utf8(value)?
                    .parse::<f64>()
                    .context("no number")
            };
            match key {
                "path" => path = value.to_vec(),
                "linkpath" => link = Some(value.to_vec()),
                "uid" => entry.owner.0 = number()? as u64,
                "gid" => entry.owner.1 = number()? as u64,
                "mtime" => entry.mtime = number()?.floor() as i64,
                "LINUXKIT.location" => origin.0 = escape(value),
                "LINUXKIT.source" => origin.1 = escape(value),
                key => {
                    if let Some(name) = key.strip_prefix("SCHILY.xattr.") {
                        entry
                            .xattrs
                            .insert(escape(name.as_bytes()), hex::encode(value));
                    }
                }
            }
        }
        entry.origin = (!origin.0.is_empty()).then_some(origin);
        let target = || escape(&link.clone().unwrap_or_default());
        let device = || -> Result<String> {
            let (major, minor) = (header.device_major()?, header.device_minor()?);
            Ok(format!("{},{}", major.unwrap_or(0), minor.unwrap_or(0)))
        };
        let (kind, data) = match header.entry_type() {
            EntryType::Regular => {
                let mut content = Vec::new();
                from.read_to_end(&mut content)?;
                tree.put(&path, entry, Some(content));
                continue;
            }
            EntryType::Directory => ("dir", String::new()),
            EntryType::Symlink => ("symlink", target()),
            EntryType::Link => {
                let target = link.clone().unwrap_or_default();
                let there = tree.link(&path, &target, entry.origin);
                ensure!(there, "{} is a link to nothing", escape(&path));
                continue;
            }
            EntryType::Char => ("char", device()?),
            EntryType::Block => ("block", device()?),
            EntryType::Fifo => ("fifo", String::new()),
            other => anyhow::bail!("{} is of type {other:?}", escape(&path)),
        };
        entry.kind = kind.to_owned();
        entry.data = data;
        tree.put(&path, entry, None);
    }
    Ok(tree.listing())
}
