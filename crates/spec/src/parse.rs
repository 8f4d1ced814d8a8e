//! Documents → one merged spec, or every fault of all of them.
//!
//! Verdicts are LinuxKit's, with two more lenient exceptions: the key `outputs` of 2017 is read
//! (the command line's default formats), and scalars that begin with `@` keep their text where
//! LinuxKit's template pass empties them. `trust` is accepted and kept beside the spec: it names
//! what the lock must cover.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use crate::check;
use crate::fault::{Fault, Faults, Place};
use crate::lint::Allow;
use crate::model::{Options, Spec};
use crate::reference::expand;
use crate::schema::{LABEL, SPEC, Walk, Walked};
use crate::yaml::{Source, Spot, compose};

mod merge;
mod normal;

/// A named text.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a> {
    /// For messages: a path, `-`, `config[1]` …
    pub name: &'a str,
    /// YAML.
    pub text: &'a str,
}

/// Where a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// Index of the document.
    pub document: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Characters of the value on that line, at least 1.
    pub length: usize,
}

/// Path of a value in the merged spec (`services[2].image`) → where it stands.
pub type Locations = BTreeMap<String, Location>;

/// What `trust` named: references that must be pinned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Images, without a tag mostly, as written.
    pub image: Vec<String>,
    /// Organisations: the part of a repository before the last `/`.
    pub org: Vec<String>,
}

/// All documents, merged and valid.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// The spec, references expanded.
    pub spec: Spec,
    /// Where each value of it stands.
    pub locations: Locations,
    /// The formats that `outputs` lists.
    pub outputs: Vec<String>,
    /// What `trust` lists.
    pub trust: Trust,
    /// Lints that comments switch off.
    pub allows: Vec<Allow>,
    /// `files` entries of which one kind of content was ignored, as LinuxKit does: their paths.
    pub ignored_contents: Vec<String>,
}

impl Parsed {
    /// Fills in the places of faults that know only their path, such as those of
    /// [`lock_spec`](crate::pin::lock_spec); `documents` are those that were parsed.
    pub fn locate(&self, faults: &mut Faults, documents: &[Document<'_>]) {
        let sources = sources(documents);
        faults.locate(|path| place(&sources, &self.locations, path));
    }
}

/// Parses and merges documents, left to right: lists are joined, `kernel` is replaced key by key,
/// volumes of all are visible to all (LinuxKit forgets those of earlier files).
///
/// # Errors
/// All faults of all documents, in the order of the text.
pub fn parse(documents: &[Document<'_>]) -> Result<Parsed, Faults> {
    let sources = sources(documents);
    let mut walked = Walked::default();
    let mut merged = Map::new();
    let mut bases = BTreeMap::new();
    let mut allows = Vec::new();
    if documents.is_empty() {
        return Err(Fault::new("", "no document is given").into());
    }
    for (index, (document, source)) in documents.iter().zip(&sources).enumerate() {
        let composed = compose(source, document.text);
        walked.faults.append(composed.faults);
        allows.extend(Allow::all(index, source, &composed.comments));
        match composed.root {
            Some(root) => {
                let map = Walk::new(source, index, &bases, &mut walked).document(&root, &SPEC);
                merge::merge(&mut merged, map, &mut bases);
            }
            // Nothing can be said about names that this document may define.
            None => drop(walked.broken.insert(String::new())),
        }
    }
    let outputs = texts(merged.remove("outputs"), Some("format"));
    let mut trust = merged.remove("trust").unwrap_or_default();
    let trust = Trust {
        image: texts(trust.get_mut("image").map(Json::take), None),
        org: texts(trust.get_mut("org").map(Json::take), None),
    };
    let mut spec: Spec =
        serde_json::from_value(Json::Object(merged)).map_err(|error| internal(&error))?;
    let ignored_contents = normal::normalize(&mut spec);
    let mut faults = walked.faults;
    let mut found = check::with_broken(&spec, &walked.broken);
    let document = |path: &str| Some(walked.locations.get(path)?.document);
    found.append(check::duplicate_volumes(&spec.volumes, document));
    found.locate(|path| place(&sources, &walked.locations, path));
    faults.append(found);
    expand_references(&mut spec);
    faults.or(Parsed {
        spec,
        locations: walked.locations,
        outputs,
        trust,
        allows,
        ignored_contents,
    })
}

/// Parses an image's `org.mobyproject.config` label, JSON or YAML.
///
/// Names in it (volumes, users) are not looked up: they are those of the spec that uses the image.
///
/// # Errors
/// All faults of the label. `name` and `image` are such.
pub fn parse_label(text: &str) -> Result<Options, Faults> {
    if text.is_empty() {
        return Ok(Options::default());
    }
    let source = Source::new(0, "org.mobyproject.config", text);
    let composed = compose(&source, text);
    let mut walked = Walked {
        faults: composed.faults,
        ..Walked::default()
    };
    let bases = BTreeMap::new();
    let map = match composed.root {
        Some(root) => Walk::new(&source, 0, &bases, &mut walked).document(&root, &LABEL),
        None => Map::new(),
    };
    let mut options: Options =
        serde_json::from_value(Json::Object(map)).map_err(|error| internal(&error))?;
    normal::options(&mut options);
    let mut found = check::options(&options, &walked.broken);
    let sources = [source];
    found.locate(|path| place(&sources, &walked.locations, path));
    let mut faults = walked.faults;
    faults.append(found);
    faults.or(options)
}

/// The walk leaves nothing that does not fit the model.
fn internal(error: &serde_json::Error) -> Faults {
    let message = format!("the schema and the model differ, please report this: {error}");
    Fault::new("", message).into()
}

fn sources<'a>(documents: &[Document<'a>]) -> Vec<Source<'a>> {
    let numbered = documents.iter().enumerate();
    numbered
        .map(|(index, document)| Source::new(index, document.name, document.text))
        .collect()
}

/// The place of a path, or of the nearest value around it.
pub(crate) fn place(sources: &[Source<'_>], locations: &Locations, path: &str) -> Option<Place> {
    let mut path = path;
    loop {
        if let Some(location) = locations.get(path) {
            let spot = Spot {
                line: location.line,
                column: location.column,
            };
            return Some(sources.get(location.document)?.place(spot, location.length));
        }
        path = &path[..path.rfind(['.', '['])?];
    }
}

fn texts(value: Option<Json>, member: Option<&str>) -> Vec<String> {
    let Some(Json::Array(list)) = value else {
        return Vec::new();
    };
    let text = |entry: &Json| match member {
        Some(member) => entry.get(member).and_then(Json::as_str).map(str::to_owned),
        None => entry.as_str().map(str::to_owned),
    };
    list.iter()
        .filter_map(text)
        .filter(|text| !text.is_empty())
        .collect()
}

fn expand_references(spec: &mut Spec) {
    let kernel = spec
        .kernel
        .as_mut()
        .and_then(|kernel| kernel.image.as_mut());
    let containers = spec
        .onboot
        .iter_mut()
        .chain(&mut spec.onshutdown)
        .chain(&mut spec.services);
    let volumes = spec
        .volumes
        .iter_mut()
        .filter_map(|volume| volume.image.as_mut());
    let images = containers.map(|container| &mut container.image);
    for image in kernel
        .into_iter()
        .chain(&mut spec.init)
        .chain(images)
        .chain(volumes)
    {
        *image = expand(image);
    }
}

/// Paths that were reported already.
pub(crate) type Broken = BTreeSet<String>;

#[cfg(test)]
mod tests;
