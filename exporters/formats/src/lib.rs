//! Disk formats: a disk to the bytes of files, in one pass and in bounded memory, and back.
//!
//! Every block of a canonical disk is hashed again and compared with the block map on its way, so a
//! file of the store that was damaged ends in an error that names it, never in an image.

mod aside;
mod canonical;
mod driver;
mod error;
mod format;
mod formats;
mod gcp;
mod input;
mod open;
pub mod pack;
mod pipeline;
mod plan;
mod pool;
mod progress;
mod qcow2;
pub mod raw;
mod sink;
mod source;
#[cfg(test)]
mod tests;
mod vdi;
mod verify;
mod vhd;
mod writer;
mod zero;

pub use aside::{Aside, AsideError};
pub use canonical::Canonical;
pub use driver::{Target, WriteOptions, Written, write_files, write_stream};
pub use error::FormatError;
pub use format::{Choice, Codec, Edges, Format, Reader, Settings};
pub use formats::FORMATS;
pub use input::Input;
pub use open::{OpenOptions, Opened, detect, open, open_input};
pub use plan::{block_map_of, seed_of};
pub use progress::Progress;
pub use source::{Disk, data_blocks};
pub use writer::{Packer, Plan, Sink, Unit, WINDOW, Writer};
