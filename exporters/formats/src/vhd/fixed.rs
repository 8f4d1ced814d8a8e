//! Writing fixed disks.

use nodeimage_disk::BLOCK;
use nodeimage_disk::gpt::guid_from;

use super::check_size;
use super::footer::{Footer, Kind, LEN};
use crate::format::Settings;
use crate::{FormatError, Plan, Sink, Unit, Writer};

/// Azure takes whole MiB only.
const ALIGN: u64 = 1 << 20;

/// Begins a file.
pub(super) fn new(plan: &Plan, _: &Settings) -> Result<Box<dyn Writer>, FormatError> {
    check_size(plan.size)?;
    Ok(Box::new(Fixed {
        footer: Footer {
            kind: Kind::Fixed,
            size: plan.size.next_multiple_of(ALIGN),
            header_offset: u64::MAX,
            uuid: guid_from(&plan.seed, "vhd fixed").to_disk(),
        },
    }))
}

/// A file at work.
struct Fixed {
    footer: Footer,
}

impl Writer for Fixed {
    fn is_streamable(&self) -> bool {
        true
    }

    fn begin(&mut self, sink: &mut dyn Sink) -> Result<(), FormatError> {
        sink.set_len(self.footer.size + LEN)
    }

    fn block(
        &mut self,
        block: u64,
        bytes: &[u8],
        _: &[Unit],
        sink: &mut dyn Sink,
    ) -> Result<(), FormatError> {
        sink.write_at(block * BLOCK, bytes)
    }

    fn finish(&mut self, sink: &mut dyn Sink) -> Result<(), FormatError> {
        sink.write_at(self.footer.size, &self.footer.to_bytes())
    }
}
