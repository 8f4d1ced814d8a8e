//! Reading: the active state of the disk. Internal snapshots are left out, refcounts are not needed.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use nodeimage_disk::SECTOR;

use super::NAME;
use super::chain::open_backing;
use super::header::{Compression, Header};
use super::inflate::Inflater;
use crate::pool::Pool;
use crate::{Disk, FormatError, Input, OpenOptions, Opened};

/// An L1 or L2 entry's offset.
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
/// An L2 entry's cluster is compressed.
const COMPRESSED: u64 = 1 << 62;
/// An L2 entry's cluster is zero.
const ZERO: u64 = 1;

/// Bytes of L2 tables that are kept, two tables at least.
const CACHE: usize = 8 << 20;

/// Where a cluster's content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cluster {
    /// In the backing file; zero without one.
    Below,
    Zero,
    /// At this offset of the file.
    Plain(u64),
    /// In these bytes of the file.
    Packed {
        offset: u64,
        len: u64,
    },
}

/// An L2 table.
#[derive(Debug)]
struct Table {
    offset: u64,
    entries: Vec<u64>,
}

struct Qcow2Disk {
    input: Input,
    header: Header,
    l1: Vec<u64>,
    tables: Mutex<VecDeque<Arc<Table>>>,
    inflaters: Pool<Inflater>,
    below: Option<Box<dyn Disk + Send>>,
}

/// Opens a file.
pub(super) fn open(input: Input, options: &OpenOptions) -> Result<Opened, FormatError> {
    let header = Header::read(&input)?;
    let l1 = read_l1(&input, &header)?;
    let below = match &header.backing {
        Some((name, format)) => Some(open_backing(&input, name, format.as_deref(), options)?),
        None => None,
    };
    let facts = facts(&header);
    let disk = Qcow2Disk {
        input,
        header,
        l1,
        tables: Mutex::default(),
        inflaters: Pool::new(),
        below,
    };
    Ok(Opened {
        kind: NAME,
        disk: Box::new(disk),
        facts,
    })
}

fn facts(header: &Header) -> Vec<(&'static str, String)> {
    let compression = match header.compression {
        Compression::Deflate => "zlib",
        Compression::Zstd => "zstd",
    };
    let mut facts = vec![
        ("version", header.version.to_string()),
        ("cluster size", (1_u64 << header.cluster_bits).to_string()),
        ("compression", compression.to_owned()),
    ];
    if let Some((name, _)) = &header.backing {
        facts.push(("backing file", name.clone()));
    }
    if header.snapshots > 0 {
        facts.push(("snapshots", format!("{}, not read", header.snapshots)));
    }
    facts
}

/// The L1 table: its L2 tables are whole clusters of the file, and each is used once.
fn read_l1(input: &Input, header: &Header) -> Result<Vec<u64>, FormatError> {
    // 32 MiB at most, and the file has them.
    let len = header.l1_needed() * 8;
    if header
        .l1_offset
        .checked_add(len)
        .is_none_or(|end| end > input.len())
    {
        let what = format!("the L1 table's {len} bytes go beyond the file's end");
        return Err(damaged(header.l1_offset, what));
    }
    let mut bytes = vec![0; len as usize];
    input.read_at(NAME, header.l1_offset, &mut bytes)?;
    let l1: Vec<u64> = entries(&bytes).map(|entry| entry & OFFSET).collect();
    let cluster = 1 << header.cluster_bits;
    for (at, offset) in l1.iter().enumerate().filter(|(_, offset)| **offset != 0) {
        let entry = header.l1_offset + at as u64 * 8;
        if !header.is_aligned(*offset) {
            let what = format!("L1 entry {at} leads to {offset:#x}, where no cluster begins");
            return Err(damaged(entry, what));
        }
        if *offset > input.len() - cluster.min(input.len()) {
            let what = format!("L1 entry {at} leads to {offset:#x}, beyond the file's end");
            return Err(damaged(entry, what));
        }
    }
    let mut sorted: Vec<u64> = l1.iter().copied().filter(|it| *it != 0).collect();
    sorted.sort_unstable();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        let what = format!("two L1 entries lead to the L2 table at {:#x}", pair[0]);
        return Err(damaged(header.l1_offset, what));
    }
    Ok(l1)
}

fn entries(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.chunks_exact(8).map(|entry| {
        let mut value = [0; 8];
        value.copy_from_slice(entry);
        u64::from_be_bytes(value)
    })
}

fn damaged(offset: u64, what: String) -> FormatError {
    FormatError::Damaged {
        format: NAME,
        offset,
        what,
    }
}

impl Qcow2Disk {
    fn cluster_len(&self) -> u64 {
        1 << self.header.cluster_bits
    }

    /// The L2 table for an offset of the disk.
    fn table(&self, at: u64) -> Result<Option<Arc<Table>>, FormatError> {
        let offset = self.l1[(at >> self.header.l2_span_bits()) as usize];
        if offset == 0 {
            return Ok(None);
        }
        let lock = || self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(table) = lock().iter().find(|table| table.offset == offset) {
            return Ok(Some(Arc::clone(table)));
        }
        let mut bytes = vec![0; self.cluster_len() as usize];
        self.input.read_at(NAME, offset, &mut bytes)?;
        let table = Arc::new(Table {
            offset,
            entries: entries(&bytes).collect(),
        });
        let mut tables = lock();
        if tables.len() >= (CACHE / bytes.len()).max(2) {
            tables.pop_front();
        }
        tables.push_back(Arc::clone(&table));
        Ok(Some(table))
    }

    /// What the table says of the cluster at an offset of the disk.
    fn entry(&self, table: &Table, at: u64) -> Result<Cluster, FormatError> {
        let bits = self.header.cluster_bits;
        let index = (at >> bits) as usize & (table.entries.len() - 1);
        let entry = table.entries[index];
        let wrong = |what: String| {
            let what = format!("the L2 entry for the disk's byte {at} {what}");
            damaged(table.offset + index as u64 * 8, what)
        };
        if entry & COMPRESSED != 0 {
            let shift = 62 - (bits - 8);
            let offset = entry & ((1 << shift) - 1);
            let more_sectors = (entry & (COMPRESSED - 1)) >> shift;
            if offset == 0 || offset >= self.input.len() {
                return Err(wrong(format!("leads to {offset:#x}, outside the file")));
            }
            // The file may end before the last sector does.
            let end = (offset / SECTOR + more_sectors + 1) * SECTOR;
            let len = end.min(self.input.len()) - offset;
            return Ok(Cluster::Packed { offset, len });
        }
        let offset = entry & OFFSET;
        if entry & ZERO != 0 {
            if self.header.version < 3 {
                return Err(wrong("has the zero flag, which version 2 lacks".to_owned()));
            }
            return Ok(Cluster::Zero);
        }
        if offset == 0 {
            return Ok(Cluster::Below);
        }
        if !self.header.is_aligned(offset) {
            return Err(wrong(format!(
                "leads to {offset:#x}, where no cluster begins"
            )));
        }
        if offset >= self.input.len() {
            return Err(wrong(format!("leads to {offset:#x}, outside the file")));
        }
        Ok(Cluster::Plain(offset))
    }

    fn cluster(&self, at: u64) -> Result<Cluster, FormatError> {
        match self.table(at)? {
            Some(table) => self.entry(&table, at),
            None => Ok(Cluster::Below),
        }
    }

    /// Where the cluster ends that an offset of the disk is in.
    fn cluster_end(&self, at: u64) -> u64 {
        (at | (self.cluster_len() - 1)) + 1
    }

    /// Data of the backing file in a range.
    fn data_below(&self, range: Range<u64>) -> Result<Option<Range<u64>>, FormatError> {
        let Some(below) = &self.below else {
            return Ok(None);
        };
        let found = below.next_data(range.start)?;
        let found = found.filter(|found| found.start < range.end);
        Ok(found.map(|found| found.start.max(range.start)..found.end.min(range.end)))
    }

    /// Data in the range of one L2 table.
    fn data_in(&self, table: &Table, range: Range<u64>) -> Result<Option<Range<u64>>, FormatError> {
        let mut at = range.start;
        while at < range.end {
            let is_data = |it: Cluster| matches!(it, Cluster::Plain(_) | Cluster::Packed { .. });
            let first = self.entry(table, at)?;
            let mut end = self.cluster_end(at);
            while end < range.end {
                let next = self.entry(table, end)?;
                if next != first && !(is_data(next) && is_data(first)) {
                    break;
                }
                end = self.cluster_end(end);
            }
            let run = at..end.min(range.end);
            let found = match first {
                Cluster::Zero => None,
                Cluster::Below => self.data_below(run)?,
                Cluster::Plain(_) | Cluster::Packed { .. } => Some(run),
            };
            if found.is_some() {
                return Ok(found);
            }
            at = end;
        }
        Ok(None)
    }

    fn read_below(&self, at: u64, buffer: &mut [u8]) -> Result<(), FormatError> {
        let size = self.below.as_ref().map_or(0, |below| below.size());
        let there = size.saturating_sub(at).min(buffer.len() as u64);
        let (inside, behind) = buffer.split_at_mut(there as usize);
        behind.fill(0);
        match &self.below {
            Some(below) if !inside.is_empty() => below.read_at(at, inside),
            _ => Ok(()),
        }
    }

    /// Plain bytes; the file may end before its last cluster does.
    fn read_plain(&self, offset: u64, buffer: &mut [u8]) -> Result<(), FormatError> {
        let there = self.input.len().saturating_sub(offset);
        let there = there.min(buffer.len() as u64) as usize;
        let (inside, behind) = buffer.split_at_mut(there);
        behind.fill(0);
        self.input
            .read_at(NAME, offset.min(self.input.len()), inside)
    }

    fn read_packed(
        &self,
        packed: Range<u64>,
        skip: usize,
        buffer: &mut [u8],
    ) -> Result<(), FormatError> {
        // Two clusters at most: the entry has no more room for the number of sectors.
        let mut bytes = vec![0; (packed.end - packed.start) as usize];
        self.input.read_at(NAME, packed.start, &mut bytes)?;
        let whole = self.cluster_len() as usize;
        let inflate = |inflater: &mut Inflater| {
            if skip == 0 && buffer.len() == whole {
                return inflater.inflate(&bytes, buffer);
            }
            let mut cluster = vec![0; whole];
            inflater.inflate(&bytes, &mut cluster)?;
            buffer.copy_from_slice(&cluster[skip..skip + buffer.len()]);
            Ok(())
        };
        self.inflaters
            .with(|| Inflater::new(self.header.compression), inflate)
            .map_err(|what| damaged(packed.start, format!("a compressed cluster: {what}")))
    }
}

impl Disk for Qcow2Disk {
    fn size(&self) -> u64 {
        // 2^62 at most.
        self.header.size.next_multiple_of(SECTOR)
    }

    fn next_data(&self, from: u64) -> Result<Option<Range<u64>>, FormatError> {
        let mut at = from;
        let size = self.header.size;
        let span = 1 << self.header.l2_span_bits();
        while at < size {
            let end = ((at | (span - 1)) + 1).min(size);
            let found = match self.table(at)? {
                Some(table) => self.data_in(&table, at..end)?,
                None => self.data_below(at..end)?,
            };
            if found.is_some() {
                return Ok(found);
            }
            at = end;
        }
        Ok(None)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), FormatError> {
        let there = self.header.size.saturating_sub(offset);
        let there = there.min(buffer.len() as u64) as usize;
        let (mut rest, behind) = buffer.split_at_mut(there);
        behind.fill(0);
        let mut at = offset;
        while !rest.is_empty() {
            let cluster = self.cluster(at)?;
            let skip = at & (self.cluster_len() - 1);
            let mut end = self.cluster_end(at);
            if let Cluster::Plain(host) = cluster {
                // Those that follow in the file too are read with it.
                let start = end - self.cluster_len();
                while end - at < rest.len() as u64
                    && self.cluster(end)? == Cluster::Plain(host + (end - start))
                {
                    end = self.cluster_end(end);
                }
            }
            let len = (end - at).min(rest.len() as u64) as usize;
            let (now, later) = rest.split_at_mut(len);
            match cluster {
                Cluster::Zero => now.fill(0),
                Cluster::Below => self.read_below(at, now)?,
                Cluster::Plain(host) => self.read_plain(host + skip, now)?,
                Cluster::Packed { offset, len } => {
                    self.read_packed(offset..offset + len, skip as usize, now)?;
                }
            }
            at += len as u64;
            rest = later;
        }
        Ok(())
    }
}
