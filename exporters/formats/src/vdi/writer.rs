//! Writing.

use nodeimage_disk::BLOCK;
use nodeimage_disk::gpt::guid_from;

use super::NAME;
use super::header::{Header, LEN};
use crate::format::Settings;
use crate::{FormatError, Plan, Sink, Unit, Writer};

/// Bytes of a block: what VirtualBox makes, and the only ones that QEMU reads.
const VDI_BLOCK: u64 = 1 << 20;

/// Most blocks: more would make a map of more than 64 MiB.
const MAX_BLOCKS: u64 = 1 << 24;

/// An entry of the map whose block is zero.
pub(super) const UNALLOCATED: u32 = u32::MAX;

/// Data begin at a multiple of this.
const ALIGN: u64 = 4096;

/// Begins a file.
pub(super) fn new(plan: &Plan, _: &Settings) -> Result<Box<dyn Writer>, FormatError> {
    let blocks = plan.size.div_ceil(VDI_BLOCK);
    if blocks > MAX_BLOCKS {
        return Err(FormatError::Limit {
            format: NAME,
            what: "disks of more than 16 TiB do not fit; make it smaller".to_owned(),
        });
    }
    Ok(Box::new(Vdi {
        header: Header {
            map_offset: LEN,
            data_offset: (LEN + blocks * 4).next_multiple_of(ALIGN),
            size: plan.size,
            block: VDI_BLOCK,
            blocks: blocks as u32,
            allocated: 0,
            is_static: false,
            image_uuid: guid_from(&plan.seed, "vdi image").to_disk(),
            snapshot_uuid: guid_from(&plan.seed, "vdi snapshot").to_disk(),
        },
        map: vec![UNALLOCATED; blocks as usize],
    }))
}

/// A file at work.
struct Vdi {
    header: Header,
    map: Vec<u32>,
}

impl Writer for Vdi {
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
        let entry = &mut self.map[(offset / VDI_BLOCK) as usize];
        if *entry == UNALLOCATED {
            *entry = self.header.allocated;
            self.header.allocated += 1;
        }
        let start = self.header.data_offset + u64::from(*entry) * VDI_BLOCK;
        sink.write_at(start + offset % VDI_BLOCK, bytes)
    }

    fn finish(&mut self, sink: &mut dyn Sink) -> Result<(), FormatError> {
        let mut front = self.header.to_bytes();
        front.extend(self.map.iter().flat_map(|entry| entry.to_le_bytes()));
        sink.write_at(0, &front)?;
        sink.set_len(self.header.data_offset + u64::from(self.header.allocated) * VDI_BLOCK)
    }
}
