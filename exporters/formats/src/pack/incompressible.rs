//! Telling what deflate would only waste time on: half of a node's disk is compressed already.

/// Below this, bytes are so evenly spread that a code for single bytes saves less than 1/64: the
/// statistic is twice the saving in nats.
const EVEN: u64 = 8192;

/// The unit that [`EVEN`] is for.
const UNIT: u64 = 64 << 10;

/// Bytes of a unit that is worth asking.
const WORTHWHILE: usize = 16 << 10;

/// Whether all byte values are about equally common. Repeated strings may still be found in it.
pub(super) fn is_even(bytes: &[u8]) -> bool {
    if bytes.len() < WORTHWHILE {
        return false;
    }
    // Four tables: the same value twice in a row would wait for itself.
    let mut counts = [[0_u32; 256]; 4];
    let mut quads = bytes.chunks_exact(4);
    for quad in &mut quads {
        counts[0][usize::from(quad[0])] += 1;
        counts[1][usize::from(quad[1])] += 1;
        counts[2][usize::from(quad[2])] += 1;
        counts[3][usize::from(quad[3])] += 1;
    }
    for byte in quads.remainder() {
        counts[0][usize::from(*byte)] += 1;
    }
    let squares: u64 = (0..256)
        .map(|at| {
            let count: u64 = counts.iter().map(|table| u64::from(table[at])).sum();
            count * count
        })
        .sum();
    // Pearson's chi-squared against equal counts.
    let len = bytes.len() as u64;
    let chi_squared = (squares * 256 / len).saturating_sub(len);
    chi_squared < EVEN * len / UNIT
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A xorshift generator's bytes.
    fn noise(len: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let next = |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        };
        (0..len).map(next).collect()
    }

    #[test]
    fn noise_is_even_and_text_is_not() {
        assert!(is_even(&noise(64 << 10)));
        assert!(is_even(&noise(256 << 10)));
        assert!(!is_even(&noise(100)), "too little to say");
        let text: Vec<u8> = b"the quick brown fox "
            .iter()
            .copied()
            .cycle()
            .take(65536)
            .collect();
        assert!(!is_even(&text));
        let mut half = noise(64 << 10);
        half[..32 << 10].fill(0);
        assert!(!is_even(&half));
        // Base64: six bits of eight.
        let base64: Vec<u8> = noise(64 << 10).iter().map(|byte| byte & 63).collect();
        assert!(!is_even(&base64));
    }
}
