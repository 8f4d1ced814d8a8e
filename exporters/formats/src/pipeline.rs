//! Reading, checking and packing blocks on several threads, handing them on in order.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread;

use nodeimage_disk::BLOCK;

use crate::{Disk, FormatError, Packer, Unit, zero};

/// Most threads: more would only hold memory.
const MAX_THREADS: usize = 32;

/// Threads above which each has but one block in flight.
const MANY_THREADS: usize = 16;

/// A block as a thread leaves it.
struct Loaded {
    /// Its bytes; none when it is zero after all.
    bytes: Vec<u8>,
    /// What each packer made of it.
    packed: Vec<Vec<Unit>>,
}

/// A block that holds something.
pub(crate) struct Packed<'a> {
    /// Its number.
    pub(crate) block: u64,
    /// Its bytes: 512 KiB, the disk's last one may be shorter.
    pub(crate) bytes: &'a [u8],
    /// The units of each packer.
    pub(crate) units: &'a [Vec<Unit>],
}

/// Reads `blocks` of `disk`, lets every packer have them, and hands them to `deliver`: in order, on
/// this thread, without bytes when they are zero. Holds at most two blocks for each thread.
pub(crate) fn for_each_block(
    disk: &dyn Disk,
    blocks: &[u64],
    packers: &[Arc<dyn Packer>],
    threads: usize,
    mut deliver: impl FnMut(Packed<'_>) -> Result<(), FormatError>,
) -> Result<(), FormatError> {
    let threads = threads.clamp(1, MAX_THREADS).min(blocks.len().max(1));
    let buffers = if threads > MANY_THREADS { 1 } else { 2 };
    thread::scope(|scope| {
        let lanes: Vec<_> = (0..threads)
            .map(|first| {
                let (send, loaded) = sync_channel::<Result<Loaded, FormatError>>(buffers);
                let (recycle, empty) = channel::<Vec<u8>>();
                scope.spawn(move || {
                    let own = blocks.iter().copied().skip(first).step_by(threads);
                    load(disk, own, packers, &empty, &send);
                });
                for _ in 0..buffers {
                    // Fails only when the thread has no block at all.
                    let _ = recycle.send(Vec::new());
                }
                (loaded, recycle)
            })
            .collect();
        for (block, (loaded, recycle)) in blocks.iter().zip(lanes.iter().cycle()) {
            // A thread ends early by a panic only, which the scope passes on.
            let Ok(found) = loaded.recv() else { break };
            let found = found?;
            deliver(Packed {
                block: *block,
                bytes: &found.bytes,
                units: &found.packed,
            })?;
            let _ = recycle.send(found.bytes);
        }
        Ok(())
    })
}

/// One thread's work, until its blocks or the interest in them end.
fn load(
    disk: &dyn Disk,
    blocks: impl Iterator<Item = u64>,
    packers: &[Arc<dyn Packer>],
    empty: &Receiver<Vec<u8>>,
    send: &SyncSender<Result<Loaded, FormatError>>,
) {
    for block in blocks {
        let Ok(buffer) = empty.recv() else { return };
        let loaded = load_one(disk, block, packers, buffer);
        let failed = loaded.is_err();
        if send.send(loaded).is_err() || failed {
            return;
        }
    }
}

fn load_one(
    disk: &dyn Disk,
    block: u64,
    packers: &[Arc<dyn Packer>],
    mut bytes: Vec<u8>,
) -> Result<Loaded, FormatError> {
    let offset = block * BLOCK;
    let len = disk.size().saturating_sub(offset).min(BLOCK);
    bytes.resize(len as usize, 0);
    disk.read_at(offset, &mut bytes)?;
    let mut packed = Vec::new();
    if zero::is_zero(&bytes) {
        bytes.clear();
    } else {
        for packer in packers {
            packed.push(packer.pack(block, &bytes)?);
        }
    }
    Ok(Loaded { bytes, packed })
}
