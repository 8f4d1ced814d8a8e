//! `kernel+initrd`: kernel, initrd and command line as files, named as `linuxkit build` names them.
//!
//! The initrd is the disk's: microcode uncompressed in front, then the segments one after the other.
//! An empty part makes no file, and takes away the one that an earlier build made: with the other
//! files it would be another machine's.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use nodeimage_builder::Machine;
use nodeimage_disk::{BLOCK, Sha256, StoredFile};
use sha2::Digest as _;

use crate::OutputError;
use crate::file::{Written, write_file};

/// The kernel unpacks an archive behind a compressed one only from a multiple of 4 bytes on.
const ALIGNMENT: u64 = 4;

/// Writes the files into `dir`, with their sha256 when asked for.
pub fn write(
    machine: &Machine,
    dir: &Path,
    name: &str,
    sha256: bool,
) -> Result<Vec<Written>, OutputError> {
    let mut written = Vec::new();
    let path = dir.join(format!("{name}-kernel"));
    match &machine.kernel {
        Some(kernel) => {
            let copy = |out: &mut dyn Write| copy(&kernel.file, out).map(drop);
            written.push(write_file(&path, sha256, copy)?);
        }
        None => remove(&path)?,
    }
    let path = dir.join(format!("{name}-initrd.img"));
    written.push(write_file(&path, sha256, |out| write_initrd(machine, out))?);
    let path = dir.join(format!("{name}-cmdline"));
    if machine.cmdline.is_empty() {
        remove(&path)?;
    } else {
        let write = |out: &mut dyn Write| {
            out.write_all(machine.cmdline.as_bytes())
                .map_err(OutputError::write(&path))
        };
        written.push(write_file(&path, sha256, write)?);
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

fn remove(path: &Path) -> Result<(), OutputError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(OutputError::write(path)(error))
        }
        _ => Ok(()),
    }
}

/// Copies a stored file, each block checked against its hash before it goes out.
fn copy(stored: &StoredFile, out: &mut dyn Write) -> Result<u64, OutputError> {
    let failed = |source| OutputError::Read {
        path: stored.path.clone(),
        source,
    };
    let mut from = File::open(&stored.path).map_err(failed)?.take(stored.len);
    let mut block = Vec::with_capacity(BLOCK as usize);
    let mut copied = 0;
    for expected in &stored.block_hashes {
        block.clear();
        let read = (&mut from).take(BLOCK).read_to_end(&mut block);
        let len = read.map_err(failed)?;
        block.resize(BLOCK as usize, 0);
        if Sha256::from(sha2::Sha256::digest(&block)) != *expected {
            return Err(OutputError::Damaged {
                path: stored.path.clone(),
            });
        }
        out.write_all(&block[..len])
            .map_err(OutputError::write(Path::new("initrd")))?;
        copied += len as u64;
    }
    if copied == stored.len {
        Ok(copied)
    } else {
        Err(failed(io::ErrorKind::UnexpectedEof.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(path: &Path, bytes: &[u8]) -> StoredFile {
        std::fs::write(
            path,
            [bytes, b"whatever the store keeps behind it"].concat(),
        )
        .unwrap();
        let hash = |block: &[u8]| {
            let mut block = block.to_vec();
            block.resize(BLOCK as usize, 0);
            sha2::Sha256::digest(&block).into()
        };
        StoredFile {
            path: path.to_owned(),
            len: bytes.len() as u64,
            block_hashes: bytes.chunks(BLOCK as usize).map(hash).collect(),
        }
    }

    #[test]
    fn blocks_are_checked_before_they_go_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stored");
        let bytes: Vec<u8> = (0..BLOCK as usize * 5 / 2)
            .map(|at| (at >> 9) as u8)
            .collect();
        for len in [0, 1, BLOCK as usize, bytes.len()] {
            let file = stored(&path, &bytes[..len]);
            let mut out = Vec::new();
            assert_eq!(copy(&file, &mut out).unwrap(), len as u64);
            assert!(out == bytes[..len]);
        }
        let file = stored(&path, &bytes);
        let mut damaged = std::fs::read(&path).unwrap();
        damaged[BLOCK as usize + 7] ^= 1;
        std::fs::write(&path, damaged).unwrap();
        let mut out = Vec::new();
        let error = copy(&file, &mut out).unwrap_err();
        assert!(matches!(error, OutputError::Damaged { .. }), "{error}");
        assert!(out == bytes[..BLOCK as usize], "nothing of the bad block");
        // Cut short behind a whole block, which no hash would tell.
        let mut file = stored(&path, &bytes);
        file.block_hashes.pop();
        let error = copy(&file, &mut Vec::new()).unwrap_err();
        assert!(matches!(error, OutputError::Read { .. }), "{error}");
    }
}
