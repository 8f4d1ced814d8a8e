//! Opening a file of any format as a disk.

use std::path::{Path, PathBuf};

use crate::{Disk, Edges, FORMATS, Format, FormatError, Input};

/// Bytes of a file's beginning that formats are told by.
const HEAD: u64 = 4096;
/// Bytes of its end.
const TAIL: u64 = 1024;

/// What a reader may do.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// The format's kind or name; none: by the file's content.
    pub format: Option<String>,
    /// The files that may be read as backing or parent files of the one that is opened, and of each
    /// other. None other is, whatever a file names.
    pub backing: Vec<PathBuf>,
    /// How many files stand in front of this one in its chain.
    pub depth: usize,
}

/// An open disk.
pub struct Opened {
    /// Its file's kind: `raw`, `qcow2` …
    pub kind: &'static str,
    /// The disk.
    pub disk: Box<dyn Disk + Send>,
    /// What its file says of itself, for people: names and values.
    pub facts: Vec<(&'static str, String)>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened")
            .field("kind", &self.kind)
            .field("size", &self.disk.size())
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

/// Opens a file as a disk.
///
/// # Errors
/// It can't be read, or is damaged, or of a kind that can't be read.
pub fn open(path: &Path, options: &OpenOptions) -> Result<Opened, FormatError> {
    open_input(Input::open(path)?, options)
}

/// Opens an open file as a disk.
///
/// # Errors
/// As [`open`].
pub fn open_input(input: Input, options: &OpenOptions) -> Result<Opened, FormatError> {
    let format = match &options.format {
        Some(name) => reader_of(name)?,
        None => detect(&input)?,
    };
    match &format.reader {
        Some(reader) => (reader.open)(input, options),
        None => Err(FormatError::Unsupported {
            format: format.kind,
            what: "files of this format can't be read".to_owned(),
        }),
    }
}

/// The kind of a file: raw when nothing else fits.
///
/// # Errors
/// It can't be read.
pub fn detect(input: &Input) -> Result<&'static Format, FormatError> {
    let mut head = vec![0; input.len().min(HEAD) as usize];
    let mut tail = vec![0; input.len().min(TAIL) as usize];
    input.read_at("raw", 0, &mut head)?;
    input.read_at("raw", input.len() - tail.len() as u64, &mut tail)?;
    let extension = input.path().extension().unwrap_or_default();
    let extension = extension.to_string_lossy().to_lowercase();
    let edges = Edges {
        head: &head,
        tail: &tail,
        extension: &extension,
    };
    let fits = |format: &&Format| format.reader.is_some_and(|it| (it.probe)(&edges));
    Ok(FORMATS.iter().find(fits).unwrap_or(&FORMATS[0]))
}

fn reader_of(name: &str) -> Result<&'static Format, FormatError> {
    let kind = FORMATS
        .iter()
        .find(|format| format.name == name)
        .map_or(name, |format| format.kind);
    FORMATS
        .iter()
        .find(|format| format.kind == kind && format.reader.is_some())
        .or_else(|| Format::named(name))
        .ok_or_else(|| FormatError::Unknown(name.to_owned()))
}
