//! `kernel+initrd`: kernel, initrd and command line as files, named as `linuxkit build` names them.
//!
//! The initrd is the disk's: microcode uncompressed in front, then the segments one after the other.
//! An empty part makes no file.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use nodeimage_builder::Machine;
use nodeimage_disk::StoredFile;

use crate::OutputError;
use crate::aside::Aside;

/// The kernel unpacks an archive behind a compressed one only from a multiple of 4 bytes on.
const ALIGNMENT: u64 = 4;

/// Writes the files into `dir`; returns path and length of each.
pub fn write(
    machine: &Machine,
    dir: &Path,
    name: &str,
) -> Result<Vec<(PathBuf, u64)>, OutputError> {
    let mut written = Vec::new();
    if let Some(kernel) = &machine.kernel {
        let path = dir.join(format!("{name}-kernel"));
        written.push(file(&path, |out| copy(&kernel.file, out).map(drop))?);
    }
    let initrd = dir.join(format!("{name}-initrd.img"));
    written.push(file(&initrd, |out| write_initrd(machine, out))?);
    if !machine.cmdline.is_empty() {
        let path = dir.join(format!("{name}-cmdline"));
        let failed = OutputError::write(&path);
        written.push(file(&path, |out| {
            out.write_all(machine.cmdline.as_bytes()).map_err(&failed)
        })?);
    }
    Ok(written)
}

/// Writes the initrd alone.
pub fn write_initrd(machine: &Machine, out: &mut dyn Write) -> Result<(), OutputError> {
    let initrd = Path::new("initrd");
    let failed = OutputError::write(initrd);
    let mut at = 0u64;
    let mut pad = |out: &mut dyn Write, len: u64| -> Result<(), OutputError> {
        at += len;
        let zeros = (at.next_multiple_of(ALIGNMENT) - at) as usize;
        at += zeros as u64;
        out.write_all(&[0; ALIGNMENT as usize][..zeros])
            .map_err(&failed)
    };
    let ucode = machine
        .kernel
        .as_ref()
        .and_then(|kernel| kernel.ucode.as_ref());
    for stored in ucode
        .into_iter()
        .chain(machine.segments.iter().map(|segment| &segment.file))
    {
        let len = copy(stored, out)?;
        pad(out, len)?;
    }
    if let Some(own) = &machine.own {
        out.write_all(own).map_err(OutputError::write(initrd))?;
        pad(out, own.len() as u64)?;
    }
    Ok(())
}

fn file(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), OutputError>,
) -> Result<(PathBuf, u64), OutputError> {
    let failed = OutputError::write(path);
    let mut aside = Aside::create(path).map_err(&failed)?;
    write(&mut aside)?;
    let len = aside.commit().map_err(&failed)?;
    Ok((path.to_owned(), len))
}

fn copy(stored: &StoredFile, out: &mut dyn Write) -> Result<u64, OutputError> {
    let failed = |source| OutputError::Read {
        path: stored.path.clone(),
        source,
    };
    let from = File::open(&stored.path).map_err(failed)?;
    let copied = io::copy(&mut from.take(stored.len), out).map_err(failed)?;
    if copied == stored.len {
        Ok(copied)
    } else {
        Err(failed(io::ErrorKind::UnexpectedEof.into()))
    }
}
