//! Reading and checking blocks on several threads, handing them on in order.

use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread;

use nodeimage_disk::block_map::BlockMap;
use nodeimage_disk::{Block, Extents};

use crate::FormatError;
use crate::verify::Verifier;

/// Blocks in flight for each thread.
const BUFFERS: usize = 2;

/// Most threads: more would only hold memory.
const MAX_THREADS: usize = 32;

type Loaded = Result<Vec<u8>, FormatError>;

/// Reads every non-empty block of `disk`, checks it against `map` and hands it, padded to a whole
/// block, to `deliver`: in order, on this thread. Holds at most two blocks for each thread.
pub(crate) fn for_each_block<'a>(
    disk: &'a Extents,
    map: &BlockMap,
    threads: usize,
    mut deliver: impl FnMut(Block<'a>, &[u8]) -> Result<(), FormatError>,
) -> Result<(), FormatError> {
    let verifier = &Verifier::new(disk, map)?;
    let threads = threads.clamp(1, MAX_THREADS);
    thread::scope(|scope| {
        let lanes: Vec<_> = (0..threads)
            .map(|first| {
                let (send, loaded) = sync_channel::<Loaded>(BUFFERS);
                let (recycle, empty) = channel::<Vec<u8>>();
                scope.spawn(move || {
                    let own = disk.blocks().skip(first).step_by(threads);
                    load(verifier, own, &empty, &send);
                });
                for _ in 0..BUFFERS {
                    // Fails only when the thread has no block at all.
                    let _ = recycle.send(Vec::new());
                }
                (loaded, recycle)
            })
            .collect();
        for (block, (loaded, recycle)) in disk.blocks().zip(lanes.iter().cycle()) {
            // A thread ends early by a panic only, which the scope passes on.
            let Ok(bytes) = loaded.recv() else { break };
            let bytes = bytes?;
            deliver(block, &bytes)?;
            let _ = recycle.send(bytes);
        }
        Ok(())
    })
}

/// One thread's work, until its blocks or the interest in them end.
fn load<'a>(
    verifier: &Verifier<'_>,
    blocks: impl Iterator<Item = Block<'a>>,
    empty: &Receiver<Vec<u8>>,
    send: &SyncSender<Loaded>,
) {
    for block in blocks {
        let Ok(mut buffer) = empty.recv() else { return };
        let loaded = block
            .read(&mut buffer)
            .map_err(|source| FormatError::Read {
                block: block.index(),
                source,
            })
            .and_then(|()| verifier.check(&block, &buffer))
            .map(|()| buffer);
        let failed = loaded.is_err();
        if send.send(loaded).is_err() || failed {
            return;
        }
    }
}
