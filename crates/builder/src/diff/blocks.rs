//! How many blocks of a disk an upload that starts from the other one would send.

use nodeimage_disk::block_map::{BlockMap, OFFSET, OWN_BLOCKS};
use nodeimage_disk::{BLOCK, Sha256, ZERO_BLOCK_HASH};
use serde::Serialize;

/// What differs between two disks, in blocks of 512 KiB.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Blocks {
    /// Bytes of a block.
    pub block_size: u64,
    /// Blocks of the first disk that hold data, those of its block map included.
    pub from: u64,
    /// Blocks of the second disk that hold data.
    pub to: u64,
    /// Blocks that the second disk has otherwise, those that became zero included: what an
    /// incremental upload sends.
    pub differ: u64,
    /// Of these, blocks that became zero.
    pub zeroed: u64,
    /// Bytes of the blocks that differ.
    pub send_bytes: u64,
    /// Size of the first disk in bytes.
    pub from_size: u64,
    /// Size of the second disk in bytes.
    pub to_size: u64,
    /// Segments of the second disk's initrd that the first one does not have.
    pub new_segments: u64,
    /// Segments of the second disk's initrd.
    pub segments: u64,
}

/// `None` if one has more blocks than a block map lists.
pub(super) fn between(from: &BlockMap, to: &BlockMap) -> Option<Blocks> {
    if from.is_overflowed() || to.is_overflowed() {
        return None;
    }
    let (old, new) = (own(from), own(to));
    let old: Vec<(u32, Sha256)> = merge(from.blocks(), &old);
    let new: Vec<(u32, Sha256)> = merge(to.blocks(), &new);
    let (mut differ, mut zeroed) = (0, 0);
    let (mut a, mut b) = (old.iter().peekable(), new.iter().peekable());
    loop {
        match (a.peek(), b.peek()) {
            (None, None) => break,
            (Some((x, was)), Some((y, is))) if x == y => {
                differ += u64::from(was != is);
                a.next();
                b.next();
            }
            (Some((x, _)), y) if y.is_none_or(|(y, _)| x < y) => {
                // Beyond the second disk's end there is nothing to send.
                if u64::from(*x) * BLOCK < to.disk_size() {
                    differ += 1;
                    zeroed += 1;
                }
                a.next();
            }
            _ => {
                differ += 1;
                b.next();
            }
        }
    }
    let has = |key: &Sha256| from.segments().iter().any(|segment| segment.key == *key);
    let new_segments = to.segments().iter().filter(|it| !has(&it.key)).count();
    Some(Blocks {
        block_size: BLOCK,
        from: old.len() as u64,
        to: new.len() as u64,
        differ,
        zeroed,
        send_bytes: differ * BLOCK,
        from_size: from.disk_size(),
        to_size: to.disk_size(),
        new_segments: new_segments as u64,
        segments: to.segments().len() as u64,
    })
}

/// The map's own blocks, which it does not list.
fn own(map: &BlockMap) -> Vec<(u32, Sha256)> {
    use sha2::Digest as _;
    let mut bytes = map.to_bytes();
    bytes.resize(((OWN_BLOCKS.end * BLOCK) - OFFSET) as usize, 0);
    bytes
        .chunks(BLOCK as usize)
        .zip(OWN_BLOCKS)
        .map(|(chunk, number)| (number as u32, Sha256::from(sha2::Sha256::digest(chunk))))
        .filter(|(_, hash)| *hash != ZERO_BLOCK_HASH)
        .collect()
}

fn merge(listed: &[(u32, Sha256)], own: &[(u32, Sha256)]) -> Vec<(u32, Sha256)> {
    let mut all = [listed, own].concat();
    all.sort_unstable_by_key(|(number, _)| *number);
    all
}

#[cfg(test)]
mod tests {
    use nodeimage_disk::Extents;

    use super::*;

    const SIZE: u64 = 64 << 20;

    fn map(size: u64, blocks: &[(u64, u8)]) -> BlockMap {
        let mut disk = Extents::new(size);
        for (number, byte) in blocks {
            disk.push_bytes(number * BLOCK, vec![*byte; BLOCK as usize])
                .unwrap();
        }
        BlockMap::compute(&disk, [blocks.len() as u8; 32], &[]).unwrap()
    }

    #[test]
    fn what_an_upload_sends() {
        let old = map(SIZE, &[(0, 1), (20, 2), (21, 3), (22, 4)]);
        let same = between(&old, &old).unwrap();
        assert_eq!((same.differ, same.from, same.to), (0, 5, 5));
        let new = map(SIZE, &[(0, 1), (20, 2), (21, 9), (23, 4), (24, 5)]);
        let blocks = between(&old, &new).unwrap();
        // 21 changed, 22 became zero, 23 and 24 are new, and the block map is another.
        assert_eq!((blocks.differ, blocks.zeroed), (5, 1));
        assert_eq!(blocks.send_bytes, 5 * BLOCK);
        let short = map(8 << 20, &[(0, 1)]);
        let blocks = between(&old, &short).unwrap();
        assert_eq!((blocks.differ, blocks.zeroed), (1, 0), "cut off, not sent");
    }
}
