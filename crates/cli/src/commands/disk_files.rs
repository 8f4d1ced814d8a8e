//! Writing disks to files, with progress.

use std::cell::Cell;
use std::ops::ControlFlow;

use nodeimage_formats::{
    Disk, FormatError, Progress as FormatProgress, Target, WriteOptions, Written, write_files,
};
use nodeimage_images::{Event, Progress};

use crate::progress::Show;

/// Writes all `targets` in one pass. `seed` identifies the content.
pub(crate) fn write(
    disk: &dyn Disk,
    seed: [u8; 32],
    targets: &[Target],
    threads: usize,
    sha256: bool,
    show: &Show,
) -> Result<Vec<Written>, FormatError> {
    let names: Vec<_> = targets
        .iter()
        .map(|target| target.path.display().to_string())
        .collect();
    following(show, &names.join(", "), |progress| {
        let options = WriteOptions {
            threads,
            on_bytes: Some(progress),
            sha256,
        };
        write_files(disk, seed, targets, &options)
    })
}

/// Shows how far `work` is, and stops it when the user asks for that.
pub(crate) fn following<T>(
    show: &Show,
    item: &str,
    work: impl FnOnce(FormatProgress<'_>) -> Result<T, FormatError>,
) -> Result<T, FormatError> {
    let (told, last) = (Cell::new(false), Cell::new(0));
    let on_bytes = |done: u64, total: u64| {
        if !told.replace(true) {
            show.event(Event::Started {
                item,
                bytes: Some(total),
            });
        }
        let fetched = done.saturating_sub(last.replace(done));
        show.event(Event::Bytes {
            item,
            fetched,
            unpacked: fetched,
        });
        if show.cancelled() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let done = work(FormatProgress::new(&on_bytes));
    if told.get() {
        show.event(Event::Finished { item });
    }
    done
}
