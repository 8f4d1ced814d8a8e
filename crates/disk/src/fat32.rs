//! A FAT32 file system in closed form (Microsoft's FAT specification 1.03).
//!
//! Nothing is formatted and then filled: the place of every byte follows from the list of files.
//! 4 KiB clusters; the data area begins [`DATA_OFFSET`] bytes into the partition whatever its size
//! (the reserved sectors take up the rest); directories come first, in the order of their first
//! mention, then, from a 512 KiB boundary on, the files: where the caller wants each piece of them,
//! or contiguous and in the order of the list. Dates are 1980-01-01.
//!
//! Fewer than 65,525 clusters would make firmware read it as FAT16, so it comes in sizes from
//! 264 MiB on.

mod directory;
mod geometry;
mod names;
mod read;
#[cfg(test)]
mod tests;
mod tree;

use crate::bytes::put;
use crate::{BLOCK, ExtentError, Extents, SECTOR};

pub use read::{FatReadError, open};

use geometry::Geometry;
use tree::Tree;

/// Sizes of a file system in bytes.
pub const SIZES: [u64; 4] = [264 << 20, 512 << 20, 1000 << 20, 2 << 30];

/// First byte of the data area, from the partition's start.
pub const DATA_OFFSET: u64 = 9 * BLOCK;

/// Bytes of a cluster: pieces of files begin on one.
pub const CLUSTER: u64 = 4096;

/// Most files in one file system.
pub const MAX_FILES: usize = 1024;

/// The allocation table is written in pieces of so many bytes.
const TABLE_PIECE: usize = 4096;

/// The clusters of one 512 KiB block.
const BLOCK_CLUSTERS: u64 = BLOCK / CLUSTER;

/// The first cluster of the data area.
const FIRST_CLUSTER: u64 = 2;

const END_OF_CHAIN: u32 = 0x0fff_ffff;

/// A file to put into the file system.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// Its path: names with `/` between them.
    pub path: &'a str,
    /// Its content.
    pub content: &'a Extents,
    /// Where it lies, piece by piece; none: behind all other files, contiguous.
    pub runs: &'a [Run],
}

/// A piece of a file and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// First byte from the partition's start: a cluster's, behind the directories.
    pub offset: u64,
    /// Length in bytes: whole clusters, but for the file's last piece.
    pub len: u64,
}

/// What the file system is called and where it lies.
#[derive(Clone, Debug)]
pub struct Volume {
    /// Its size in bytes, one of [`SIZES`].
    pub size: u64,
    /// Its serial number.
    pub serial: u32,
    /// Its label, space-padded: `A`–`Z`, `0`–`9`, `_` and `-`.
    pub label: [u8; 11],
    /// The partition's first sector.
    pub start_lba: u32,
}

/// A file system that has been laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSystem {
    /// The whole partition.
    pub image: Extents,
    /// Where each file's pieces lie, in the order of the list.
    pub runs: Vec<Vec<Run>>,
}

/// Why a file system can't be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fat32Error {
    /// More content than the largest size holds.
    #[error(
        "FAT32: the files need {need} bytes and the file system holds at most {limit}; \
         make the image smaller"
    )]
    Full {
        /// Bytes needed in the data area.
        need: u64,
        /// Bytes that it has.
        limit: u64,
    },
    /// Not one of [`SIZES`].
    #[error("FAT32: a size of {0} bytes; use 264 MiB, 512 MiB, 1000 MiB or 2 GiB")]
    Size(u64),
    /// A label that FAT can't hold.
    #[error("FAT32: the label {0:?}; use A to Z, 0 to 9, '_' and '-', padded by spaces")]
    Label(String),
    /// A path that FAT can't hold.
    #[error("FAT32: the path {path:?}: {reason}; rename it")]
    Path {
        /// The path.
        path: String,
        /// The rule that it breaks.
        reason: &'static str,
    },
    /// Too many files.
    #[error("FAT32: {0} files; at most {MAX_FILES} are supported, use fewer")]
    TooManyFiles(usize),
    /// A content is as long as FAT can't express.
    #[error("FAT32: {path:?} has {len} bytes; a file must be below 4 GiB")]
    FileTooLarge {
        /// The file's path.
        path: String,
        /// Its length in bytes.
        len: u64,
    },
    /// Pieces that aren't whole clusters or don't make up the file.
    #[error("FAT32: {path:?}: its pieces are not whole clusters that make up the file")]
    Runs {
        /// The file's path.
        path: String,
    },
    /// Two things at one place: a fault of the caller.
    #[error("FAT32: {0}")]
    Place(#[from] ExtentError),
}

/// Lays out a file system that holds these files.
pub fn build(volume: &Volume, files: &[File<'_>]) -> Result<FileSystem, Fat32Error> {
    if !SIZES.contains(&volume.size) {
        return Err(Fat32Error::Size(volume.size));
    }
    let printable = |byte: &u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b' ');
    if volume.label[0] == b' ' || !volume.label.iter().all(printable) {
        return Err(Fat32Error::Label(
            String::from_utf8_lossy(&volume.label).into_owned(),
        ));
    }
    let geometry = Geometry::new(volume.size);
    let plan = Plan::new(files)?;
    if plan.end_cluster > geometry.end_cluster() {
        return Err(full(plan.end_cluster, volume.size));
    }

    let mut image = Extents::new(volume.size);
    let boot = geometry.boot_sector(volume);
    let free = geometry.end_cluster() - FIRST_CLUSTER - plan.used();
    let info = geometry::info_sector(free, plan.end_cluster, geometry.end_cluster());
    let mut head = boot;
    head.extend_from_slice(&info);
    head.extend_from_slice(&geometry::third_sector());
    // The backup's place is fixed by the boot sector.
    image.push_bytes(geometry::BACKUP_SECTOR * SECTOR, head.clone())?;
    image.push_bytes(0, head)?;

    let table = plan.table();
    for copy in geometry.tables() {
        // Piece by piece: those of free clusters are zero and leave gaps.
        for (offset, piece) in (copy..).step_by(TABLE_PIECE).zip(table.chunks(TABLE_PIECE)) {
            image.push_bytes(offset, piece)?;
        }
    }
    for (index, clusters) in plan.directories.iter().enumerate() {
        let bytes = directory::encode(&plan, index, &volume.label);
        image.push_bytes(clusters.offset(), bytes)?;
    }
    let mut runs = Vec::with_capacity(files.len());
    for (file, chains) in files.iter().zip(&plan.files) {
        runs.push(place_file(&mut image, file.content, chains)?);
    }
    Ok(FileSystem { image, runs })
}

/// Puts a file's content into its clusters.
fn place_file(
    image: &mut Extents,
    content: &Extents,
    chains: &[Chain],
) -> Result<Vec<Run>, Fat32Error> {
    let mut runs = Vec::with_capacity(chains.len());
    let mut at = 0;
    for chain in chains {
        let len = (chain.count * CLUSTER).min(content.size() - at);
        let offset = chain.offset();
        image.place(offset, &content.slice(at..at + len)?)?;
        runs.push(Run { offset, len });
        at += len;
    }
    Ok(runs)
}

fn full(end_cluster: u64, size: u64) -> Fat32Error {
    Fat32Error::Full {
        need: (end_cluster - FIRST_CLUSTER) * CLUSTER,
        limit: (Geometry::new(size).end_cluster() - FIRST_CLUSTER) * CLUSTER,
    }
}

/// A contiguous chain of clusters.
#[derive(Clone, Copy, Debug)]
struct Chain {
    first: u64,
    count: u64,
}

impl Chain {
    fn end(self) -> u64 {
        self.first + self.count
    }

    /// First byte from the partition's start.
    fn offset(self) -> u64 {
        DATA_OFFSET + (self.first - FIRST_CLUSTER) * CLUSTER
    }

    /// The cluster that an entry names: none for an empty file.
    fn start(self) -> u32 {
        // Fits: a file system has fewer than 2^20 clusters.
        if self.count == 0 {
            0
        } else {
            self.first as u32
        }
    }
}

/// Which clusters everything gets.
struct Plan {
    tree: Tree,
    directories: Vec<Chain>,
    /// Each file's pieces, in the order of its bytes.
    files: Vec<Vec<Chain>>,
    lens: Vec<u32>,
    end_cluster: u64,
}

impl Plan {
    fn new(files: &[File<'_>]) -> Result<Self, Fat32Error> {
        let tree = Tree::new(files)?;
        let mut next = FIRST_CLUSTER;
        let mut take = |count: u64| {
            let chain = Chain { first: next, count };
            next = next.saturating_add(count);
            chain
        };
        let directories: Vec<_> = (0..tree.directories.len())
            .map(|index| take(directory::len(&tree, index).div_ceil(CLUSTER).max(1)))
            .collect();
        let used = directories.iter().map(|it| it.count).sum::<u64>();
        take(used.next_multiple_of(BLOCK_CLUSTERS) - used);
        let mut placed = files.iter().map(fixed).collect::<Result<Vec<_>, _>>()?;
        let fixed_end = placed.iter().flatten().map(|it| it.end()).max();
        next = next.max(fixed_end.unwrap_or_default());
        for (file, chains) in files.iter().zip(&mut placed) {
            let count = file.content.size().div_ceil(CLUSTER);
            if count > 0 && chains.is_empty() {
                chains.push(Chain { first: next, count });
                next = next.saturating_add(count);
            }
        }
        // The gap in front of the first file isn't used when there is no file.
        let ends = placed.iter().flatten().chain(directories.last());
        let end_cluster = ends.map(|it| it.end()).max().unwrap_or(FIRST_CLUSTER);
        let lens = files.iter().map(file_len).collect::<Result<_, _>>()?;
        Ok(Self {
            tree,
            directories,
            files: placed,
            lens,
            end_cluster,
        })
    }

    /// Clusters that are not free.
    fn used(&self) -> u64 {
        let chains = self.directories.iter().chain(self.files.iter().flatten());
        chains.map(|it| it.count).sum()
    }

    /// The cluster that a file's entry names: none for an empty file.
    fn start_of(&self, file: usize) -> u32 {
        let first = self.files.get(file).and_then(|chains| chains.first());
        first.map_or(0, |chain| chain.start())
    }

    /// The file allocation table, up to its last cluster in use.
    fn table(&self) -> Vec<u8> {
        let mut table = vec![0; self.end_cluster as usize * 4];
        put(&mut table, 0, &0x0fff_fff8_u32.to_le_bytes());
        put(&mut table, 4, &END_OF_CHAIN.to_le_bytes());
        let directories = self.directories.iter().map(std::slice::from_ref);
        for chains in directories.chain(self.files.iter().map(Vec::as_slice)) {
            let mut clusters = chains.iter().flat_map(|it| it.first..it.end()).peekable();
            while let Some(cluster) = clusters.next() {
                let next = clusters.peek().map_or(END_OF_CHAIN, |it| *it as u32);
                put(&mut table, cluster as usize * 4, &next.to_le_bytes());
            }
        }
        table
    }
}

/// The clusters of a file whose pieces have a place.
fn fixed(file: &File<'_>) -> Result<Vec<Chain>, Fat32Error> {
    let fail = || Fat32Error::Runs {
        path: file.path.to_owned(),
    };
    let mut chains = Vec::with_capacity(file.runs.len());
    let mut left = file.content.size();
    for run in file.runs {
        let in_data = run.offset.checked_sub(DATA_OFFSET).ok_or_else(fail)?;
        left = left.checked_sub(run.len).ok_or_else(fail)?;
        let whole = run.len.is_multiple_of(CLUSTER) || left == 0;
        if run.len == 0 || !whole || !in_data.is_multiple_of(CLUSTER) {
            return Err(fail());
        }
        chains.push(Chain {
            first: in_data / CLUSTER + FIRST_CLUSTER,
            count: run.len.div_ceil(CLUSTER),
        });
    }
    if left == 0 || chains.is_empty() {
        Ok(chains)
    } else {
        Err(fail())
    }
}

fn file_len(file: &File<'_>) -> Result<u32, Fat32Error> {
    let len = file.content.size();
    u32::try_from(len).map_err(|_| Fat32Error::FileTooLarge {
        path: file.path.to_owned(),
        len,
    })
}
