//! Files that were cut, damaged or made to harm: an error that says where, and nothing worse.

use std::path::Path;
use std::time::{Duration, Instant};

use nodeimage_disk::BLOCK;
use proptest::prelude::*;

use super::sample::{disk, formats, write};
use crate::{FormatError, OpenOptions, open};

/// No file here needs longer, by far.
const LIMIT: Duration = Duration::from_secs(20);

/// Reads what a reader lets us, up to a bound. Whatever the file, this comes back.
fn read_all(path: &Path, kind: &str) -> Result<(), FormatError> {
    let options = OpenOptions {
        format: Some(kind.to_owned()),
        ..OpenOptions::default()
    };
    let opened = open(path, &options)?;
    let disk = opened.disk.as_ref();
    let mut bytes = vec![0; BLOCK as usize];
    for block in crate::data_blocks(disk).take(300) {
        let offset = block? * BLOCK;
        assert!(offset < disk.size(), "data behind the disk's end");
        let len = (disk.size() - offset).min(BLOCK) as usize;
        disk.read_at(offset, &mut bytes[..len])?;
    }
    // The ends, whether they hold something or not.
    let len = disk.size().min(BLOCK) as usize;
    disk.read_at(disk.size() - len as u64, &mut bytes[..len])
}

/// A small file of each kind that has a reader.
fn files() -> Vec<(&'static str, String, Vec<u8>)> {
    let folder = tempfile::tempdir().unwrap();
    let pieces = [
        ('p', 0, 200_000),
        ('n', 1 << 20, 70_000),
        ('p', (5 << 20) - 512, 512),
    ];
    let disk = disk(5 << 20, &pieces);
    let mut files = Vec::new();
    for (format, settings) in formats() {
        let has_reader = crate::FORMATS
            .iter()
            .any(|it| it.kind == format.kind && it.reader.is_some());
        if has_reader {
            let path = folder.path().join("file");
            write(&disk, (format, settings), &path, 1).unwrap();
            let name = super::sample::label(format, &settings);
            files.push((format.kind, name, std::fs::read(&path).unwrap()));
        }
    }
    files
}

/// Values that arithmetic stumbles over.
const ODD: [u64; 12] = [
    0,
    1,
    2,
    511,
    512,
    0x7fff_ffff,
    0xffff_ffff,
    1 << 32,
    1 << 62,
    i64::MAX as u64,
    u64::MAX - 511,
    u64::MAX,
];

/// A change to a file.
#[derive(Clone, Debug)]
enum Harm {
    Cut(prop::sample::Index),
    Flip(prop::sample::Index, u8),
    /// A number at a place that is aligned to 4 bytes, with 4 or 8 bytes of either order.
    Number(prop::sample::Index, u64, bool, bool),
    /// Bytes from elsewhere: pointers that lead into a loop.
    Copy(prop::sample::Index, prop::sample::Index, usize),
}

impl Harm {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let len = bytes.len();
        match self {
            Self::Cut(at) => bytes.truncate(at.index(len)),
            Self::Flip(at, mask) => bytes[at.index(len)] ^= mask,
            Self::Number(at, value, wide, big) => {
                let at = at.index(len) & !3;
                let number = match big {
                    true => value.to_be_bytes(),
                    false => value.to_le_bytes(),
                };
                let number = match (wide, big) {
                    (true, _) => &number[..],
                    (false, true) => &number[4..],
                    (false, false) => &number[..4],
                };
                let end = len.min(at + number.len());
                bytes[at..end].copy_from_slice(&number[..end - at]);
            }
            Self::Copy(from, to, count) => {
                let (from, to) = (from.index(len), to.index(len));
                let count = (*count).min(len - from.max(to));
                bytes.copy_within(from..from + count, to);
            }
        }
    }
}

fn harm() -> impl Strategy<Value = Harm> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        1 => at().prop_map(Harm::Cut),
        2 => (at(), 1_u8..).prop_map(|(at, mask)| Harm::Flip(at, mask)),
        4 => (at(), prop_oneof![prop::sample::select(&ODD[..]), any::<u64>()], any::<bool>(), any::<bool>())
            .prop_map(|(at, value, wide, big)| Harm::Number(at, value, wide, big)),
        1 => (at(), at(), 1_usize..300).prop_map(|(from, to, count)| Harm::Copy(from, to, count)),
    ]
}

fn survives(kind: &str, name: &str, bytes: &[u8], path: &Path) -> Result<(), TestCaseError> {
    std::fs::write(path, bytes).unwrap();
    #[expect(clippy::disallowed_methods, reason = "a time limit of the test")]
    let start = Instant::now();
    let done = read_all(path, kind);
    prop_assert!(
        start.elapsed() < LIMIT,
        "{} took {:?}",
        name,
        start.elapsed()
    );
    if let Err(error) = done {
        prop_assert!(
            matches!(
                error,
                FormatError::Damaged { .. }
                    | FormatError::Unsupported { .. }
                    | FormatError::Limit { .. }
            ),
            "{}: {:?}",
            name,
            error
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn damage_is_told(
        harms in proptest::collection::vec(proptest::collection::vec(harm(), 1..4), 40),
        front in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for (kind, name, bytes) in files() {
            for harms in &harms {
                let mut bytes = bytes.clone();
                // Most of what can go wrong is in front or at the end.
                let mut middle = Vec::new();
                if front && bytes.len() > 8192 {
                    middle = bytes.drain(2048..bytes.len() - 1024).collect();
                }
                let cut = harms.iter().any(|it| matches!(it, Harm::Cut(_)));
                harms.iter().for_each(|harm| harm.apply(&mut bytes));
                if !cut && !middle.is_empty() {
                    bytes.splice(2048..2048, middle);
                }
                survives(kind, &name, &bytes, &path)?;
            }
        }
    }
}

#[test]
fn every_cut_of_the_front_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for (kind, name, bytes) in files() {
        for len in (0..1024.min(bytes.len())).step_by(3) {
            std::fs::write(&path, &bytes[..len]).unwrap();
            let done = read_all(&path, kind);
            // Raw files have any length.
            let is_told = done.is_err() || kind == "raw" && len > 0;
            assert!(is_told, "{name} of {len} bytes");
            survives(kind, &name, &bytes[..len], &path).unwrap();
        }
    }
}
