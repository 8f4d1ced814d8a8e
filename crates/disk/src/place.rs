//! Where the pieces of a file lie, so that a change of one moves no other.
//!
//! A FAT file's clusters may lie anywhere, and space on a sparse disk costs nothing. So every piece
//! gets a home that follows from its own identity (the name of a service, say) and not from what
//! stands in front of it: a room of a power of two of 512 KiB blocks, on a multiple of itself.
//! A piece that grows within its room, or is replaced by another of its name, stays; a piece that
//! comes or goes moves only one that wants the same room, which is rare as long as the rooms take
//! up less than half of the space.

use sha2::{Digest, Sha256 as Hasher};

use crate::{BLOCK, Sha256};

/// Homes that a piece tries before it takes the first gap.
const TRIES: u32 = 32;

/// Blocks between homes, but for small or very large pieces: so the home of one that is replaced by
/// a smaller or larger one stays the same.
const STEP: u64 = 16;

/// A part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What its home follows from.
    pub identity: Sha256,
    /// Its length in bytes.
    pub len: u64,
}

impl Piece {
    /// The blocks that it takes up.
    pub(crate) fn blocks(&self) -> u64 {
        self.len.div_ceil(BLOCK)
    }

    /// Its home is a multiple of so many blocks. What is small fits anywhere, and moves cheaply.
    fn step(&self) -> u64 {
        match self.room() {
            room @ ..=2 => room.max(1),
            room => room.max(STEP),
        }
    }

    /// The blocks of its room.
    fn room(&self) -> u64 {
        self.blocks()
            .checked_next_power_of_two()
            .unwrap_or(u64::MAX)
    }
}

/// Whether the rooms of these pieces take up at most half of `blocks`.
pub fn is_roomy(pieces: &[Piece], blocks: u64) -> bool {
    let rooms = pieces
        .iter()
        .try_fold(0_u64, |sum, piece| sum.checked_add(piece.room()));
    rooms.is_some_and(|rooms| rooms <= blocks / 2)
}

/// The first block of each piece, in `[0, blocks)`; the first piece lies at 0. When the rooms don't
/// fit the pieces lie behind each other; `None` when these don't fit either.
pub fn place(pieces: &[Piece], blocks: u64) -> Option<Vec<u64>> {
    homes(pieces, blocks).or_else(|| packed(pieces, blocks))
}

fn packed(pieces: &[Piece], blocks: u64) -> Option<Vec<u64>> {
    let mut next = 0_u64;
    let mut starts = Vec::with_capacity(pieces.len());
    for piece in pieces {
        starts.push(next);
        next = next.checked_add(piece.blocks())?;
    }
    (next <= blocks).then_some(starts)
}

fn homes(pieces: &[Piece], blocks: u64) -> Option<Vec<u64>> {
    let mut starts = vec![0; pieces.len()];
    let mut taken = Taken::default();
    let (first, rest) = pieces.split_first()?;
    taken.take(0, first.blocks(), blocks)?;
    // Large pieces choose first: what they push aside is small.
    let mut order: Vec<usize> = (1..=rest.len()).collect();
    order.sort_by_key(|at| (u64::MAX - pieces[*at].step(), pieces[*at].identity));
    for at in order {
        let piece = &pieces[at];
        let room = piece.room();
        let home = (0..TRIES)
            .map_while(|attempt| home(piece, attempt, blocks / piece.step()))
            .map(|home| home * piece.step())
            .find(|start| taken.is_free(*start, room));
        starts[at] = match home {
            Some(start) => {
                taken.take(start, room, blocks)?;
                start
            }
            None => {
                let start = taken.first_gap(piece.blocks());
                taken.take(start, piece.blocks(), blocks)?;
                start
            }
        };
    }
    Some(starts)
}

/// The number of the home that a piece tries first, second, …; none when there is none.
fn home(piece: &Piece, attempt: u32, homes: u64) -> Option<u64> {
    let mut hasher = Hasher::new();
    hasher.update(b"nodeimage home\0");
    hasher.update(piece.identity);
    hasher.update(attempt.to_le_bytes());
    let hash = hasher.finalize();
    let number = u64::from_le_bytes(*hash.first_chunk()?);
    number.checked_rem(homes)
}

/// Ranges of blocks that are given away, by ascending start.
#[derive(Debug, Default)]
struct Taken(Vec<(u64, u64)>);

impl Taken {
    fn is_free(&self, start: u64, len: u64) -> bool {
        let at = self.0.partition_point(|(_, end)| *end <= start);
        self.0
            .get(at)
            .is_none_or(|(other, _)| start + len <= *other)
    }

    /// Gives blocks away; `None` when they lie beyond `limit`.
    fn take(&mut self, start: u64, len: u64, limit: u64) -> Option<()> {
        let end = start.checked_add(len).filter(|end| *end <= limit)?;
        let at = self.0.partition_point(|(other, _)| *other < start);
        self.0.insert(at, (start, end));
        Some(())
    }

    fn first_gap(&self, len: u64) -> u64 {
        let mut start = 0;
        for (taken, end) in &self.0 {
            if taken - start >= len {
                break;
            }
            start = *end;
        }
        start
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn piece(name: &str, blocks: u64) -> Piece {
        Piece {
            identity: Hasher::digest(name).into(),
            len: (blocks * BLOCK).saturating_sub(9),
        }
    }

    fn node() -> Vec<Piece> {
        let mut pieces = vec![piece("head", 1), piece("kernel", 19), piece("modules", 38)];
        pieces.extend((0..12).map(|n| piece(&format!("services/{n}"), 7 + n)));
        pieces.extend((0..6).map(|n| piece(&format!("configs {n}"), 1)));
        pieces
    }

    #[test]
    fn a_change_of_one_moves_no_other() {
        let pieces = node();
        let before = place(&pieces, 1990).unwrap();
        for at in 1..pieces.len() {
            // Within its room, and another of its name.
            let mut changed = pieces.clone();
            changed[at].len = pieces[at].room() * BLOCK;
            assert_eq!(place(&changed, 1990).unwrap(), before);
            if (3..16).contains(&pieces[at].blocks()) {
                changed[at].len = 3 * BLOCK;
                assert_eq!(place(&changed, 1990).unwrap(), before);
            }
            // Gone.
            let mut fewer = pieces.clone();
            fewer.remove(at);
            let mut expected = before.clone();
            expected.remove(at);
            let after = place(&fewer, 1990).unwrap();
            let moved = after.iter().zip(&expected).filter(|(a, b)| a != b).count();
            assert!(moved <= 1, "at most the one that wanted its room");
        }
    }

    #[test]
    fn a_new_one_seldom_moves_another() {
        let pieces = node();
        let before = place(&pieces, 1990).unwrap();
        let moved = (0..1000)
            .filter(|n| {
                let mut more = pieces.clone();
                more.insert(5, piece(&format!("new/{n}"), 11));
                let mut after = place(&more, 1990).unwrap();
                after.remove(5);
                after != before
            })
            .count();
        assert!(moved < 200, "{moved} of 1000");
    }

    #[test]
    fn what_has_no_room_is_packed() {
        let pieces = [piece("a", 1), piece("b", 5), piece("c", 5)];
        // No room of 8 is left: they take gaps, the lesser identity first.
        assert_eq!(place(&pieces, 11), Some(vec![0, 6, 1]));
        assert_eq!(place(&pieces, 10), None);
        assert!(!is_roomy(&pieces, 33) && is_roomy(&pieces, 34));
        let huge = [
            piece("a", 1),
            Piece {
                identity: [0; 32],
                len: u64::MAX,
            },
        ];
        assert_eq!(place(&huge, 2000), None);
        assert!(!is_roomy(&huge, 2000));
    }

    proptest! {
        #[test]
        fn pieces_never_overlap(lens in prop::collection::vec(1_u64..40, 1..60), blocks in 1_u64..2000) {
            let pieces: Vec<_> =
                lens.iter().enumerate().map(|(n, len)| piece(&n.to_string(), *len)).collect();
            let total: u64 = lens.iter().sum();
            let placed = place(&pieces, blocks);
            prop_assert_eq!(placed.is_some(), total <= blocks);
            if let Some(starts) = placed {
                prop_assert_eq!(starts[0], 0);
                let mut ranges: Vec<_> = starts.iter().zip(&lens).map(|(at, len)| (*at, at + len)).collect();
                ranges.sort_unstable();
                prop_assert!(ranges.windows(2).all(|pair| pair[0].1 <= pair[1].0));
                prop_assert!(ranges.iter().all(|(_, end)| *end <= blocks));
            }
        }
    }
}
