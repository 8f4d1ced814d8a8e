//! The bytes of every format, by their hashes: they change on purpose only.

use super::sample::{SEED, disk, fits, formats, label};
use crate::{WriteOptions, write_stream};

/// One line for each format and codec.
const GOLDEN: &str = include_str!("golden.txt");

#[test]
fn bytes_are_what_they_were() {
    const KIB: u64 = 1 << 10;
    let pieces = [
        ('p', 0, 70 * KIB),
        ('n', 512 * KIB, 200 * KIB + 1),
        ('p', 1024 * KIB + 5, 900 * KIB),
        ('n', 2000 * KIB, 64 * KIB),
        ('p', 7000 * KIB, 300 * KIB),
        ('p', (600 << 20) - 512, 512),
    ];
    let mut found = String::new();
    for (format, settings) in formats() {
        let options = WriteOptions {
            threads: 2,
            sha256: true,
            on_bytes: None,
        };
        // Whole GiB where nothing else is taken.
        let size = if fits(format, 600 << 20) {
            600 << 20
        } else {
            1 << 30
        };
        let disk = disk(size, &pieces);
        let mut nowhere = std::io::sink();
        let written = write_stream(&disk, SEED, format, &settings, &mut nowhere, &options).unwrap();
        let hash = hex::encode(written.sha256.unwrap());
        found.push_str(&format!("{} {hash}\n", label(format, &settings)));
    }
    assert_eq!(
        found, GOLDEN,
        "if that is meant, put this into golden.txt:\n{found}"
    );
}
