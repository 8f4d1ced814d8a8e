//! What formats do to blocks: finding zeros, compressing.
//!
//! One unit, one call of the codec with fresh state: no byte depends on how the disk was cut or which
//! thread was at it.

mod deflate;
mod incompressible;

mod stored;
mod zstd;

pub use self::deflate::Deflate;
pub use self::stored::Stored;
pub use self::zstd::Zstandard;

/// A unit of which packing saves less than this is kept plain: reading it back is dearer.
fn pays(plain: usize, packed: usize) -> bool {
    packed + plain / 64 <= plain
}

/// A unit's bytes, padded with zeros to a whole one through `scratch`.
fn padded<'a>(bytes: &'a [u8], unit: usize, scratch: &'a mut Vec<u8>) -> &'a [u8] {
    if bytes.len() == unit {
        return bytes;
    }
    scratch.clear();
    scratch.extend_from_slice(bytes);
    scratch.resize(unit, 0);
    scratch
}
