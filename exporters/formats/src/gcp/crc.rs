//! The checksum of bytes that follow each other, from those of each (CRC-32 of RFC 1952).
//!
//! A checksum is a polynomial over GF(2), its highest power in the lowest bit. Bytes that follow
//! multiply what stands in front by x to the power of their bits.

const POLYNOMIAL: u32 = 0xedb8_8320;

/// x to the power of 0.
const ONE: u32 = 1 << 31;

/// The product of two polynomials.
fn times(one: u32, mut other: u32) -> u32 {
    let mut product = 0;
    for bit in (0..32).rev() {
        if one >> bit & 1 == 1 {
            product ^= other;
        }
        let carry = other & 1;
        other >>= 1;
        if carry == 1 {
            other ^= POLYNOMIAL;
        }
    }
    product
}

/// What `len` bytes multiply a checksum in front of them by.
pub(super) fn shift(len: u64) -> u32 {
    // x to the power of 8, squared for each bit of the length.
    let mut square = ONE >> 8;
    let mut product = ONE;
    let mut left = len;
    while left > 0 {
        if left & 1 == 1 {
            product = times(square, product);
        }
        square = times(square, square);
        left >>= 1;
    }
    product
}

/// The checksum of bytes with that of `front`, followed by bytes with that of `behind`, whose length
/// has this [`shift`].
pub(super) fn join(front: u32, behind: u32, shift: u32) -> u32 {
    times(shift, front) ^ behind
}

#[cfg(test)]
mod tests {
    use libdeflater::crc32;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn joined_is_as_if_in_one(bytes in any::<Vec<u8>>(), cut in any::<prop::sample::Index>()) {
            let (front, behind) = bytes.split_at(cut.index(bytes.len() + 1));
            let joined = join(crc32(front), crc32(behind), shift(behind.len() as u64));
            prop_assert_eq!(joined, crc32(&bytes));
        }
    }
}
