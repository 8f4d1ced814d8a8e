//! Slots: each segment of the initrd gets some room to grow.
//!
//! A slot is the segment's length rounded up to ⅛ of the power of two below it, at least one
//! block, in whole blocks. A segment that grows a little keeps its slot, so everything behind it
//! keeps its place, its blocks and their hashes.

use crate::BLOCK;

/// The length of the slot for `len` bytes: a multiple of [`BLOCK`], at least one, at most 1/8 (and
/// less than a block) more than needed. Lengths that have no slot below 2^64 give the largest
/// multiple of [`BLOCK`], which no disk holds.
pub fn slot_len(len: u64) -> u64 {
    let Some(log) = len.checked_ilog2() else {
        return BLOCK;
    };
    let step = ((1_u64 << log) / 8).max(BLOCK);
    len.checked_next_multiple_of(step)
        .unwrap_or(u64::MAX / BLOCK * BLOCK)
}

/// Slots behind each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slots {
    /// First byte of each, from the first slot's start.
    pub offsets: Vec<u64>,
    /// Bytes of them all.
    pub len: u64,
}

/// Packs contents of these lengths into slots, in order; `None` when they exceed 2^64 bytes.
pub fn pack(lens: &[u64]) -> Option<Slots> {
    let mut slots = Slots {
        offsets: Vec::with_capacity(lens.len()),
        len: 0,
    };
    for len in lens {
        slots.offsets.push(slots.len);
        slots.len = slots.len.checked_add(slot_len(*len))?;
    }
    Some(slots)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn lengths() {
        let cases = [
            (0, BLOCK),
            (1, BLOCK),
            (BLOCK, BLOCK),
            (BLOCK + 1, MIB),
            (4 * MIB, 4 * MIB),
            (4 * MIB + 1, 4 * MIB + BLOCK),
            (8 * MIB + 1, 9 * MIB),
            (100 * MIB, 104 * MIB),
            (128 * MIB, 128 * MIB),
            (128 * MIB + 1, 144 * MIB),
        ];
        for (len, slot) in cases {
            assert_eq!(slot_len(len), slot, "{len}");
        }
        assert_eq!(slot_len(u64::MAX), u64::MAX / BLOCK * BLOCK);
    }

    #[test]
    fn packing() {
        let slots = pack(&[1, 0, BLOCK + 1, 3]).unwrap();
        assert_eq!(slots.offsets, [0, BLOCK, 2 * BLOCK, 4 * BLOCK]);
        assert_eq!(slots.len, 5 * BLOCK);
        assert_eq!(pack(&[u64::MAX, u64::MAX]), None);
    }

    proptest! {
        #[test]
        fn bounds(len in 0..1_u64 << 60) {
            let slot = slot_len(len);
            prop_assert!(slot >= len && slot.is_multiple_of(BLOCK) && slot >= BLOCK);
            prop_assert!(slot - len < (len / 8).max(BLOCK));
            prop_assert!(slot_len(slot) == slot);
        }
    }
}
