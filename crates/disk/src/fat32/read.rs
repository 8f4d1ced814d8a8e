//! Reading a file out of a FAT32 file system that may be anybody's.

use std::io;

use crate::bytes::{u16_at, u32_at};
use crate::{ExtentError, Extents, SECTOR};

/// Most clusters of one chain that are followed: 4 GiB of 4 KiB clusters.
const MAX_CHAIN: usize = 1 << 20;

/// Longest directory that is read, in bytes: FAT's own limit.
const MAX_DIRECTORY: u64 = 2 << 20;

/// Why a file can't be read.
#[derive(Debug, thiserror::Error)]
pub enum FatReadError {
    /// Something else than FAT32 with 512-byte sectors.
    #[error("it is no FAT32 file system: {0}")]
    Form(&'static str),
    /// No such file.
    #[error("there is no {0} in its FAT32 file system")]
    NotFound(String),
    /// A chain of clusters that leads nowhere.
    #[error("its FAT32 file system is damaged: {reason} at cluster {cluster}")]
    Chain {
        /// The cluster.
        cluster: u32,
        /// What is wrong.
        reason: &'static str,
    },
    /// The disk can't be read.
    #[error("cannot read its FAT32 file system: {0}")]
    Read(#[from] io::Error),
    /// Clusters outside the file system, which are looked for before.
    #[error("its FAT32 file system is damaged: {0}")]
    Place(#[from] ExtentError),
}

/// A file system, of whose bytes only the first sector has been read.
#[derive(Debug)]
struct Reader<'a> {
    volume: &'a Extents,
    cluster: u64,
    table: u64,
    data: u64,
    end_cluster: u32,
    root: u32,
}

/// The content of the file at `path` (names with `/` between them, in any case) in the file system
/// that `volume` is. No content is read; a hostile file system costs at most 8 MiB of memory.
pub fn open(volume: &Extents, path: &str) -> Result<Extents, FatReadError> {
    let reader = Reader::new(volume)?;
    let missing = || FatReadError::NotFound(path.to_owned());
    let mut names = path.split('/').peekable();
    let mut directory = reader.root;
    while let Some(name) = names.next() {
        let entries = reader.directory(directory)?;
        let entry = entries.iter().find(|it| it.is_named(name));
        let entry = entry.ok_or_else(missing)?;
        match (names.peek().is_some(), entry.is_directory) {
            (true, true) => directory = entry.cluster,
            (false, false) => return reader.content(entry.cluster, u64::from(entry.len)),
            _ => break,
        }
    }
    Err(missing())
}

impl<'a> Reader<'a> {
    fn new(volume: &'a Extents) -> Result<Self, FatReadError> {
        let mut head = [0; SECTOR as usize];
        if volume.size() < SECTOR {
            return Err(FatReadError::Form("it is shorter than a sector"));
        }
        volume.read_at(0, &mut head)?;
        let word = |at| u16_at(&head, at).map_or(0, u64::from);
        let long = |at| u32_at(&head, at).unwrap_or_default();
        if head[510..] != [0x55, 0xaa] || word(11) != SECTOR || word(22) != 0 || word(17) != 0 {
            return Err(FatReadError::Form("its boot sector says otherwise"));
        }
        let per_cluster = u64::from(head[13]);
        if !per_cluster.is_power_of_two() {
            return Err(FatReadError::Form("its clusters have no possible size"));
        }
        let cluster = per_cluster * SECTOR;
        let table = word(14) * SECTOR;
        let table_len = u64::from(long(36)) * SECTOR;
        let data = table + table_len * u64::from(head[16]);
        let size = (u64::from(long(32)) * SECTOR).min(volume.size());
        let clusters = size.saturating_sub(data) / cluster;
        let clusters = clusters.min((table_len / 4).saturating_sub(2));
        let end_cluster = u32::try_from(clusters + 2)
            .ok()
            .filter(|it| *it < 0x0fff_fff7);
        Ok(Self {
            volume,
            cluster,
            table,
            data,
            end_cluster: end_cluster.ok_or(FatReadError::Form("it is too large"))?,
            root: long(44),
        })
    }

    /// The content of a chain of clusters, `len` bytes of it.
    fn content(&self, first: u32, len: u64) -> Result<Extents, FatReadError> {
        let mut content = Extents::new(len);
        let mut at = 0;
        if len == 0 {
            return Ok(content);
        }
        for cluster in self.chain(first, len.div_ceil(self.cluster))? {
            let part = (len - at).min(self.cluster);
            let start = self.data + u64::from(cluster - 2) * self.cluster;
            content.place(at, &self.volume.slice(start..start + part)?)?;
            at += part;
        }
        if at < len {
            return Err(FatReadError::Chain {
                cluster: first,
                reason: "a file that ends early begins",
            });
        }
        Ok(content)
    }

    /// The first `count` clusters of a chain, or all when it is shorter.
    fn chain(&self, first: u32, count: u64) -> Result<Vec<u32>, FatReadError> {
        let mut chain = Vec::new();
        let mut next = first;
        let mut piece = Piece::default();
        while (chain.len() as u64) < count && next < 0x0fff_fff8 {
            if !(2..self.end_cluster).contains(&next) || chain.len() == MAX_CHAIN {
                let reason = "a chain that leaves it or has no end passes";
                return Err(FatReadError::Chain {
                    cluster: next,
                    reason,
                });
            }
            chain.push(next);
            next = piece.entry(self, next)?;
        }
        Ok(chain)
    }

    fn directory(&self, first: u32) -> Result<Vec<Entry>, FatReadError> {
        let mut entries = Vec::new();
        let mut long = Vec::new();
        let mut bytes = vec![0; self.cluster as usize];
        for cluster in self.chain(first, MAX_DIRECTORY / self.cluster)? {
            let start = self.data + u64::from(cluster - 2) * self.cluster;
            self.volume.read_at(start, &mut bytes)?;
            for raw in bytes.chunks_exact(32) {
                match (raw[0], raw[11]) {
                    (0, _) => return Ok(entries),
                    (0xe5, _) => long.clear(),
                    (order, 0x0f) => {
                        if order & 0x40 != 0 {
                            long.clear();
                        }
                        long.splice(0..0, units(raw));
                        long.truncate(260);
                    }
                    (_, attributes) if attributes & 0x08 != 0 => long.clear(),
                    (_, attributes) => {
                        entries.push(Entry::new(raw, &long, attributes & 0x10 != 0));
                        long.clear();
                    }
                }
            }
        }
        Ok(entries)
    }
}

/// A piece of the allocation table.
#[derive(Default)]
struct Piece {
    start: u64,
    bytes: Vec<u8>,
}

impl Piece {
    fn entry(&mut self, reader: &Reader<'_>, cluster: u32) -> Result<u32, FatReadError> {
        let at = reader.table + u64::from(cluster) * 4;
        let start = at - at % 4096;
        if self.bytes.is_empty() || start != self.start {
            let len = (reader.volume.size() - start).min(4096);
            self.bytes.resize(len as usize, 0);
            reader.volume.read_at(start, &mut self.bytes)?;
            self.start = start;
        }
        let entry = u32_at(&self.bytes, (at - start) as usize);
        entry
            .map(|entry| entry & 0x0fff_ffff)
            .ok_or(FatReadError::Form("its table is cut off"))
    }
}

/// A name in a directory.
struct Entry {
    short: String,
    long: String,
    is_directory: bool,
    cluster: u32,
    len: u32,
}

impl Entry {
    fn new(raw: &[u8], long: &[u16], is_directory: bool) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        let (base, extension) = (text(&raw[..8]), text(&raw[8..11]));
        let half = |at| u16_at(raw, at).map_or(0, u32::from);
        Self {
            short: if extension.is_empty() {
                base
            } else {
                format!("{base}.{extension}")
            },
            long: String::from_utf16_lossy(long),
            is_directory,
            cluster: half(20) << 16 | half(26),
            len: u32_at(raw, 28).unwrap_or_default(),
        }
    }

    fn is_named(&self, name: &str) -> bool {
        [&self.short, &self.long]
            .into_iter()
            .any(|it| it.eq_ignore_ascii_case(name))
    }
}

/// The characters of a long-name entry.
fn units(raw: &[u8]) -> Vec<u16> {
    let fields = raw[1..11]
        .chunks_exact(2)
        .chain(raw[14..26].chunks_exact(2));
    fields
        .chain(raw[28..32].chunks_exact(2))
        .filter_map(|unit| u16_at(unit, 0))
        .take_while(|unit| *unit != 0 && *unit != 0xffff)
        .collect()
}
