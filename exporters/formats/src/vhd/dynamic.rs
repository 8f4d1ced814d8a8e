//! Writing dynamic disks.

use nodeimage_disk::gpt::guid_from;
use nodeimage_disk::{BLOCK, SECTOR};

use super::footer::{self, Footer, Kind};
use super::header::{self, Header};
use super::{check_size, reader};
use crate::format::Settings;
use crate::{FormatError, Plan, Sink, Unit, Writer};

/// Bytes of a block: the specification's default, and the only ones that all programs read.
const VHD_BLOCK: u64 = 2 << 20;

/// Where the block allocation table is.
const TABLE: u64 = footer::LEN + header::LEN;

/// Begins a file.
pub(super) fn new(plan: &Plan, _: &Settings) -> Result<Box<dyn Writer>, FormatError> {
    check_size(plan.size)?;
    // About a million at most.
    let entries = plan.size.div_ceil(VHD_BLOCK);
    Ok(Box::new(Dynamic {
        footer: Footer {
            kind: Kind::Dynamic,
            size: plan.size,
            header_offset: footer::LEN,
            uuid: guid_from(&plan.seed, "vhd dynamic").to_disk(),
        },
        header: Header {
            table_offset: TABLE,
            entries: entries as u32,
            block: VHD_BLOCK as u32,
        },
        table: vec![reader::UNUSED; entries as usize],
        end: (TABLE + entries * 4).next_multiple_of(SECTOR),
    }))
}

/// A file at work.
struct Dynamic {
    footer: Footer,
    header: Header,
    /// The sector of each block's bitmap.
    table: Vec<u32>,
    /// Where the blocks that have a place end.
    end: u64,
}

impl Writer for Dynamic {
    fn is_streamable(&self) -> bool {
        false
    }

    fn block(
        &mut self,
        block: u64,
        bytes: &[u8],
        _: &[Unit],
        sink: &mut dyn Sink,
    ) -> Result<(), FormatError> {
        let offset = block * BLOCK;
        let bitmap = self.header.bitmap();
        let entry = &mut self.table[(offset / VHD_BLOCK) as usize];
        if *entry == reader::UNUSED {
            // All sectors count: those that are zero are zeros in the file.
            sink.write_at(self.end, &vec![0xff; bitmap as usize])?;
            *entry = (self.end / SECTOR) as u32;
            self.end += bitmap + VHD_BLOCK;
        }
        let start = u64::from(*entry) * SECTOR + bitmap;
        sink.write_at(start + offset % VHD_BLOCK, bytes)
    }

    fn finish(&mut self, sink: &mut dyn Sink) -> Result<(), FormatError> {
        let footer = self.footer.to_bytes();
        let mut front = footer.clone();
        front.extend(self.header.to_bytes());
        front.extend(self.table.iter().flat_map(|entry| entry.to_be_bytes()));
        // The rest of the last sector has entries of no block.
        front.resize(front.len().next_multiple_of(SECTOR as usize), 0xff);
        sink.write_at(0, &front)?;
        sink.write_at(self.end, &footer)
    }
}
