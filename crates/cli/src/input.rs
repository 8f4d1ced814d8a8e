//! Reading what the command line names: YAML, lock, settings, inlined files.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use nodeimage_builder::Settings;
use nodeimage_spec::{Document, Lock, Parsed, parse};

use crate::args::{Global, Spec};
use crate::error::Failure;

/// The name of what comes from standard input, as in LinuxKit.
const STDIN_NAME: &str = "moby";
/// The parser's own limit, and a bit: it says so better than a read would.
const MAX_YAML: u64 = (16 << 20) + 1;
const MAX_LOCK: u64 = (16 << 20) + 1;

/// The YAML, parsed, and where it stood.
#[derive(Debug)]
pub(crate) struct Input {
    texts: Vec<(String, String)>,
    /// What the documents say.
    pub(crate) parsed: Parsed,
    /// What files are named after when nothing else is said.
    pub(crate) name: String,
    /// What `source` is relative to: the last YAML's directory.
    pub(crate) dir: PathBuf,
    /// Where the lock stands.
    pub(crate) lock_path: PathBuf,
    /// The lock, if there is one.
    pub(crate) lock: Option<Lock>,
}

impl Input {
    pub(crate) fn read(args: &Spec) -> Result<Self, Failure> {
        let is_stdin = |file: &&PathBuf| file.as_os_str() == "-";
        if args.files.iter().filter(is_stdin).count() > 1 {
            return Err(anyhow!("`-` is given twice; standard input can be read once").into());
        }
        let mut texts = Vec::new();
        for file in &args.files {
            texts.push(if file.as_os_str() == "-" {
                (
                    "<stdin>".to_owned(),
                    bounded(std::io::stdin().lock(), "standard input", MAX_YAML)?,
                )
            } else {
                (file.display().to_string(), read_file(file, MAX_YAML)?)
            });
        }
        let documents = documents(&texts);
        let parsed = parse(&documents).map_err(Failure::Spec)?;
        let last = args.files.last().filter(|file| file.as_os_str() != "-");
        let name = last
            .and_then(|file| file.file_stem())
            .map_or(STDIN_NAME.to_owned(), |stem| {
                stem.to_string_lossy().into_owned()
            });
        let dir = last
            .and_then(|file| file.parent())
            .map_or(PathBuf::new(), Path::to_owned);
        let lock_path = args
            .lock
            .clone()
            .unwrap_or_else(|| dir.join(format!("{name}.lock")));
        let lock = if args.lock.is_some() || lock_path.is_file() {
            let text = read_file(&lock_path, MAX_LOCK)?;
            let lock = Lock::parse(&text);
            Some(lock.with_context(|| format!("{}", lock_path.display()))?)
        } else {
            None
        };
        Ok(Self {
            texts,
            parsed,
            name,
            dir,
            lock_path,
            lock,
        })
    }

    /// The texts, for messages.
    pub(crate) fn documents(&self) -> Vec<Document<'_>> {
        documents(&self.texts)
    }

    /// Reads a `source` of `files`: relative to the YAML, `~/` in the home directory.
    pub(crate) fn inline(&self, source: &str, optional: bool) -> Result<Option<Vec<u8>>, String> {
        nodeimage_builder::inline::read(&self.dir, source, optional)
    }
}

fn documents(texts: &[(String, String)]) -> Vec<Document<'_>> {
    texts
        .iter()
        .map(|(name, text)| Document { name, text })
        .collect()
}

fn read_file(path: &Path, limit: u64) -> Result<String, Failure> {
    let name = path.display().to_string();
    let file = std::fs::File::open(path).with_context(|| format!("cannot open {name}"))?;
    bounded(file, &name, limit)
}

fn bounded(from: impl Read, name: &str, limit: u64) -> Result<String, Failure> {
    let mut text = String::new();
    from.take(limit)
        .read_to_string(&mut text)
        .with_context(|| format!("cannot read {name}"))?;
    Ok(text)
}

/// The settings the options ask for. `dir` is where a `nodeimage.toml` is looked for.
pub(crate) fn settings(global: &Global, dir: Option<&Path>) -> Result<Settings, Failure> {
    let mut settings = match &global.cache {
        Some(cache) => Settings::with_store(cache),
        None => Settings::from_env()?,
    };
    match (&global.config, dir) {
        (Some(file), _) => settings.load_config(file)?,
        (None, Some(dir)) => settings.load_config_beside(dir)?,
        (None, None) => {}
    }
    settings.offline = global.offline;
    if let Some(threads) = global.threads {
        settings.threads = threads;
    }
    Ok(settings)
}
