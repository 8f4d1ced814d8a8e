//! Which source is asked for what.
//!
//! A tag is read from the source of the longest prefix that fits, and from nowhere else: the map
//! says where a reference is read. A digest is good wherever it is found: in that source, or in
//! any other; those on this machine are asked before the network. The registry a reference names is
//! asked when no prefix fits.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::archive::Archive;
use super::docker::DockerArchive;
use super::layout::{Directory, Files, Layout};
use super::{Name, Remote, SourceError, SourceErrorKind};
use crate::config::{Config, Source};
use nodeimage_spec::Digest;

/// All sources of a configuration.
pub(crate) struct Sources {
    map: BTreeMap<String, Source>,
    remote: Option<Arc<dyn Remote>>,
    /// Local sources, opened when first needed.
    open: Mutex<BTreeMap<String, Arc<dyn Remote>>>,
}

/// One place to ask, and under which reference.
pub(crate) struct Place {
    pub(crate) remote: Result<Arc<dyn Remote>, SourceError>,
    pub(crate) reference: String,
}

impl Sources {
    pub(crate) fn new(config: &Config, remote: Option<Arc<dyn Remote>>) -> Self {
        Self {
            map: config.sources.clone(),
            remote,
            open: Mutex::default(),
        }
    }

    /// The digest behind a tag.
    pub(crate) fn resolve(&self, reference: &str) -> Result<Digest, Vec<SourceError>> {
        let place = self.place(reference).map_err(|error| vec![error])?;
        let answer = place
            .remote
            .and_then(|remote| remote.resolve(&place.reference));
        answer.map_err(|error| vec![error])
    }

    /// An index or manifest.
    pub(crate) fn manifest(
        &self,
        reference: &str,
        digest: &Digest,
    ) -> Result<(String, Vec<u8>), Vec<SourceError>> {
        self.first(reference, |remote, reference| {
            remote.manifest(reference, digest)
        })
    }

    /// A blob.
    pub(crate) fn blob(
        &self,
        reference: &str,
        digest: &Digest,
        size: u64,
    ) -> Result<Box<dyn Read + Send>, Vec<SourceError>> {
        self.first(reference, |remote, reference| {
            remote.blob(reference, digest, size)
        })
    }

    /// The first answer; the errors of all when there is none.
    fn first<T>(
        &self,
        reference: &str,
        ask: impl Fn(&dyn Remote, &str) -> Result<T, SourceError>,
    ) -> Result<T, Vec<SourceError>> {
        let mut errors = Vec::new();
        for place in self.places(reference) {
            let answer = place.and_then(|place| ask(&*place.remote?, &place.reference));
            match answer {
                Ok(answer) => return Ok(answer),
                Err(error) => errors.push(error),
            }
        }
        Err(errors)
    }

    /// The places that may have what stands behind a digest, in the order in which they are asked.
    pub(crate) fn places<'a>(
        &'a self,
        reference: &'a str,
    ) -> impl Iterator<Item = Result<Place, SourceError>> + 'a {
        let mapped = self.longest(reference);
        let on_disk =
            |prefix: &str| !matches!(self.map.get(prefix), None | Some(Source::Mirror(_)));
        let others = self.map.iter().filter(move |(prefix, source)| {
            !matches!(source, Source::Mirror(_)) && mapped != Some(prefix.as_str())
        });
        let others = others.map(move |(prefix, source)| {
            let remote = self.local(prefix, source);
            Ok(Place {
                remote,
                reference: reference.to_owned(),
            })
        });
        // What is on this machine before the network.
        let (before, after) = match mapped.is_some_and(on_disk) {
            true => (Some(self.place(reference)), None),
            false => (None, Some(())),
        };
        let after = after.into_iter().map(move |()| self.place(reference));
        before.into_iter().chain(others).chain(after)
    }

    /// The longest prefix that fits.
    fn longest(&self, reference: &str) -> Option<&str> {
        let name = Name::parse(reference);
        let fits = self
            .map
            .keys()
            .filter(|prefix| name.below(prefix).is_some());
        fits.max_by_key(|prefix| prefix.len()).map(String::as_str)
    }

    /// Where the map says a reference is read.
    fn place(&self, reference: &str) -> Result<Place, SourceError> {
        let mapped = self
            .longest(reference)
            .and_then(|prefix| self.map.get_key_value(prefix));
        let (remote, reference) = match mapped {
            Some((prefix, Source::Mirror(host))) => {
                let rest = reference.get(prefix.len()..).unwrap_or_default();
                let mirrored = format!("{host}{rest}");
                (self.remote(&mirrored), mirrored)
            }
            Some((prefix, source)) => (self.local(prefix, source), reference.to_owned()),
            None => (self.remote(reference), reference.to_owned()),
        };
        Ok(Place { remote, reference })
    }

    fn remote(&self, reference: &str) -> Result<Arc<dyn Remote>, SourceError> {
        if reference.starts_with("builtin:") {
            let why = "it comes with a release, in the folder `images` beside the program, and \
                       there is none; name an image layout in nodeimage.toml: [sources] \
                       builtin = \"oci:DIR\"";
            return Err(SourceError::new(
                reference,
                SourceErrorKind::Malformed(why.into()),
            ));
        }
        self.remote.clone().ok_or_else(|| {
            let why = "no source is given for it and registries are not asked; name one in \
                       [sources] of nodeimage.toml";
            SourceError::new(reference, SourceErrorKind::Malformed(why.into()))
        })
    }

    fn local(&self, prefix: &str, source: &Source) -> Result<Arc<dyn Remote>, SourceError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(remote) = open.get(prefix) {
            return Ok(Arc::clone(remote));
        }
        let place = source.to_string();
        let remote =
            open_local(&place, prefix, source).map_err(|kind| SourceError::new(place, kind))?;
        open.insert(prefix.to_owned(), Arc::clone(&remote));
        Ok(remote)
    }
}

fn open_local(
    place: &str,
    prefix: &str,
    source: &Source,
) -> Result<Arc<dyn Remote>, SourceErrorKind> {
    let archive = |path: &Path| Archive::open(path);
    match source {
        Source::Oci(dir) => Ok(layout(place, prefix, Directory(dir.clone()))),
        Source::OciArchive(path) => Ok(layout(place, prefix, archive(path)?)),
        Source::DockerArchive(path) => {
            let archive = archive(path)?;
            if archive.contains("index.json") {
                return Ok(layout(place, prefix, archive));
            }
            Ok(Arc::new(DockerArchive::open(
                place.to_owned(),
                prefix.to_owned(),
                archive,
            )?))
        }
        Source::Mirror(host) => Err(SourceErrorKind::Malformed(format!(
            "{host} is not on this machine"
        ))),
    }
}

fn layout(place: &str, prefix: &str, files: impl Files + 'static) -> Arc<dyn Remote> {
    Arc::new(Layout {
        place: place.to_owned(),
        prefix: prefix.to_owned(),
        files,
    })
}
