//! `tar`: the root file system with `boot/`, as LinuxKit writes it: PAX entries with
//! `LINUXKIT.source` and `LINUXKIT.location`, components in order, a later entry winning.

#[cfg(test)]
mod tests;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use nodeimage_builder::Builder;
use nodeimage_builder::rootfs::{Component, Origins};
use nodeimage_images::{Data, Kind, Node, Tree};
use nodeimage_spec::LockedSpec;

use crate::OutputError;
use crate::file::{Written, write_file};
use crate::pax::{self, Records};

/// Stands in errors until the file's name is known.
const TAR: &str = "tar";

/// Writes `path`, with its sha256 when asked for. The layers it is made of are hashed before they
/// are read.
pub fn write(
    builder: &Builder,
    locked: &LockedSpec,
    path: &Path,
    sha256: bool,
) -> Result<Written, OutputError> {
    write_file(path, sha256, |out| write_to(builder, locked, out))
}

/// Writes the tar to any writer.
pub fn write_to(
    builder: &Builder,
    locked: &LockedSpec,
    out: &mut dyn Write,
) -> Result<(), OutputError> {
    let mut archive = Archive::new(out, Origins::of(&locked.spec));
    let result = builder.with_components(locked, |components, open| {
        for component in components {
            let appended = archive.append(component, &component.tree(open)?);
            if appended.is_err() {
                return Ok(appended);
            }
        }
        Ok(Ok(()))
    });
    result??;
    archive.finish()
}

struct Archive<'a> {
    out: &'a mut dyn Write,
    origins: Origins,
    buffer: Vec<u8>,
}

impl<'a> Archive<'a> {
    fn new(out: &'a mut dyn Write, origins: Origins) -> Self {
        Self {
            out,
            origins,
            buffer: vec![0; 256 * 1024],
        }
    }

    /// Appends a component. Hard links come last: the name that is their file may sort behind them,
    /// and in a tar it must come first.
    fn append(&mut self, component: &Component, tree: &Tree) -> Result<(), OutputError> {
        let is_link = |node: &Node| matches!(node.kind, Kind::HardLink(_));
        for links in [false, true] {
            for (path, node) in tree {
                if is_link(node) == links {
                    self.entry(component, path, node)?;
                }
            }
        }
        Ok(())
    }

    fn entry(
        &mut self,
        component: &Component,
        path: &[u8],
        node: &Node,
    ) -> Result<(), OutputError> {
        let mut records = Records::default();
        let origin = self.origins.find(component, path);
        records.add(b"LINUXKIT.location", origin.location.as_bytes());
        records.add(b"LINUXKIT.source", origin.source.as_bytes());
        // The root's own entry, which many layers begin with, gives it owner and mode.
        let name = if path.is_empty() { b"." } else { path };
        self.put(&pax::header(name, node, records))?;
        match &node.kind {
            Kind::File(data) => self.copy(data),
            _ => Ok(()),
        }
    }

    fn copy(&mut self, data: &Data) -> Result<(), OutputError> {
        let failed = |source| OutputError::Read {
            path: match data {
                Data::Stored { file, .. } => file.path.clone(),
                Data::Bytes(_) => PathBuf::new(),
            },
            source,
        };
        let len = data.len();
        let mut from = data.open().map_err(failed)?;
        let mut left = len;
        while left > 0 {
            let want = left.min(self.buffer.len() as u64) as usize;
            let got = from.read(&mut self.buffer[..want]).map_err(failed)?;
            self.out
                .write_all(&self.buffer[..got])
                .map_err(OutputError::write(Path::new(TAR)))?;
            left -= got as u64;
        }
        let padding = (len.next_multiple_of(pax::BLOCK as u64) - len) as usize;
        self.put(&[0; pax::BLOCK][..padding])
    }

    fn finish(mut self) -> Result<(), OutputError> {
        self.put(&[0; 2 * pax::BLOCK])
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), OutputError> {
        self.out
            .write_all(bytes)
            .map_err(OutputError::write(Path::new(TAR)))
    }
}
