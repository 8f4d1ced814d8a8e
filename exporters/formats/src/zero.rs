//! Telling zeros, which most of a disk is.

const PIECE: usize = 4096;
static ZEROS: [u8; PIECE] = [0; PIECE];

/// Whether all bytes are zero.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    // Comparing slices is a `memcmp`, which the standard library has for every processor.
    bytes
        .chunks(PIECE)
        .all(|piece| *piece == ZEROS[..piece.len()])
}

/// Bytes of the pages that `bytes` begins with and that all are, or all are not, zero.
pub(crate) fn run(bytes: &[u8], page: usize, zero: bool) -> usize {
    bytes
        .chunks(page)
        .take_while(|page| is_zero(page) == zero)
        .map(<[u8]>::len)
        .sum()
}

/// `len` zero bytes in pieces.
pub(crate) fn pieces<E>(len: u64, mut give: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
    static MANY: [u8; 64 << 10] = [0; 64 << 10];
    let mut left = len;
    while left > 0 {
        let piece = left.min(MANY.len() as u64);
        give(&MANY[..piece as usize])?;
        left -= piece;
    }
    Ok(())
}
