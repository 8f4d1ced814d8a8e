use std::cell::Cell;
use std::fs;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use nodeimage_disk::block_map::Segment;
use nodeimage_disk::{BLOCK, StoredFile};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::*;
use crate::Progress;

const SIZE: u64 = 40 * BLOCK;

struct Sample {
    folder: TempDir,
    stored: PathBuf,
    disk: Extents,
    map: BlockMap,
}

/// A disk with content in memory and from a file, zero pages in the middle of blocks, a zero block
/// from a file, and its map.
fn sample() -> Sample {
    let folder = tempfile::tempdir().unwrap();
    let stored = folder.path().join("stored");
    let mut content: Vec<u8> = (0..5 * BLOCK / 2)
        .map(|at| ((at * at) >> 7) as u8)
        .collect();
    content[BLOCK as usize..2 * BLOCK as usize].fill(0);
    fs::write(&stored, &content).unwrap();
    let len = content.len() as u64;
    let file = StoredFile {
        path: stored.clone(),
        len,
        block_hashes: Vec::new(),
    };
    let mut disk = Extents::new(SIZE);
    disk.push_bytes(100, vec![1; 5000]).unwrap();
    disk.push_file(9 * BLOCK, Arc::new(file), 0, len).unwrap();
    disk.push_bytes(20 * BLOCK + 3 * 4096, vec![2; 4096])
        .unwrap();
    disk.push_bytes(20 * BLOCK + 9 * 4096, vec![3; 1]).unwrap();
    disk.push_bytes(SIZE - 1, vec![4; 1]).unwrap();
    let segments = [Segment {
        key: [1; 32],
        offset: 9 * BLOCK,
        len,
    }];
    let map = BlockMap::compute(&disk, [9; 32], &segments).unwrap();
    map.place_on(&mut disk).unwrap();
    Sample {
        folder,
        stored,
        disk,
        map,
    }
}

impl Sample {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; SIZE as usize];
        self.disk.read_at(0, &mut bytes).unwrap();
        bytes
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join("disk.raw")
    }

    fn write(&self, options: &RawOptions<'_>) -> Result<Written, FormatError> {
        write(&self.disk, &self.map, &self.target(), options)
    }

    /// Nothing but the stored file is left.
    fn assert_clean(&self) {
        let names: Vec<_> = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|it| it.unwrap().path())
            .collect();
        assert_eq!(names, std::slice::from_ref(&self.stored));
    }
}

#[test]
fn a_file_has_every_byte_and_no_zero_pages() {
    let sample = sample();
    let expected = sample.bytes();
    for threads in [0, 1, 2, 7, 100] {
        let options = RawOptions {
            threads,
            sha256: true,
            on_bytes: None,
        };
        let written = sample.write(&options).unwrap();
        assert!(fs::read(sample.target()).unwrap() == expected);
        assert_eq!(written.len, SIZE);
        assert_eq!(written.sha256, Some(Sha256::digest(&expected).into()));
        // 2 blocks of the file, and a few pages.
        assert!(written.allocated >= 3 * BLOCK / 2 && written.allocated < 2 * BLOCK);
    }
}

#[test]
fn a_stream_has_the_same_bytes() {
    let sample = sample();
    let mut stream = Vec::new();
    let options = RawOptions {
        threads: 2,
        sha256: true,
        on_bytes: None,
    };
    let written = write_to(&sample.disk, &sample.map, &mut stream, &options).unwrap();
    assert!(stream == sample.bytes());
    assert_eq!(written.sha256, Some(Sha256::digest(&stream).into()));
    assert_eq!(written.allocated, SIZE);
}

#[test]
fn a_stream_that_ends_early_is_an_error() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let sample = sample();
    let options = RawOptions {
        threads: 2,
        ..RawOptions::default()
    };
    let error = write_to(&sample.disk, &sample.map, &mut Full, &options).unwrap_err();
    assert!(matches!(error, FormatError::Stream(_)));
}

#[test]
fn a_damaged_stored_file_is_named_and_leaves_nothing() {
    for at in [
        0,
        BLOCK as usize + 5,
        2 * BLOCK as usize,
        5 * BLOCK as usize / 2 - 1,
    ] {
        for threads in [1, 2] {
            let sample = sample();
            let mut content = fs::read(&sample.stored).unwrap();
            content[at] ^= 1;
            fs::write(&sample.stored, content).unwrap();
            let error = sample
                .write(&RawOptions {
                    threads,
                    ..RawOptions::default()
                })
                .unwrap_err();
            let block = 9 + at as u64 / BLOCK;
            assert!(
                matches!(&error, FormatError::Corrupt { block: b, files } if *b == block
                    && *files == [sample.stored.clone()]),
                "{error}"
            );
            assert!(error.to_string().contains(sample.stored.to_str().unwrap()));
            sample.assert_clean();
        }
    }
}

#[test]
fn a_missing_stored_file_is_named_and_leaves_nothing() {
    let sample = sample();
    let content = fs::read(&sample.stored).unwrap();
    fs::write(&sample.stored, &content[..content.len() - 1]).unwrap();
    let error = sample
        .write(&RawOptions::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("block 11") && error.contains(sample.stored.to_str().unwrap()),
        "{error}"
    );
    sample.assert_clean();
    fs::remove_file(&sample.stored).unwrap();
    let error = sample.write(&RawOptions::default()).unwrap_err();
    assert!(matches!(error, FormatError::Read { block: 9, .. }));
}

#[test]
fn an_old_file_stands_until_the_new_one_is_complete() {
    let sample = sample();
    fs::write(sample.target(), "old").unwrap();
    fs::rename(&sample.stored, sample.folder.path().join("away")).unwrap();
    sample.write(&RawOptions::default()).unwrap_err();
    assert_eq!(fs::read(sample.target()).unwrap(), b"old");
    fs::rename(sample.folder.path().join("away"), &sample.stored).unwrap();
    sample.write(&RawOptions::default()).unwrap();
    assert_eq!(fs::metadata(sample.target()).unwrap().len(), SIZE);
    let mode = fs::metadata(sample.target()).unwrap().permissions().mode();
    assert_eq!(mode & 0o700, 0o600);
}

#[test]
fn folders_are_not_replaced() {
    let sample = sample();
    fs::create_dir(sample.target()).unwrap();
    let error = sample.write(&RawOptions::default()).unwrap_err();
    assert!(matches!(error, FormatError::NotAFile(_)));
    let nowhere = sample.folder.path().join("no/disk.raw");
    let error = write(&sample.disk, &sample.map, &nowhere, &RawOptions::default()).unwrap_err();
    assert!(
        error.to_string().starts_with(nowhere.to_str().unwrap()),
        "{error}"
    );
}

#[test]
fn progress_ends_at_the_total_and_can_stop() {
    let sample = sample();
    let seen = Cell::new((0, 0));
    let follow = |done, total| {
        assert!(done > seen.get().0 && done <= total);
        seen.set((done, total));
        ControlFlow::Continue(())
    };
    let options = RawOptions {
        threads: 2,
        on_bytes: Some(Progress::new(&follow)),
        sha256: false,
    };
    sample.write(&options).unwrap();
    // 0, 1 (the map), 9, 10, 11, 20, 39.
    assert_eq!(seen.get(), (7 * BLOCK, 7 * BLOCK));
    fs::remove_file(sample.target()).unwrap();

    let stop = |_, _| ControlFlow::Break(());
    let options = RawOptions {
        threads: 2,
        on_bytes: Some(Progress::new(&stop)),
        sha256: false,
    };
    assert!(matches!(
        sample.write(&options),
        Err(FormatError::Cancelled)
    ));
    sample.assert_clean();
}

#[test]
fn another_disks_map_is_refused() {
    let sample = sample();
    let attempt = |disk: &Extents| {
        let options = RawOptions::default();
        write_to(disk, &sample.map, &mut io::sink(), &options)
            .unwrap_err()
            .to_string()
    };
    assert!(attempt(&Extents::new(SIZE + BLOCK)).contains("another size"));
    let mut alone = Extents::new(SIZE);
    sample.map.place_on(&mut alone).unwrap();
    assert!(attempt(&alone).contains("empty on the disk"));
    let mut more = sample.disk.clone();
    more.push_bytes(15 * BLOCK, [1]).unwrap();
    assert!(attempt(&more).contains("block 15"));
    let mut other = sample.disk.slice(0..SIZE).unwrap();
    other.push_bytes(7 * BLOCK, [1]).unwrap();
    assert!(attempt(&other).contains("the one on the disk is different"));
    // Without its map, it is no disk of ours.
    let mut bare = Extents::new(SIZE);
    for run in sample.disk.runs().iter().filter(|run| run.offset != BLOCK) {
        bare.place(
            run.offset,
            &sample.disk.slice(run.offset..run.end()).unwrap(),
        )
        .unwrap();
    }
    assert!(attempt(&bare).contains("not on the disk"));
}
