//! What any program must do that makes a compressed disk of compressed
//! layers: decompress them and compress the whole. The measure to compare a
//! cold build with, on the same machine in the same minute.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use flate2::read::GzDecoder;

use super::cases;
use super::child::{self, Cost};
use super::images;

/// Runs of which the best counts.
const ROUNDS: usize = 3;

/// The layers of a spec.
#[derive(Debug)]
pub(super) struct Layers {
    files: Vec<PathBuf>,
    /// Bytes, unpacked.
    pub(super) bytes: u64,
}

impl Layers {
    pub(super) fn of(yaml: &str, base: &Path, made: &Path) -> Result<Self> {
        let mut files = Vec::new();
        for reference in cases::references(yaml) {
            let layout = cases::layout_of(&reference, base, made);
            files.extend(images::layers(layout, &reference)?);
        }
        Self::read(files)
    }

    /// Of images, each with its layout.
    pub(super) fn of_images(named: &[(&Path, &str)]) -> Result<Self> {
        let mut files = Vec::new();
        for (layout, reference) in named {
            files.extend(images::layers(layout, reference)?);
        }
        Self::read(files)
    }

    fn read(files: Vec<PathBuf>) -> Result<Self> {
        let mut bytes = 0;
        for path in &files {
            let file = std::fs::File::open(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let mut reader = GzDecoder::new(file);
            let mut buffer = vec![0; 64 << 10];
            loop {
                match reader.read(&mut buffer).context("cannot unpack a layer")? {
                    0 => break,
                    count => bytes += count as u64,
                }
            }
        }
        Ok(Self { files, bytes })
    }

    /// `gzip -dc LAYERS | zstd -3 -T1`.
    pub(super) fn gzip_and_zstd(&self) -> Result<Cost> {
        let mut runs = Vec::new();
        for _ in 0..ROUNDS {
            let mut shell = Command::new("sh");
            shell.args(["-ec", "gzip -dc \"$@\" | zstd -q -3 -T1 >/dev/null", "sh"]);
            runs.push(child::measure(shell.args(&self.files))?);
        }
        Cost::best(&runs).context("nothing was measured")
    }
}
