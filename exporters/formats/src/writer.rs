//! What a disk is written through: one [`Writer`] per file, fed with every block once.

use std::sync::Arc;

use crate::FormatError;

/// A part of a block, as a [`Packer`] leaves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    /// All zero.
    Zero,
    /// To be stored as it is.
    Plain,
    /// Packed: shorter than it was, or in a form of the format's own.
    Packed(Vec<u8>),
}

/// What a format does to a block on any thread: compressing, mostly. Pure: the same bytes give the
/// same units.
pub trait Packer: Send + Sync {
    /// The units of a block, in order. The last one may be shorter than the others.
    ///
    /// # Errors
    /// The codec's.
    fn pack(&self, block: u64, bytes: &[u8]) -> Result<Vec<Unit>, FormatError>;

    /// Packers that say the same give the same units of the same bytes: when several files of one
    /// call ask for them, the work is done once. None: not shared.
    fn shared_as(&self) -> Option<String> {
        None
    }
}

/// Where a writer's bytes go: a file, or a stream.
///
/// A writer may go back (to write a table in front that is complete only in the end). On a stream
/// such a writer runs twice: the first run finds out what is written late, the second puts it in its
/// place. What lies less than [`WINDOW`] bytes back costs nothing on a stream.
pub trait Sink {
    /// Writes bytes; gaps are zeros.
    ///
    /// # Errors
    /// The system's.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), FormatError>;

    /// Makes it so long in the end, at least.
    ///
    /// # Errors
    /// The system's.
    fn set_len(&mut self, len: u64) -> Result<(), FormatError>;
}

/// How far a writer may go back on a stream at no cost, in bytes.
pub const WINDOW: u64 = 16 << 20;

/// What is known of a disk before its first byte.
///
/// The bytes of a file follow from the disk's content, `seed` and the options alone: `blocks` is for
/// limits and progress. Where a source's holes are, and whether it has any, must not show.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its size in bytes, whole 512-byte sectors, at least one.
    pub size: u64,
    /// The 512 KiB blocks that may hold something, ascending. Some may turn out to be zero.
    pub blocks: Arc<[u64]>,
    /// 32 bytes that identify the content (an image id, a digest), for identifiers that other
    /// programs draw at random.
    pub seed: [u8; 32],
}

/// A format at work: `begin`, every block that is not all zero in ascending order, `finish`. It is
/// made by its [`crate::Format`]'s `writer`, which refuses what the format can't hold.
pub trait Writer: Send {
    /// The work on blocks that any thread can do; none for formats that only move bytes.
    fn packer(&self) -> Option<Arc<dyn Packer>> {
        None
    }

    /// Whether it never goes back, or less than [`WINDOW`] bytes: one run is enough for a pipe.
    fn is_streamable(&self) -> bool;

    /// What goes in front, if it is known before the blocks.
    ///
    /// # Errors
    /// The sink's.
    fn begin(&mut self, _: &mut dyn Sink) -> Result<(), FormatError> {
        Ok(())
    }

    /// A block that holds something: its bytes (512 KiB, the disk's last one may be shorter) and
    /// what the packer made of them; no units without a packer.
    ///
    /// # Errors
    /// The sink's.
    fn block(
        &mut self,
        block: u64,
        bytes: &[u8],
        units: &[Unit],
        sink: &mut dyn Sink,
    ) -> Result<(), FormatError>;

    /// What goes behind, or is only known now.
    ///
    /// # Errors
    /// The sink's.
    fn finish(&mut self, sink: &mut dyn Sink) -> Result<(), FormatError>;
}
