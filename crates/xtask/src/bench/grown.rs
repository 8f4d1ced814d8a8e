//! Images that differ in their size alone, or in the number of their files alone.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::content::Numbers;
use crate::base_images::layout::{Config, Layout};
use crate::base_images::tree::{Node, Tree};

/// Raised when the content changes.
const VERSION: &str = "1";
/// Content comes again after this many bytes: more than a compressor of ours remembers.
const POOL: usize = 24 << 20;
/// Files of the images that grow in size.
const LARGE: usize = 1_000_000;
/// Files of the images that grow in number.
const SMALL: usize = 2_000;

/// What grows, by doubling twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Growth {
    /// Megabytes of one layer.
    Layer,
    /// Small files of one layer.
    Files,
}

impl Growth {
    pub(super) const ALL: [Self; 2] = [Self::Layer, Self::Files];

    pub(super) const fn steps(self) -> [usize; 3] {
        match self {
            Self::Layer => [100, 200, 400],
            Self::Files => [5_000, 10_000, 20_000],
        }
    }

    /// What a row is called.
    pub(super) fn shown(self, step: usize) -> String {
        match self {
            Self::Layer => format!("a layer of {step} MB"),
            Self::Files => format!("{},{:03} files", step / 1000, step % 1000),
        }
    }

    pub(super) fn image(self, step: usize) -> String {
        let name = match self {
            Self::Layer => "layer",
            Self::Files => "files",
        };
        format!("grown.example/{name}:{step}")
    }

    /// Bytes of a file, and how many there are.
    const fn files(self, step: usize) -> (usize, usize) {
        match self {
            Self::Layer => (LARGE, step),
            Self::Files => (SMALL, step),
        }
    }
}

/// Makes the layout, unless it is there; returns its folder.
pub(super) fn ensure(bench: &Path) -> Result<PathBuf> {
    let folder = bench.join("grown");
    let stamp = bench.join("grown.stamp");
    if std::fs::read_to_string(&stamp).is_ok_and(|old| old == VERSION) {
        return Ok(folder);
    }
    let pool = pool();
    let mut made = Layout::create(&folder)?;
    for growth in Growth::ALL {
        for step in growth.steps() {
            let (size, count) = growth.files(step);
            let mut tree = Tree::default();
            for number in 0..count {
                let path = format!("usr/lib/grown/{:03}/{number:06}", number / 100);
                tree.add(&path, Node::file(0o644, cut(&pool, number, size)))?;
            }
            let config = Config {
                command: vec!["/usr/bin/service".to_owned()],
                ..Config::default()
            };
            made.add(&[growth.image(step)], &tree, &config)?;
        }
    }
    made.finish()?;
    std::fs::write(&stamp, VERSION).context("cannot write the stamp")?;
    Ok(folder)
}

fn pool() -> Vec<u8> {
    let mut numbers = Numbers::new(0x6772_6f77);
    let mut pool = Vec::with_capacity(POOL + LARGE);
    while pool.len() < POOL {
        let (kind, size) = (numbers.kind(), numbers.size());
        pool.extend(numbers.file(kind, size));
    }
    pool.truncate(POOL);
    pool
}

/// The content of a file: the pool from a place of its own on, over its end.
fn cut(pool: &[u8], number: usize, size: usize) -> Vec<u8> {
    let at = number * size % pool.len();
    pool.iter().cycle().skip(at).take(size).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_follow_one_another_in_the_pool() {
        let pool: Vec<u8> = (0..10).collect();
        assert_eq!(cut(&pool, 0, 4), [0, 1, 2, 3]);
        assert_eq!(cut(&pool, 1, 4), [4, 5, 6, 7]);
        assert_eq!(cut(&pool, 2, 4), [8, 9, 0, 1]);
    }

    #[test]
    fn what_grows_doubles() {
        for growth in Growth::ALL {
            let [a, b, c] = growth.steps();
            assert_eq!((a * 2, b * 2), (b, c));
        }
        assert_eq!(Growth::Files.shown(20_000), "20,000 files");
        assert_eq!(Growth::Layer.image(400), "grown.example/layer:400");
    }
}
