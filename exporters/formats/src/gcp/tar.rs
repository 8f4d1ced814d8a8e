//! The tar around the disk: one header of the old GNU kind in front, zeros behind.

/// Bytes of a header, and what files are padded to.
const RECORD: u64 = 512;

/// Tars have a multiple of so many bytes.
const FACTOR: u64 = 20 * RECORD;

/// The largest size that fits 11 octal digits, plus one.
const OCTAL: u64 = 1 << 33;

/// The header of `disk.raw`.
pub(super) fn header(size: u64) -> [u8; RECORD as usize] {
    let mut bytes = [0; RECORD as usize];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, b"disk.raw");
    // Mode, owner, group, size, time, checksum (spaces while it is summed up), kind.
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    if size < OCTAL {
        put(124, format!("{size:011o}\0").as_bytes());
    } else {
        // Base 256, which the highest bit tells.
        put(124, &[0x80, 0, 0, 0]);
        put(128, &size.to_be_bytes());
    }
    put(136, b"00000000000\0");
    put(148, b"        0");
    put(257, b"ustar  \0");
    put(265, b"root");
    put(297, b"root");
    let sum: u32 = bytes.iter().map(|byte| u32::from(*byte)).sum();
    bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    bytes
}

/// Zeros behind a disk of whole records: two records at least.
pub(super) fn padding(size: u64) -> u64 {
    let least = RECORD + size + 2 * RECORD;
    least.next_multiple_of(FACTOR) - RECORD - size
}
