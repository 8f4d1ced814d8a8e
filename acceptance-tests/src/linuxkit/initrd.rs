//! The tree that a kernel makes of an initrd: newc archives one after the other, each compressed
//! or not (the kernel's Documentation/driver-api/early-userspace/buffer-format.rst).

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use anyhow::{Context, Result, ensure};

use super::listing::{Entry, Listing, escape};
use super::unpack::Unpacked;

const HEADER: usize = 110;

/// Reads an initrd.
///
/// # Errors
/// When it is none.
pub fn listing(initrd: &[u8]) -> Result<Listing> {
    let mut tree = Unpacked::default();
    let mut rest = initrd;
    loop {
        while let Some(after) = rest.strip_prefix(&[0]) {
            rest = after;
        }
        let mut unpacked = Vec::new();
        match rest {
            [] => return Ok(tree.listing()),
            [b'0', ..] => rest = archive(rest, &mut tree)?,
            [0x1f, 0x8b, ..] => {
                let mut from = flate2::bufread::GzDecoder::new(rest);
                from.read_to_end(&mut unpacked)?;
                rest = from.into_inner();
                archives(&unpacked, &mut tree)?;
            }
            [0x28, 0xb5, 0x2f, 0xfd, ..] => {
                let mut from = Cursor::new(rest);
                let mut decoder = zstd::Decoder::with_buffer(&mut from)?.single_frame();
                decoder.read_to_end(&mut unpacked)?;
                let read = usize::try_from(from.position())?;
                rest = &rest[read..];
                archives(&unpacked, &mut tree)?;
            }
            _ => anyhow::bail!("no archive at byte {}", initrd.len() - rest.len()),
        }
    }
}

fn archives(mut bytes: &[u8], tree: &mut Unpacked) -> Result<()> {
    loop {
        while let Some(after) = bytes.strip_prefix(&[0]) {
            bytes = after;
        }
        if bytes.is_empty() {
            return Ok(());
        }
        bytes = archive(bytes, tree)?;
    }
}

/// One archive up to its trailer; what follows it.
fn archive<'a>(all: &'a [u8], tree: &mut Unpacked) -> Result<&'a [u8]> {
    let mut at = 0;
    let mut names: BTreeMap<[u64; 3], Vec<u8>> = BTreeMap::new();
    loop {
        let header = all
            .get(at..at + HEADER)
            .context("the archive is cut short")?;
        ensure!(&header[..6] == b"070701", "no newc header at byte {at}");
        let field = |index: usize| -> Result<u64> {
            let text = std::str::from_utf8(&header[6 + 8 * index..14 + 8 * index])?;
            Ok(u64::from_str_radix(text, 16)?)
        };
        let (size, name_size) = (usize::try_from(field(6)?)?, usize::try_from(field(11)?)?);
        let name_end = at + HEADER + name_size;
        let path = all
            .get(at + HEADER..name_end - 1)
            .context("a name is cut short")?;
        let start = name_end.next_multiple_of(4);
        let content = all
            .get(start..start + size)
            .context("a file is cut short")?;
        at = start + size;
        if path == b"TRAILER!!!" {
            return Ok(all.get(at..).unwrap_or_default());
        }
        at = at.next_multiple_of(4);
        let mode = field(1)?;
        let mut entry = Entry {
            mode: u32::try_from(mode & 0o7777)?,
            owner: (field(2)?, field(3)?),
            mtime: i64::try_from(field(5)?)?,
            ..Entry::default()
        };
        let device = format!("{},{}", field(9)?, field(10)?);
        let (kind, data) = match mode & 0o170_000 {
            0o100_000 => {
                let inode = [field(0)?, field(7)?, field(8)?];
                entry.kind = "file".to_owned();
                let several = field(4)? > 1;
                match names.get(&inode).filter(|_| several) {
                    // The content may stand at any of a file's names.
                    Some(first) => {
                        ensure!(tree.link(path, first, None), "a link to nothing");
                        if size > 0 {
                            tree.write(path, entry, content.to_vec());
                        }
                    }
                    None => {
                        names.insert(inode, path.to_vec());
                        tree.write(path, entry, content.to_vec());
                    }
                }
                continue;
            }
            0o040_000 => ("dir", String::new()),
            0o120_000 => ("symlink", escape(content)),
            0o020_000 => ("char", device),
            0o060_000 => ("block", device),
            0o010_000 => ("fifo", String::new()),
            other => anyhow::bail!("{} is of type {other:o}", escape(path)),
        };
        entry.kind = kind.to_owned();
        entry.data = data;
        tree.put(path, entry, None);
    }
}
