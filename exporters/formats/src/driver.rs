//! One pass over a disk, however many files it becomes.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::pipeline::for_each_block;
use crate::sink::{FileSink, Recorder, StreamSink};
use crate::{Disk, Format, FormatError, Packer, Plan, Progress, Settings, Sink, Writer};

/// How to write.
#[derive(Clone, Copy, Debug, Default)]
pub struct WriteOptions<'a> {
    /// Threads that read, check and pack blocks; 0 is taken for 1. No effect on the bytes.
    pub threads: usize,
    /// Is told of every block.
    pub on_bytes: Option<Progress<'a>>,
    /// Whether to take the sha256 of each file, gaps included: about a second for each GiB.
    pub sha256: bool,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Bytes of the file.
    pub len: u64,
    /// Bytes that the file takes on its file system; for a stream, all.
    pub allocated: u64,
    /// sha256 of all its bytes, when asked for.
    pub sha256: Option<[u8; 32]>,
}

/// A file to be written.
#[derive(Clone, Debug)]
pub struct Target {
    /// In this format,
    pub format: &'static Format,
    /// with these settings,
    pub settings: Settings,
    /// under this name.
    pub path: PathBuf,
}

/// Writes a disk to several files at once: every block is read, checked and packed once.
///
/// The files have other names in the same folders until all are complete and on the medium, then they
/// replace what had their names; after an error nothing of them is left. `seed` is a [`Plan`]'s.
///
/// # Errors
/// Two files have one name; a format can't hold the disk; the disk can't be read, or a file written;
/// the callback asked to stop.
pub fn write_files(
    disk: &dyn Disk,
    seed: [u8; 32],
    targets: &[Target],
    options: &WriteOptions<'_>,
) -> Result<Vec<Written>, FormatError> {
    different_names(targets)?;
    let plan = Plan::of(disk, seed)?;
    let mut writers = Vec::new();
    for target in targets {
        writers.push((target.format.writer)(&plan, &target.settings)?);
    }
    let mut sinks = Vec::new();
    for target in targets {
        sinks.push(FileSink::create(&target.path)?);
    }
    let mut jobs: Vec<Job<'_>> = writers
        .iter_mut()
        .zip(&mut sinks)
        .map(|(writer, sink)| Job {
            writer: writer.as_mut(),
            sink,
        })
        .collect();
    pass(disk, &plan, &mut jobs, options)?;
    let mut written = Vec::new();
    for sink in &mut sinks {
        let (len, allocated) = sink.complete()?;
        written.push(Written {
            len,
            allocated,
            sha256: None,
        });
    }
    if options.sha256 {
        for (written, sha256) in written.iter_mut().zip(hash(&sinks, &plan, options)?) {
            written.sha256 = Some(sha256);
        }
    }
    name(sinks)?;
    Ok(written)
}

/// Writes a disk to a stream. The disk is read twice if the format's front depends on what follows.
///
/// # Errors
/// As [`write_files`].
pub fn write_stream(
    disk: &dyn Disk,
    seed: [u8; 32],
    format: &Format,
    settings: &Settings,
    stream: &mut dyn Write,
    options: &WriteOptions<'_>,
) -> Result<Written, FormatError> {
    let plan = Plan::of(disk, seed)?;
    let mut writer = (format.writer)(&plan, settings)?;
    let late = if writer.is_streamable() {
        None
    } else {
        let mut recorder = Recorder::default();
        let job = Job {
            writer: writer.as_mut(),
            sink: &mut recorder,
        };
        // Its end isn't that of the work, but it can be stopped.
        let quiet = |_, total| options.on_bytes.map_or(GO_ON, |it| it.tell(0, total));
        let first = WriteOptions {
            on_bytes: Some(Progress::new(&quiet)),
            ..*options
        };
        pass(disk, &plan, &mut [job], &first)?;
        writer = (format.writer)(&plan, settings)?;
        Some(recorder.late())
    };
    let mut sink = StreamSink::new(stream, late, options.sha256);
    let job = Job {
        writer: writer.as_mut(),
        sink: &mut sink,
    };
    pass(disk, &plan, &mut [job], options)?;
    let (len, sha256) = sink.finish()?;
    Ok(Written {
        len,
        allocated: len,
        sha256,
    })
}

const GO_ON: ControlFlow<()> = ControlFlow::Continue(());

/// A writer and where it writes.
struct Job<'a> {
    writer: &'a mut dyn Writer,
    sink: &'a mut dyn Sink,
}

fn pass(
    disk: &dyn Disk,
    plan: &Plan,
    jobs: &mut [Job<'_>],
    options: &WriteOptions<'_>,
) -> Result<(), FormatError> {
    let mut packers: Vec<Arc<dyn Packer>> = Vec::new();
    let mut shared = BTreeMap::new();
    let mut packer_of = Vec::new();
    for job in &*jobs {
        let Some(packer) = job.writer.packer() else {
            packer_of.push(None);
            continue;
        };
        let new = packers.len();
        let at = match packer.shared_as() {
            Some(name) => *shared.entry(name).or_insert(new),
            None => new,
        };
        if at == new {
            packers.push(packer);
        }
        packer_of.push(Some(at));
    }
    for job in &mut *jobs {
        job.writer.begin(job.sink)?;
    }
    let len_of =
        |block: u64| (plan.size - block * nodeimage_disk::BLOCK).min(nodeimage_disk::BLOCK);
    let total = plan.blocks.iter().map(|block| len_of(*block)).sum();
    let mut done = 0;
    for_each_block(disk, &plan.blocks, &packers, options.threads, |packed| {
        if !packed.bytes.is_empty() {
            for (job, at) in jobs.iter_mut().zip(&packer_of) {
                let units = at.map_or(&[][..], |at| &packed.units[at]);
                job.writer
                    .block(packed.block, packed.bytes, units, job.sink)?;
            }
        }
        done += len_of(packed.block);
        tell(options, done, total)
    })?;
    for job in jobs {
        job.writer.finish(job.sink)?;
    }
    Ok(())
}

fn tell(options: &WriteOptions<'_>, done: u64, total: u64) -> Result<(), FormatError> {
    match options.on_bytes.map(|it| it.tell(done, total)) {
        Some(flow) if flow.is_break() => Err(FormatError::Cancelled),
        _ => Ok(()),
    }
}

fn different_names(targets: &[Target]) -> Result<(), FormatError> {
    let mut names = BTreeMap::new();
    for target in targets {
        let folder = target.path.parent().unwrap_or(&target.path);
        let folder = if folder.as_os_str().is_empty() {
            std::path::Path::new(".")
        } else {
            folder
        };
        // A folder that isn't there is refused when the file is made.
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let name = (folder, target.path.file_name());
        if let Some(first) = names.insert(name, target.format.name) {
            return Err(FormatError::SameFile {
                path: target.path.clone(),
                first,
                second: target.format.name,
            });
        }
    }
    Ok(())
}

/// Gives all files their names, or none.
fn name(mut sinks: Vec<FileSink>) -> Result<(), FormatError> {
    for sink in &mut sinks {
        sink.sync()?;
    }
    let mut named = Vec::new();
    for sink in sinks {
        let path = sink.path().to_owned();
        if let Err(error) = sink.commit() {
            for path in named {
                // The error that is told is the first.
                let _ = std::fs::remove_file(path);
            }
            return Err(error);
        }
        named.push(path);
    }
    Ok(())
}

/// The sha256 of each file, read back: a thread each.
fn hash(
    sinks: &[FileSink],
    plan: &Plan,
    options: &WriteOptions<'_>,
) -> Result<Vec<[u8; 32]>, FormatError> {
    let total = plan.blocks.len() as u64 * nodeimage_disk::BLOCK;
    let stop = &AtomicBool::new(false);
    let threads = options.threads.max(1);
    let mut hashes = Vec::new();
    for sinks in sinks.chunks(threads) {
        let (send, results) = channel();
        hashes.extend(thread::scope(|scope| {
            for (at, sink) in sinks.iter().enumerate() {
                let send = send.clone();
                // Its receiver lives as long as this scope.
                scope.spawn(move || drop(send.send((at, hash_one(sink, stop)))));
            }
            drop(send);
            let mut found = vec![[0; 32]; sinks.len()];
            let mut left = sinks.len();
            while left > 0 {
                match results.recv_timeout(Duration::from_millis(50)) {
                    Ok((at, hash)) => {
                        left -= 1;
                        match hash {
                            Ok(hash) => found[at] = hash,
                            Err(error) => {
                                stop.store(true, Ordering::Relaxed);
                                return Err(error);
                            }
                        }
                    }
                    Err(RecvTimeoutError::Timeout) => {
                        if let Err(error) = tell(options, total, total) {
                            stop.store(true, Ordering::Relaxed);
                            return Err(error);
                        }
                    }
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            Ok(found)
        })?);
    }
    Ok(hashes)
}

fn hash_one(sink: &FileSink, stop: &AtomicBool) -> Result<[u8; 32], FormatError> {
    let mut file = sink.reread()?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; nodeimage_disk::BLOCK as usize];
    while !stop.load(Ordering::Relaxed) {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finalize().into()),
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(source) => {
                return Err(FormatError::Write {
                    path: sink.path().to_owned(),
                    source,
                });
            }
        }
    }
    Err(FormatError::Cancelled)
}
