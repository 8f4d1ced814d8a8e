//! Writing.

use std::sync::Arc;

use nodeimage_disk::BLOCK;

use super::NAME;
use super::header::{Compression, MAX_L1, Written};
use super::place::Place;
use crate::format::{Codec, Settings};
use crate::pack::{Deflate, Stored, Zstandard};
use crate::{FormatError, Packer, Plan, Sink, Unit, Writer};

const CLUSTER_BITS: u32 = 16;

/// Bytes of a cluster.
pub(super) const CLUSTER: u64 = 1 << CLUSTER_BITS;

/// Clusters of the disk that an L2 table maps: 512 MiB.
const L2_ENTRIES: u64 = CLUSTER / 8;

/// Clusters of the file that a refcount block counts.
const REFCOUNTS: u64 = CLUSTER / 2;

/// An entry's cluster has one reference.
const COPIED: u64 = 1 << 63;

/// An L2 entry's cluster is compressed.
const COMPRESSED: u64 = 1 << 62;

/// Where a compressed cluster's number of sectors begins in its entry.
const SECTORS_SHIFT: u32 = 62 - (CLUSTER_BITS - 8);

/// Begins a file.
pub(super) fn new(plan: &Plan, settings: &Settings) -> Result<Box<dyn Writer>, FormatError> {
    let l1_entries = plan.size.div_ceil(L2_ENTRIES * CLUSTER);
    if l1_entries * 8 > MAX_L1 {
        return Err(FormatError::Limit {
            format: NAME,
            what: "disks of more than 2 PiB do not fit; make it smaller".to_owned(),
        });
    }
    let (packer, compression): (Arc<dyn Packer>, _) = match settings.codec {
        Codec::Stored => (
            Arc::new(Stored::new(CLUSTER as usize)),
            Compression::Deflate,
        ),
        Codec::Zlib => (
            Arc::new(Deflate::new(NAME, CLUSTER as usize, settings.level)?),
            Compression::Deflate,
        ),
        Codec::Zstd => (
            Arc::new(Zstandard::new(NAME, CLUSTER as usize, settings.level)),
            Compression::Zstd,
        ),
    };
    Ok(Box::new(Qcow2 {
        size: plan.size,
        packer,
        compression,
        place: Place::new(1 + (l1_entries * 8).div_ceil(CLUSTER)),
        l1: vec![0; l1_entries as usize],
        l2: vec![0; L2_ENTRIES as usize],
        region: None,
    }))
}

/// A file at work.
struct Qcow2 {
    size: u64,
    packer: Arc<dyn Packer>,
    compression: Compression,
    place: Place,
    l1: Vec<u64>,
    /// The table of `region`.
    l2: Vec<u64>,
    /// The L1 entry that is at work.
    region: Option<u64>,
}

/// Pieces of one block that lie one behind the other in the file, written at once.
#[derive(Default)]
struct Run {
    offset: u64,
    bytes: Vec<u8>,
}

impl Run {
    fn add(&mut self, offset: u64, bytes: &[u8], sink: &mut dyn Sink) -> Result<(), FormatError> {
        if offset != self.offset + self.bytes.len() as u64 {
            self.flush(sink)?;
            self.offset = offset;
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self, sink: &mut dyn Sink) -> Result<(), FormatError> {
        if !self.bytes.is_empty() {
            sink.write_at(self.offset, &self.bytes)?;
        }
        self.bytes.clear();
        Ok(())
    }
}

impl Qcow2 {
    /// Ends the L2 table at work.
    fn close(&mut self, sink: &mut dyn Sink) -> Result<(), FormatError> {
        let Some(region) = self.region.take() else {
            return Ok(());
        };
        let offset = self.place.cluster();
        sink.write_at(offset, &table(&self.l2))?;
        self.l1[region as usize] = offset | COPIED;
        self.l2.fill(0);
        Ok(())
    }

    /// Refcount blocks and their table; returns the table's offset and clusters.
    fn write_refcounts(&self, sink: &mut dyn Sink) -> Result<(u64, u32), FormatError> {
        let used = self.place.refcounts().len() as u64;
        let (mut blocks, mut tables) = (1, 1);
        // They count themselves.
        while blocks * REFCOUNTS < used + blocks + tables || tables * L2_ENTRIES < blocks {
            blocks = (used + blocks + tables).div_ceil(REFCOUNTS);
            tables = blocks.div_ceil(L2_ENTRIES);
        }
        let mut counts = self.place.refcounts().to_vec();
        counts.resize((used + blocks + tables) as usize, 1);
        let mut offsets = Vec::new();
        let mut at = used * CLUSTER;
        for counts in counts.chunks(REFCOUNTS as usize) {
            let mut bytes: Vec<u8> = counts.iter().flat_map(|it| it.to_be_bytes()).collect();
            bytes.resize(CLUSTER as usize, 0);
            sink.write_at(at, &bytes)?;
            offsets.push(at);
            at += CLUSTER;
        }
        sink.write_at(at, &table(&offsets))?;
        sink.set_len(at + tables * CLUSTER)?;
        Ok((at, tables as u32))
    }
}

fn table(entries: &[u64]) -> Vec<u8> {
    entries.iter().flat_map(|it| it.to_be_bytes()).collect()
}

impl Writer for Qcow2 {
    fn packer(&self) -> Option<Arc<dyn Packer>> {
        Some(Arc::clone(&self.packer))
    }

    fn is_streamable(&self) -> bool {
        false
    }

    fn block(
        &mut self,
        block: u64,
        bytes: &[u8],
        units: &[Unit],
        sink: &mut dyn Sink,
    ) -> Result<(), FormatError> {
        let first = block * (BLOCK / CLUSTER);
        let region = first / L2_ENTRIES;
        if self.region != Some(region) {
            self.close(sink)?;
            self.region = Some(region);
        }
        let mut run = Run::default();
        for ((index, unit), plain) in units.iter().enumerate().zip(bytes.chunks(CLUSTER as usize)) {
            let entry = match unit {
                Unit::Zero => continue,
                Unit::Plain => {
                    let offset = self.place.cluster();
                    run.add(offset, plain, sink)?;
                    offset | COPIED
                }
                Unit::Packed(packed) => {
                    let len = packed.len() as u64;
                    let offset = self.place.bytes(len);
                    run.add(offset, packed, sink)?;
                    let more_sectors = (offset % 512 + len - 1) / 512;
                    offset | more_sectors << SECTORS_SHIFT | COMPRESSED
                }
            };
            self.l2[((first + index as u64) % L2_ENTRIES) as usize] = entry;
        }
        run.flush(sink)
    }

    fn finish(&mut self, sink: &mut dyn Sink) -> Result<(), FormatError> {
        self.close(sink)?;
        let (refcount_table_offset, refcount_table_clusters) = self.write_refcounts(sink)?;
        let header = Written {
            size: self.size,
            l1_entries: self.l1.len() as u32,
            l1_offset: CLUSTER,
            refcount_table_offset,
            refcount_table_clusters,
            compression: self.compression,
        };
        sink.write_at(0, &header.to_bytes(CLUSTER_BITS))?;
        sink.write_at(CLUSTER, &table(&self.l1))
    }
}
