//! The release's zip: the same files give the same bytes.

use std::fs::File;
use std::io::{Cursor, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

/// A file of the zip.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    path: String,
    mode: u32,
    bytes: Vec<u8>,
}

impl Entry {
    pub(super) fn file(path: &str, bytes: Vec<u8>) -> Self {
        Self {
            path: path.to_owned(),
            mode: 0o644,
            bytes,
        }
    }

    /// Terraform does not start a provider whose mode does not say it may.
    pub(super) fn program(path: &str, bytes: Vec<u8>) -> Self {
        Self {
            mode: 0o755,
            ..Self::file(path, bytes)
        }
    }
}

/// In the order of paths, with the oldest time a zip can have.
pub(super) fn pack(mut entries: Vec<Entry>) -> Result<Vec<u8>> {
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for entry in &entries {
        // One write of the whole: the compressor's output depends on how its
        // input is cut.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(6))
            .last_modified_time(DateTime::DEFAULT)
            .unix_permissions(entry.mode);
        zip.start_file(&*entry.path, options)
            .and_then(|()| zip.write_all(&entry.bytes).map_err(Into::into))
            .with_context(|| format!("cannot pack {}", entry.path))?;
    }
    let packed = zip.finish().context("cannot end the zip")?;
    Ok(packed.into_inner())
}

/// Unpacks all of it, modes too.
pub(super) fn unpack(zip: &Path, folder: &Path) -> Result<()> {
    if std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("{} is not empty", folder.display());
    }
    let file = File::open(zip).with_context(|| format!("cannot open {}", zip.display()))?;
    let mut archive = ZipArchive::new(file).context("cannot read the zip")?;
    archive
        .extract(folder)
        .with_context(|| format!("cannot unpack {}", zip.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn entries() -> Vec<Entry> {
        vec![
            Entry::program("tool", b"#!/bin/sh\necho it runs\n".to_vec()),
            Entry::file("images/index.json", vec![b'x'; 100_000]),
        ]
    }

    #[test]
    fn the_same_files_give_the_same_zip() {
        let mut other_way = entries();
        other_way.reverse();
        assert_eq!(pack(entries()).unwrap(), pack(other_way).unwrap());
    }

    #[test]
    fn modes_and_times_are_in_it() {
        let mut archive = ZipArchive::new(Cursor::new(pack(entries()).unwrap())).unwrap();
        let names: Vec<String> = archive
            .file_names()
            .map(|name| name.unwrap().into_owned())
            .collect();
        assert_eq!(names, ["images/index.json", "tool"]);
        let tool = archive.by_name("tool").unwrap();
        // The regular file's bit is there as well: Info-ZIP wants it.
        assert_eq!(tool.unix_mode(), Some(0o100_755));
        assert_eq!(tool.last_modified(), Some(DateTime::DEFAULT));
    }

    #[test]
    fn what_was_packed_runs() {
        let folder = tempfile::tempdir().unwrap();
        let zip = folder.path().join("it.zip");
        std::fs::write(&zip, pack(entries()).unwrap()).unwrap();
        let out = folder.path().join("out");
        unpack(&zip, &out).unwrap();
        let mode = out.join("tool").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111);
        let said = std::process::Command::new(out.join("tool"))
            .output()
            .unwrap();
        assert_eq!(said.stdout, b"it runs\n");
        assert!(unpack(&zip, &out).is_err(), "the folder is not empty now");
    }
}
