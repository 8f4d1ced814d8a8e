use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::fixture::{absent, block_hashes, bytes_of, noise, sha256, stored};

#[test]
fn overlap_and_bounds_are_refused_and_change_nothing() {
    let mut map = Extents::new(100);
    map.push_bytes(10, [1; 10]).unwrap();
    let before = map.clone();
    for (offset, len) in [(9, 2), (10, 1), (19, 1), (15, 50), (0, 100)] {
        let error = map.push_bytes(offset, vec![1; len]).unwrap_err();
        assert!(matches!(
            error,
            ExtentError::Overlap {
                other_offset: 10,
                other_len: 10,
                ..
            }
        ));
        // Zeros are checked as well.
        map.push_bytes(offset, vec![0; len]).unwrap_err();
    }
    for (offset, len) in [(100, 1), (101, 0), (95, 6), (u64::MAX, 1)] {
        let error = map.push_bytes(offset, vec![1; len]).unwrap_err();
        assert!(
            matches!(error, ExtentError::OutOfBounds { size: 100, .. }),
            "{error}"
        );
    }
    let mut other = Extents::new(30);
    other.push_bytes(0, [1]).unwrap();
    other.push_bytes(25, [1]).unwrap();
    map.place(19, &Extents::new(0)).unwrap();
    map.place(80, &other).unwrap_err();
    let mut clash = Extents::new(12);
    clash.push_bytes(0, [1]).unwrap();
    clash.push_bytes(11, [1]).unwrap();
    map.place(0, &clash).unwrap_err();
    assert_eq!(map, before);
    map.push_bytes(20, [1]).unwrap();
    map.push_bytes(9, [1]).unwrap();
    assert_eq!(
        map.runs().iter().map(|run| run.offset).collect::<Vec<_>>(),
        [9, 10, 20]
    );
    assert_eq!(map.data_len(), 12);
}

#[test]
fn file_ranges_stay_inside_their_file() {
    let file = absent(&[1; 50]);
    let mut map = Extents::new(100);
    for (offset, len) in [(0, 51), (50, 1), (51, 0), (u64::MAX, 2)] {
        let error = map
            .push_file(0, Arc::clone(&file), offset, len)
            .unwrap_err();
        assert!(matches!(
            error,
            ExtentError::OutsideFile { file_len: 50, .. }
        ));
        assert!(error.to_string().starts_with("/nonexistent/segment: "));
    }
    map.push_file(0, file, 50, 0).unwrap();
    assert!(map.runs().is_empty());
}

#[test]
fn missing_and_short_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut buffer = [0; 20];
    let missing = Extents::from_file(absent(&[1; 50]));
    let error = missing.read_at(0, &mut buffer).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    assert!(
        error.to_string().contains("/nonexistent/segment"),
        "{error}"
    );

    let file = stored(folder.path(), "cut", &[1; 50], false);
    std::fs::write(&file.path, [1; 30]).unwrap();
    let short = Extents::from_file(Arc::clone(&file));
    short.read_at(10, &mut buffer).unwrap();
    let error = short.read_at(11, &mut buffer).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
    assert!(
        error.to_string().contains(file.path.to_str().unwrap()),
        "{error}"
    );
    let outside = short.read_at(40, &mut buffer).unwrap_err();
    assert_eq!(outside.kind(), std::io::ErrorKind::InvalidInput);
}

#[test]
fn zero_block_hash_is_right() {
    assert_eq!(ZERO_BLOCK_HASH, sha256(&vec![0; BLOCK as usize]));
}

/// Blocks of a file at `skip` in it and `at` on the disk, whose content isn't there.
fn known(at: u64, skip: u64, len: u64, content: &[u8]) -> Vec<(u64, Option<Sha256>)> {
    let mut map = Extents::new(10 * BLOCK);
    map.push_file(at, absent(content), skip, len).unwrap();
    map.blocks()
        .map(|block| (block.index(), block.known_hash()))
        .collect()
}

#[test]
fn file_hashes_stand_for_whole_blocks_only() {
    let content = noise(1, 2 * BLOCK as usize + 100);
    let len = content.len() as u64;
    let hashes: Vec<_> = block_hashes(&content).into_iter().map(Some).collect();
    let [a, b, c] = hashes[..] else { panic!() };
    assert_eq!(known(BLOCK, 0, len, &content), [(1, a), (2, b), (3, c)]);
    assert_eq!(known(BLOCK, BLOCK, len - BLOCK, &content), [(1, b), (2, c)]);
    // Cut before its end, shifted in the file, shifted on the disk.
    assert_eq!(known(0, 0, len - 1, &content), [(0, a), (1, b), (2, None)]);
    assert_eq!(known(0, 512, BLOCK, &content), [(0, None)]);
    assert_eq!(known(512, 0, BLOCK, &content), [(0, None), (1, None)]);
    // From one block to the next in step.
    assert_eq!(
        known(512, 512, len - 512, &content),
        [(0, None), (1, b), (2, c)]
    );

    let mut shared = Extents::new(4 * BLOCK);
    shared.push_file(0, absent(&content), 0, len).unwrap();
    shared.push_bytes(len, [7]).unwrap();
    assert_eq!(
        shared
            .blocks()
            .filter(|block| block.known_hash().is_none())
            .count(),
        1
    );

    let mut unhashed = Extents::new(4 * BLOCK);
    let file = StoredFile {
        path: "x".into(),
        len,
        block_hashes: block_hashes(&content[1..]),
    };
    let file = StoredFile {
        block_hashes: file.block_hashes[..2].to_vec(),
        ..file
    };
    unhashed.push_file(0, Arc::new(file), 0, len).unwrap();
    assert!(unhashed.blocks().all(|block| block.known_hash().is_none()));
}

#[test]
fn blocks_at_the_end_of_the_map() {
    let mut map = Extents::new(BLOCK + 100);
    map.push_bytes(BLOCK - 1, [1, 2]).unwrap();
    let blocks: Vec<_> = map.blocks().collect();
    assert_eq!(
        blocks.iter().map(|block| block.len()).collect::<Vec<_>>(),
        [BLOCK, 100]
    );
    let mut buffer = vec![9; 3];
    blocks[1].read(&mut buffer).unwrap();
    assert_eq!(buffer.len() as u64, BLOCK);
    assert_eq!(
        (buffer[0], buffer[1..].iter().all(|byte| *byte == 0)),
        (2, true)
    );

    let mut huge = Extents::new(u64::MAX);
    huge.push_bytes(u64::MAX - 1, [1]).unwrap();
    let last = huge.blocks().last().unwrap();
    assert_eq!((last.index(), last.len()), (u64::MAX / BLOCK, BLOCK - 1));
}

/// One thing to put into a map: where, how long, and whether from a file (and from where in it).
fn piece() -> impl Strategy<Value = (u64, usize, Option<usize>)> {
    let small = prop_oneof![0..3000_usize, Just(0)];
    (0..4 * BLOCK, small, proptest::option::of(0..1000_usize))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is accepted reads as a byte vector with the same things copied into it; whatever
    /// is refused would have overlapped.
    #[test]
    fn composing_is_copying(
        pieces in proptest::collection::vec(piece(), 0..30),
        shift in 0..2 * BLOCK,
        windows in proptest::collection::vec((0..7 * BLOCK, 0..2 * BLOCK), 5),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let source = noise(9, 4096);
        let file = stored(folder.path(), "source", &source, true);
        let mut inner = Extents::new(4 * BLOCK + 3000);
        let mut naive = vec![0; 7 * BLOCK as usize];
        let mut covered = vec![false; naive.len()];
        for (offset, len, from) in pieces {
            let skip = from.unwrap_or_default();
            let bytes = &source[skip..skip + len];
            let pushed = match from {
                None => inner.push_bytes(offset, bytes),
                Some(skip) => inner.push_file(offset, Arc::clone(&file), skip as u64, len as u64),
            };
            let at = (offset + shift) as usize;
            let free = covered[at..at + len].iter().all(|taken| !taken);
            prop_assert_eq!(pushed.is_ok(), free);
            if free {
                naive[at..at + len].copy_from_slice(bytes);
                covered[at..at + len].fill(true);
            }
        }
        let mut map = Extents::new(7 * BLOCK);
        map.place(shift, &inner).unwrap();
        prop_assert!(bytes_of(&map) == naive);
        prop_assert_eq!(map.data_len(), inner.data_len());
        prop_assert!(map.runs().windows(2).all(|pair| pair[0].end() <= pair[1].offset));

        for (start, len) in windows {
            let end = (start + len).min(map.size());
            let mut buffer = vec![0xff; (end - start) as usize];
            map.read_at(start, &mut buffer).unwrap();
            prop_assert!(buffer == naive[start as usize..end as usize]);
            prop_assert!(bytes_of(&map.slice(start..end).unwrap()) == buffer);
        }

        let mut scratch = Vec::new();
        let mut listed = Vec::new();
        for block in map.blocks() {
            let range = block.offset() as usize..(block.offset() + block.len()) as usize;
            prop_assert_eq!(block.hash(&mut scratch).unwrap(), sha256(&naive[range]));
            listed.push(block.index() as usize);
        }
        let touched: Vec<_> = (0..7)
            .filter(|index| covered[index * BLOCK as usize..][..BLOCK as usize].contains(&true))
            .collect();
        prop_assert_eq!(listed, touched);
    }
}
