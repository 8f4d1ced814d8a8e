//! What a writer wrote late, kept until its place comes by.

use std::collections::BTreeMap;

use crate::FormatError;

/// More is no table: a file is the place for it.
const MAX: u64 = 256 << 20;

/// Pieces by their offsets, none overlapping another.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    pieces: BTreeMap<u64, Vec<u8>>,
    len: u64,
}

impl Overlay {
    /// Puts bytes over what is there.
    pub(crate) fn put(&mut self, offset: u64, bytes: &[u8]) -> Result<(), FormatError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let end = offset + bytes.len() as u64;
        let touched: Vec<u64> = self
            .pieces
            .range(..end)
            .rev()
            .take_while(|(at, piece)| **at + piece.len() as u64 > offset)
            .map(|(at, _)| *at)
            .collect();
        for at in touched {
            let Some(mut piece) = self.pieces.remove(&at) else {
                continue;
            };
            self.len -= piece.len() as u64;
            let piece_end = at + piece.len() as u64;
            if piece_end > end {
                let behind = piece.split_off((end - at) as usize);
                self.keep(end, behind);
            }
            if at < offset {
                piece.truncate((offset - at) as usize);
                self.keep(at, piece);
            }
        }
        self.keep(offset, bytes.to_vec());
        if self.len > MAX {
            return Err(FormatError::Setting {
                format: "stream",
                what: format!(
                    "more than {} MiB of this file are written late; write it to a file",
                    MAX >> 20
                ),
            });
        }
        Ok(())
    }

    fn keep(&mut self, offset: u64, bytes: Vec<u8>) {
        self.len += bytes.len() as u64;
        self.pieces.insert(offset, bytes);
    }

    /// Puts what belongs into `target`, which begins at `offset`, over it.
    pub(crate) fn apply(&self, offset: u64, target: &mut [u8]) {
        let end = offset + target.len() as u64;
        for (at, piece) in self.pieces.range(..end).rev() {
            let piece_end = at + piece.len() as u64;
            if piece_end <= offset {
                break;
            }
            let (from, to) = ((*at).max(offset), piece_end.min(end));
            target[(from - offset) as usize..(to - offset) as usize]
                .copy_from_slice(&piece[(from - at) as usize..(to - at) as usize]);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_last_one_wins(
            puts in proptest::collection::vec((0_u64..200, 0_usize..60, 1_u8..), 0..30),
            cut in 0_usize..260,
        ) {
            let mut expected = vec![0; 260];
            let mut overlay = Overlay::default();
            for (offset, len, byte) in puts {
                overlay.put(offset, &vec![byte; len]).unwrap();
                expected[offset as usize..offset as usize + len].fill(byte);
            }
            let mut bytes = vec![0; 260];
            let (front, behind) = bytes.split_at_mut(cut);
            overlay.apply(0, front);
            overlay.apply(cut as u64, behind);
            prop_assert_eq!(bytes, expected);
            let kept: usize = overlay.pieces.values().map(Vec::len).sum();
            prop_assert_eq!(kept as u64, overlay.len);
        }
    }
}
