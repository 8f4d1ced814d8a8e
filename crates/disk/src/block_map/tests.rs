use std::sync::Arc;

use super::*;
use crate::StoredFile;
use crate::fixture::{absent, bytes_of, noise, sha256, stored};

const SIZE: u64 = 16 * BLOCK;

/// A disk with a block in memory, hashed files, a shared block and a file of zeros.
fn disk(folder: &std::path::Path) -> Extents {
    let mut disk = Extents::new(SIZE);
    disk.push_bytes(0, noise(1, 512)).unwrap();
    let file = stored(folder, "file", &noise(2, 3 * BLOCK as usize / 2), true);
    disk.push_file(9 * BLOCK, Arc::clone(&file), 0, file.len)
        .unwrap();
    disk.push_bytes(10 * BLOCK + file.len % BLOCK, [1]).unwrap();
    let zeros = stored(folder, "zeros", &vec![0; BLOCK as usize], true);
    disk.push_file(12 * BLOCK, zeros, 0, BLOCK).unwrap();
    let unhashed = stored(folder, "unhashed", &vec![0; BLOCK as usize], false);
    disk.push_file(13 * BLOCK, unhashed, 0, BLOCK).unwrap();
    disk.push_bytes(SIZE - 1, [3]).unwrap();
    disk
}

fn segment(offset: u64, len: u64) -> Segment {
    Segment {
        key: sha256(&offset.to_le_bytes()),
        offset,
        len,
    }
}

fn map() -> BlockMap {
    let folder = tempfile::tempdir().unwrap();
    let segments = [segment(9 * BLOCK, 10), segment(10 * BLOCK, BLOCK)];
    BlockMap::compute(&disk(folder.path()), [5; 32], &segments).unwrap()
}

#[test]
fn lists_what_a_plain_pass_over_the_bytes_finds() {
    let folder = tempfile::tempdir().unwrap();
    let disk = disk(folder.path());
    let bytes = bytes_of(&disk);
    let expected: Vec<_> = bytes
        .chunks(BLOCK as usize)
        .enumerate()
        .filter(|(_, block)| block.iter().any(|byte| *byte != 0))
        .map(|(index, block)| (index as u32, sha256(block)))
        .collect();
    let map = BlockMap::compute(&disk, [5; 32], &[]).unwrap();
    assert_eq!(map.blocks(), expected);
    assert_eq!(
        map.blocks()
            .iter()
            .map(|(index, _)| *index)
            .collect::<Vec<_>>(),
        [0, 9, 10, 15]
    );
    assert_eq!(map.hash_of(9), Some(&expected[1].1));
    assert_eq!((map.hash_of(8), map.hash_of(1 << 32 | 9)), (None, None));
}

#[test]
fn placing_the_map_does_not_change_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = disk(folder.path());
    let map = BlockMap::compute(&disk, [5; 32], &[]).unwrap();
    map.place_on(&mut disk).unwrap();
    assert_eq!(BlockMap::compute(&disk, [5; 32], &[]).unwrap(), map);
    let mut region = vec![0; CAPACITY as usize];
    disk.read_at(OFFSET, &mut region).unwrap();
    let read = BlockMap::parse(&region).unwrap();
    assert_eq!(read, map);
    assert_eq!(read.digest(), map.digest());
    map.place_on(&mut disk).unwrap_err();
}

#[test]
fn hashed_files_are_not_read() {
    let content = noise(2, 3 * BLOCK as usize / 2);
    let mut disk = Extents::new(SIZE);
    disk.push_file(9 * BLOCK, absent(&content), 0, content.len() as u64)
        .unwrap();
    let map = BlockMap::compute(&disk, [0; 32], &[]).unwrap();
    assert_eq!(map.blocks().len(), 2);
    let mut unaligned = Extents::new(SIZE);
    unaligned
        .push_file(9 * BLOCK + 512, absent(&content), 0, content.len() as u64)
        .unwrap();
    let error = BlockMap::compute(&unaligned, [0; 32], &[]).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("block 9: /nonexistent/segment: "),
        "{error}"
    );
}

#[test]
fn layout_is_the_documented_one() {
    let map = map();
    let bytes = map.to_bytes();
    assert_eq!(bytes.len(), 136 + 36 * 4 + 48 * 2);
    assert_eq!(bytes[..16], *b"NIBLKMAP\x01\0\0\0\0\0\0\0");
    assert_eq!(bytes[16..48], [5; 32]);
    assert_eq!(bytes[48..56], SIZE.to_le_bytes());
    assert_eq!(
        bytes[56..72],
        [0, 0, 8, 0, 4, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]
    );
    assert_eq!(bytes[72..104], sha256(&bytes[136..136 + 36 * 4]));
    assert_eq!(
        bytes[104..136],
        sha256(&[&bytes[..104], &bytes[136..]].concat())
    );
    assert_eq!(bytes[172..176], 9_u32.to_le_bytes());
    assert_eq!(map.digest(), sha256(&bytes));
}

#[test]
fn any_changed_byte_is_refused() {
    let bytes = map().to_bytes();
    for at in 0..bytes.len() {
        for bit in [1, 0x80] {
            let mut damaged = bytes.clone();
            damaged[at] ^= bit;
            assert!(BlockMap::parse(&damaged).is_err(), "byte {at}");
        }
    }
    for len in 0..bytes.len() {
        BlockMap::parse(&bytes[..len]).unwrap_err();
    }
    let mut longer = bytes.clone();
    longer.resize(CAPACITY as usize, 0);
    BlockMap::parse(&longer).unwrap();
    longer[CAPACITY as usize - 1] = 1;
    BlockMap::parse(&longer).unwrap_err();
    longer[CAPACITY as usize - 1] = 0;
    longer.push(0);
    BlockMap::parse(&longer).unwrap_err();
}

/// A map with a right checksum all the same.
fn forged(change: impl Fn(&mut BlockMap)) -> Result<BlockMap, FormatError> {
    let mut map = map();
    change(&mut map);
    let list = |map: &BlockMap| {
        let entry = |(index, hash): &(u32, Sha256)| [&index.to_le_bytes()[..], hash].concat();
        map.blocks.iter().flat_map(entry).collect::<Vec<u8>>()
    };
    if !map.overflowed {
        map.content = sha256(&list(&map));
    }
    BlockMap::parse(&map.to_bytes())
}

#[test]
fn rules_hold_whatever_the_checksum_says() {
    forged(|_| {}).unwrap();
    type Change<'a> = &'a dyn Fn(&mut BlockMap);
    let broken: [(&str, Change<'_>); 9] = [
        ("not ascending", &|map| map.blocks.swap(0, 1)),
        ("not ascending", &|map| map.blocks[1].0 = 0),
        ("behind the disk's end", &|map| map.blocks[3].0 = 16),
        ("its own blocks", &|map| map.blocks[1].0 = 7),
        ("a zero block", &|map| map.blocks[0].1 = ZERO_BLOCK_HASH),
        ("overflowed and lists", &|map| map.overflowed = true),
        ("disk size is impossible", &|map| {
            map.disk_size = 8 * BLOCK - 1
        }),
        ("segments overlap", &|map| map.segments[0].len = BLOCK + 1),
        ("segments overlap", &|map| map.segments[1].offset = u64::MAX),
    ];
    for (text, change) in broken {
        let error = forged(change).unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
    }
    forged(|map| {
        map.overflowed = true;
        map.blocks.clear();
    })
    .unwrap();
}

#[test]
fn impossible_inputs_are_refused() {
    let compute = |size, segments: &[Segment]| {
        BlockMap::compute(&Extents::new(size), [0; 32], segments).map(|_| ())
    };
    compute(8 * BLOCK, &[]).unwrap();
    assert!(matches!(
        compute(8 * BLOCK - 1, &[]),
        Err(BlockMapError::DiskSize { .. })
    ));
    compute(MAX_DISK, &[]).unwrap();
    assert!(matches!(
        compute(MAX_DISK + 1, &[]),
        Err(BlockMapError::DiskSize { .. })
    ));
    compute(SIZE, &[segment(0, SIZE)]).unwrap();
    for bad in [
        vec![segment(0, 0)],
        vec![segment(1, SIZE)],
        vec![segment(u64::MAX, 2)],
        vec![segment(5, 5), segment(9, 1)],
        vec![segment(9, 1), segment(5, 4)],
    ] {
        assert!(
            matches!(compute(SIZE, &bad), Err(BlockMapError::Segment { .. })),
            "{bad:?}"
        );
    }
    let many: Vec<_> = (0..4097).map(|at| segment(at, 1)).collect();
    compute(SIZE, &many[..4096]).unwrap();
    assert!(matches!(
        compute(SIZE, &many),
        Err(BlockMapError::TooManySegments { count: 4097 })
    ));
}

/// Distinct blocks without content to read: hashed files that aren't there.
fn large(blocks: u64) -> Extents {
    let hashes = (0..blocks)
        .map(|index| sha256(&index.to_le_bytes()))
        .collect();
    let file = StoredFile {
        path: "absent".into(),
        len: blocks * BLOCK,
        block_hashes: hashes,
    };
    let mut disk = Extents::new((blocks + 8) * BLOCK);
    disk.push_file(8 * BLOCK, Arc::new(file), 0, blocks * BLOCK)
        .unwrap();
    disk
}

#[test]
fn more_than_fits_is_marked_and_still_told_apart() {
    let room = encoding::room(1) as u64;
    assert!(room * BLOCK > 49 << 30);
    let index = [segment(9 * BLOCK, 1)];
    let fits = BlockMap::compute(&large(room), [0; 32], &index).unwrap();
    assert!(!fits.is_overflowed() && fits.blocks().len() as u64 == room);
    assert!(fits.to_bytes().len() as u64 <= CAPACITY);
    assert_eq!(BlockMap::parse(&fits.to_bytes()).unwrap(), fits);

    let over = BlockMap::compute(&large(room + 1), [0; 32], &index).unwrap();
    assert!(over.is_overflowed() && over.blocks().is_empty());
    assert_eq!(over.segments(), index);
    assert_eq!(BlockMap::parse(&over.to_bytes()).unwrap(), over);

    let mut other = large(room + 1);
    other.push_bytes(0, [1]).unwrap();
    let other = BlockMap::compute(&other, [0; 32], &index).unwrap();
    assert_ne!(other.digest(), over.digest());
}
