//! Small stand-ins for real parts, and real tools to judge the results.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use sha2::{Digest, Sha256 as Hasher};

use crate::bytes::put;
use crate::{Architecture, BLOCK, Content, Extents, Sha256, StoredFile};

/// `len` bytes without a pattern that repeats within a block.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..len).map(|_| next()).collect()
}

pub(crate) fn sha256(bytes: &[u8]) -> Sha256 {
    Hasher::digest(bytes).into()
}

/// The hashes that the store keeps beside a file.
pub(crate) fn block_hashes(bytes: &[u8]) -> Vec<Sha256> {
    let pad = |chunk: &[u8]| {
        let mut block = chunk.to_vec();
        block.resize(BLOCK as usize, 0);
        sha256(&block)
    };
    bytes.chunks(BLOCK as usize).map(pad).collect()
}

/// A stored file with this content.
pub(crate) fn stored(folder: &Path, name: &str, bytes: &[u8], hashed: bool) -> Arc<StoredFile> {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    let block_hashes = if hashed {
        block_hashes(bytes)
    } else {
        Vec::new()
    };
    Arc::new(StoredFile {
        path,
        len: bytes.len() as u64,
        block_hashes,
    })
}

/// A stored file whose content must not be needed: it isn't there.
pub(crate) fn absent(bytes: &[u8]) -> Arc<StoredFile> {
    let path = PathBuf::from("/nonexistent/segment");
    Arc::new(StoredFile {
        path,
        len: bytes.len() as u64,
        block_hashes: block_hashes(bytes),
    })
}

/// All bytes of a small map.
pub(crate) fn bytes_of(extents: &Extents) -> Vec<u8> {
    let mut bytes = vec![0xaa; extents.size() as usize];
    extents.read_at(0, &mut bytes).unwrap();
    bytes
}

/// Writes a map of bytes and files as a sparse file.
pub(crate) fn write_sparse(extents: &Extents, path: &Path) {
    let mut file = File::create(path).unwrap();
    file.set_len(extents.size()).unwrap();
    for run in extents.runs() {
        file.seek(SeekFrom::Start(run.offset)).unwrap();
        match &run.content {
            Content::Bytes(bytes) => file.write_all(bytes).unwrap(),
            Content::File { .. } => {
                let mut bytes = vec![0; run.len as usize];
                extents.read_at(run.offset, &mut bytes).unwrap();
                file.write_all(&bytes).unwrap();
            }
        }
    }
}

/// Runs a tool that must succeed; what it printed.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Vec<u8> {
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let output = Command::new(program)
        .args(arguments)
        .env("PATH", path)
        .env("TZ", "UTC")
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {text}{errors}"
    );
    output.stdout
}

/// An EFI stub: headers like systemd's, two sections of noise and a symbol table to cut off.
pub(crate) fn stub(architecture: Architecture, alignment: u32, headers_len: u32) -> Vec<u8> {
    let raw_at = headers_len as usize;
    let mut out = match architecture {
        Architecture::Amd64 => vec![0; raw_at],
        Architecture::Arm64 => [0x1f, 0x20, 0x03, 0xd5].repeat(raw_at / 4),
    };
    // DOS, PE and optional header, two sections.
    out[..0x98 + 240 + 2 * 40].fill(0);
    put(&mut out, 0, b"MZ");
    put(&mut out, 0x3c, &0x80_u32.to_le_bytes());
    put(&mut out, 0x80, b"PE\0\0");
    put(&mut out, 0x84, &architecture.pe_machine().to_le_bytes());
    put(&mut out, 0x86, &2_u16.to_le_bytes());
    put(&mut out, 0x8c, &0xdead_u32.to_le_bytes());
    put(&mut out, 0x90, &7_u32.to_le_bytes());
    put(&mut out, 0x94, &240_u16.to_le_bytes());
    let optional = 0x98;
    put(&mut out, optional, &0x20b_u16.to_le_bytes());
    put(&mut out, optional + 8, &0x400_u32.to_le_bytes());
    put(&mut out, optional + 32, &alignment.to_le_bytes());
    put(&mut out, optional + 36, &512_u32.to_le_bytes());
    put(&mut out, optional + 56, &0x3000_u32.to_le_bytes());
    put(&mut out, optional + 60, &headers_len.to_le_bytes());
    put(&mut out, optional + 68, &10_u16.to_le_bytes());
    put(&mut out, optional + 108, &16_u32.to_le_bytes());
    for (index, (name, at, size, raw)) in [
        (".text", 0x1000_u32, 700_u32, 1024_u32),
        (".sbat", 0x2000, 60, 512),
    ]
    .iter()
    .enumerate()
    {
        let header = optional + 240 + index * 40;
        let raw_start = raw_at as u32 + index as u32 * 1024;
        put(&mut out, header, name.as_bytes());
        put(&mut out, header + 8, &size.to_le_bytes());
        put(&mut out, header + 12, &at.to_le_bytes());
        put(&mut out, header + 16, &raw.to_le_bytes());
        put(&mut out, header + 20, &raw_start.to_le_bytes());
        put(&mut out, header + 36, &0x4000_0040_u32.to_le_bytes());
    }
    out.extend(noise(1, 1536));
    out.extend(b"symbols that no section covers");
    out
}

/// Something that begins like a kernel with an EFI stub.
pub(crate) fn kernel(architecture: Architecture, len: usize) -> Vec<u8> {
    let mut out = noise(2, len);
    put(&mut out, 0, b"MZ");
    put(&mut out, 0x3c, &0x40_u32.to_le_bytes());
    put(&mut out, 0x40, b"PE\0\0");
    put(&mut out, 0x44, &architecture.pe_machine().to_le_bytes());
    out
}

/// A boot sector with the fields of GRUB's boot.img.
pub(crate) fn boot_img() -> Vec<u8> {
    let mut out = noise(3, 512);
    put(&mut out, 0x66, &[0xeb, 0x05]);
    put(&mut out, 510, &[0x55, 0xaa]);
    out
}

/// A core.img of `len` bytes with the fields of GRUB's.
pub(crate) fn core_img(len: usize) -> Vec<u8> {
    let mut out = noise(4, len);
    put(&mut out, 0x1f4, &1_u64.to_le_bytes());
    put(&mut out, 0x1fc, &0x0820_0000_u32.to_le_bytes());
    out
}
