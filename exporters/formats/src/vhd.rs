//! VHD 1.0, by Microsoft's "Virtual Hard Disk Image Format Specification".
//!
//! Fixed: the disk, then a footer. Dynamic: a copy of the footer, a header, the block allocation
//! table, then blocks of 2 MiB by ascending number with a sector bitmap each, and the footer.

mod dynamic;
mod fixed;
mod footer;
mod header;
mod reader;
#[cfg(test)]
mod tests;

use crate::FormatError;
use crate::format::{Choice, Format, Reader};

const NAME: &str = "vhd";

/// Largest disk: what QEMU takes, 2040 GiB.
const MAX_SIZE: u64 = 2040 << 30;

/// The fixed format, which Azure takes.
pub(crate) const FIXED: Format = Format {
    name: NAME,
    kind: NAME,
    about: "Azure, Hyper-V; fixed, whole MiB",
    ending: ".vhd",
    choices: &[Choice::STORED],
    writer: fixed::new,
    reader: Some(Reader {
        probe: |edges| footer::is_one(edges.head) || footer::ends_with_one(edges.tail),
        open: reader::open,
    }),
};

/// The dynamic format.
pub(crate) const DYNAMIC: Format = Format {
    name: "dynamic-vhd",
    about: "Hyper-V, VirtualBox; as long as its data",
    writer: dynamic::new,
    reader: None,
    ..FIXED
};

fn check_size(size: u64) -> Result<(), FormatError> {
    if size > MAX_SIZE {
        return Err(FormatError::Limit {
            format: NAME,
            what: "disks of more than 2040 GiB do not fit; make it smaller or take vhdx".to_owned(),
        });
    }
    Ok(())
}
