//! Layers into the store, and out of it as a tree.

use std::collections::HashSet;
use std::fs::File;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use nodeimage_disk::StoredFile;

use super::{Error, ErrorKind, Image, Images, Layer};
use crate::flatten::Flattener;
use crate::layer::{IndexReader, LayerError, LayerProblem, Unpack, unpack};
use crate::progress::Event;
use crate::source::SourceError;
use crate::store::{Bucket, Entry, StoreError};
use crate::tarfile::{RangeInput, Scanner};
use crate::tree::{Data, Tree};

/// Why a layer could not be put into the store.
enum Failure {
    Sources(Vec<SourceError>),
    Layer(LayerProblem),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Layer(error.into())
    }
}

impl Images {
    /// Puts all layers of `images` into the store, on up to `threads` threads. The first error, in
    /// the images' order, stops the others after the layer they are at.
    pub fn fetch(&self, images: &[&Image], threads: NonZeroUsize) -> Result<(), Error> {
        let mut seen = HashSet::new();
        let layers = images
            .iter()
            .flat_map(|image| (0..image.layers.len()).map(|n| (*image, n)));
        let jobs: Vec<_> = layers
            .filter(|(image, n)| seen.insert(image.layers[*n].diff_id))
            .collect();
        let next = AtomicUsize::new(0);
        let failed: Mutex<Option<(usize, Error)>> = Mutex::new(None);
        let lock = || failed.lock().unwrap_or_else(PoisonError::into_inner);
        std::thread::scope(|scope| {
            for _ in 0..threads.get().min(jobs.len()) {
                scope.spawn(|| {
                    while lock().is_none() {
                        let job = next.fetch_add(1, Ordering::Relaxed);
                        let Some((image, number)) = jobs.get(job) else {
                            break;
                        };
                        if let Err(error) = self.layer(image, *number) {
                            let mut failed = lock();
                            if failed.as_ref().is_none_or(|(first, _)| job < *first) {
                                *failed = Some((job, error));
                            }
                        }
                    }
                });
            }
        });
        match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }

    /// The image's tree; layers that are not in the store are fetched one after the other.
    pub fn tree(&self, image: &Image) -> Result<Tree, Error> {
        let mut flattener = Flattener::new(self.limits);
        for number in 0..image.layers.len() {
            let entry = self.layer(image, number)?;
            let fail = |problem| layer_error(image, number, problem);
            for entry in IndexReader::new(entry.meta()).map_err(fail)? {
                flattener.hide(&entry.map_err(fail)?).map_err(fail)?;
            }
            for item in IndexReader::new(entry.meta()).map_err(fail)? {
                flattener
                    .add(item.map_err(fail)?, entry.file())
                    .map_err(fail)?;
            }
        }
        Ok(flattener.finish())
    }

    /// How many entries the image's layers have; those that are not in the store are fetched.
    pub fn entries(&self, image: &Image) -> Result<u64, Error> {
        let mut entries = 0;
        for number in 0..image.layers.len() {
            let entry = self.layer(image, number)?;
            let index = IndexReader::new(entry.meta());
            let index = index.map_err(|problem| layer_error(image, number, problem))?;
            entries += index.count() as u64;
        }
        Ok(entries)
    }

    /// The tree of a plain tar that is itself a stored file of a tree (`kernel.tar`); `name` stands
    /// in errors. Nothing in it is a whiteout.
    pub fn tar_tree(&self, data: &Data, name: &str) -> Result<Tree, Error> {
        let refuse = |why: String| Error::new(name, ErrorKind::Reference(why));
        let Data::Stored { file, offset, len } = data else {
            return Err(refuse(
                "an archive in memory has no files to point at".into(),
            ));
        };
        let bad = |problem: LayerProblem| refuse(problem.to_string());
        let opened = File::open(&file.path).map_err(|error| bad(LayerProblem::Read(error)))?;
        let mut scanner = Scanner::new(RangeInput::new(&opened, *offset, *len));
        let mut flattener = Flattener::new(self.limits);
        let file: &Arc<StoredFile> = file;
        while let Some(entry) = scanner.next().map_err(|error| bad(error.into()))? {
            flattener.add_plain(entry, file, *offset).map_err(bad)?;
        }
        Ok(flattener.finish())
    }

    /// A layer's entry in the store, put there when it is not.
    fn layer(&self, image: &Image, number: usize) -> Result<Entry, Error> {
        let layer = &image.layers[number];
        let reference = image.reference.as_str();
        let key = layer.diff_id.bytes();
        let item = format!("{reference} layer {}/{}", number + 1, image.layers.len());
        let found = self.store.get_sound(Bucket::Layers, key);
        if let Some(entry) = found.map_err(|error| Error::new(reference, error))? {
            return Ok(entry);
        }
        let waiting = || self.progress.event(Event::Waiting { item: &item });
        let made = self
            .store
            .once_or_wait(Bucket::Layers, key, waiting, |writer| {
                self.progress.event(Event::Started {
                    item: &item,
                    bytes: Some(layer.size),
                });
                let source = self
                    .sources
                    .blob(reference, &layer.digest, layer.size)
                    .map_err(Failure::Sources)?;
                let job = self.job(layer, &item);
                unpack(&job, source, writer).map_err(Failure::Layer)?;
                self.progress.event(Event::Finished { item: &item });
                Ok(())
            });
        made.map_err(|failure| match failure {
            // A source that is told to stop as well has an error of its own.
            _ if self.progress.cancelled() => layer_error(image, number, LayerProblem::Cancelled),
            Failure::Layer(problem) => layer_error(image, number, problem),
            Failure::Sources(errors) => {
                let what = format!("layer {} ({})", number + 1, layer.digest);
                Error::new(reference, ErrorKind::Sources { what, errors })
            }
        })
    }

    fn job<'a>(&'a self, layer: &'a Layer, item: &'a str) -> Unpack<'a> {
        Unpack {
            media_type: &layer.media_type,
            digest: layer.digest,
            size: layer.size,
            diff_id: layer.diff_id,
            limits: &self.limits,
            progress: &*self.progress,
            item,
        }
    }
}

fn layer_error(image: &Image, number: usize, problem: LayerProblem) -> Error {
    let digest = image.layers[number].digest;
    Error::new(
        &image.reference,
        LayerError {
            number: number + 1,
            digest,
            problem,
        },
    )
}
