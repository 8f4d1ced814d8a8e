//! The configuration of an image, once all of it is known, and what its references stand for.

use std::collections::BTreeSet;
use std::path::Path as FilePath;

use nodeimage_builder::inline;
use nodeimage_builder::locking::{self, Wanted};
use nodeimage_spec::lint::{Facts, Selection, lint};
use nodeimage_spec::locked::{Codec, Firmware};
use nodeimage_spec::pin::MAX_INLINE;
use nodeimage_spec::reference::{BUILTIN_BOOT, BUILTIN_INIT};
use nodeimage_spec::{
    Architecture, DiskOptions, Fault, Faults, Lock, LockedSpec, Outcome, Parsed, Severity,
    lock_spec,
};
use tfplugin::{Diagnostic, Diagnostics, Val, path};

use crate::documents::Documents;
use crate::faults;
use crate::image::{Disk, Image};
use crate::workshop::Workshop;

/// All of a configuration, known.
pub(crate) struct Given {
    documents: Documents,
    parsed: Parsed,
    lock: Option<Lock>,
    architecture: Architecture,
    options: DiskOptions,
    base_dir: String,
}

impl Given {
    /// `None` while a part is unknown. What is known is checked in any case.
    pub(crate) fn read(config: &Image) -> Result<Option<Self>, Diagnostics> {
        let (parsed, lock) = match (read_documents(config), read_lock(&config.lock)) {
            (Ok(parsed), Ok(lock)) => (parsed, lock),
            (Err(mut first), Err(second)) => {
                first.extend(second);
                return Err(first);
            }
            (Err(found), Ok(_)) | (Ok(_), Err(found)) => return Err(found),
        };
        let Some((documents, parsed)) = parsed else {
            return Ok(None);
        };
        let unknown = config.lock.is_unknown()
            || config.architecture.is_unknown()
            || config.base_dir.is_unknown();
        let Some(options) = disk_options(&config.disk) else {
            return Ok(None);
        };
        if unknown {
            return Ok(None);
        }
        let architecture = config.architecture.known().map_or("amd64", String::as_str);
        let architecture = architecture.parse().map_err(|error: String| {
            Diagnostic::error("Unknown architecture", error).at(path!("architecture"))
        })?;
        let base_dir = config
            .base_dir
            .known()
            .cloned()
            .unwrap_or_else(|| ".".to_owned());
        Ok(Some(Self {
            documents,
            parsed,
            lock,
            architecture,
            options,
            base_dir,
        }))
    }

    /// What is doubtful in the text, or nothing: findings that need no image and leave no doubt. What
    /// is not pinned is told where it matters.
    pub(crate) fn doubts(&self) -> Option<String> {
        let names = self.documents.names();
        let texts = self.documents.documents(&names);
        let selection = Selection::default();
        let found = lint(&self.parsed, &texts, None, &selection, &Facts::default());
        let is_told = |fault: &Fault| {
            fault.severity == Severity::Warning
                && !matches!(fault.id, Some("unpinned" | "no-runtime"))
        };
        let told: Faults = found.into_iter().filter(is_told).collect();
        (!told.is_empty()).then(|| told.to_string())
    }

    /// Whether there can be a disk: it takes a kernel, and an architecture that we can start.
    pub(crate) fn has_disk(&self) -> bool {
        self.architecture != Architecture::Riscv64 && self.parsed.spec.kernel.is_some()
    }

    /// Pins everything by digests in the YAML, the lock, the prior locked spec; offline.
    pub(crate) fn pin(&self, prior: Option<&LockedSpec>) -> Result<Outcome, Diagnostics> {
        self.secrets_in_sources()?;
        self.pin_by(self.lock.as_ref(), prior)
    }

    fn pin_by(
        &self,
        lock: Option<&Lock>,
        prior: Option<&LockedSpec>,
    ) -> Result<Outcome, Diagnostics> {
        let base = FilePath::new(&self.base_dir);
        let mut inline = |source: &str, optional: bool| inline::read(base, source, optional);
        let spec = &self.parsed.spec;
        lock_spec(
            spec,
            self.architecture,
            lock,
            prior,
            &self.options,
            &mut inline,
        )
        .map_err(|found| self.located(found))
    }

    fn located(&self, mut found: Faults) -> Diagnostics {
        let names = self.documents.names();
        self.parsed
            .locate(&mut found, &self.documents.documents(&names));
        faults::diagnostics(&found, &|at| self.documents.path(at))
    }

    /// Pins what is open by asking for it.
    pub(crate) fn resolve(
        &self,
        workshop: &Workshop,
        prior: Option<&LockedSpec>,
    ) -> Result<LockedSpec, Diagnostics> {
        let prior = prior.filter(|prior| prior.architecture == self.architecture);
        let keep = self.lock.clone().unwrap_or_else(|| {
            let mut keep = Lock::default();
            // The recipe is kept like a digest.
            keep.recipe = prior.map_or(keep.recipe, |prior| prior.recipe);
            keep
        });
        let builder = workshop.builder()?;
        let wanted = Wanted {
            spec: &self.parsed.spec,
            architectures: &[self.architecture],
            keep: Some(&keep),
            update: &BTreeSet::new(),
            threads: builder.threads(),
        };
        let known = prior.map(pinned_by).unwrap_or_default();
        let lock = locking::lock_except(builder.images(), &wanted, &known);
        let lock = lock.map_err(|error| workshop.unresolved(&error))?;
        match self.pin_by(Some(&lock), prior)? {
            Outcome::Locked(locked) => Ok(*locked),
            Outcome::Unpinned(names) => {
                let text = format!("Nothing was found for {}.", names.join(", "));
                Err(Diagnostic::error("Can't resolve image references", text)
                    .at(path!("config"))
                    .into())
            }
        }
    }

    /// What a `source` brings ends in the locked spec just as `contents` does.
    fn secrets_in_sources(&self) -> Result<(), Diagnostics> {
        let mut facts = Facts::default();
        let mut total = 0;
        for (index, file) in self.parsed.spec.files.iter().enumerate() {
            let Some(source) = &file.source else {
                continue;
            };
            // What can't be read is told when it is pinned.
            let optional = file.optional == Some(true);
            if let Ok(Some(bytes)) = inline::read(FilePath::new(&self.base_dir), source, optional) {
                total += bytes.len();
                let text = String::from_utf8_lossy(&bytes).into_owned();
                facts.sources.insert(index, text);
            }
            if total > MAX_INLINE {
                break;
            }
        }
        match facts.sources.is_empty() {
            true => Ok(()),
            false => secrets(&self.documents, &self.parsed, &facts),
        }
    }
}

/// What a prior locked spec pins.
fn pinned_by(prior: &LockedSpec) -> BTreeSet<String> {
    let init = prior.init.map(|_| BUILTIN_INIT.to_owned());
    let images = prior.images.keys().cloned();
    images
        .chain(init)
        .chain([BUILTIN_BOOT.to_owned()])
        .collect()
}

fn read_documents(config: &Image) -> Result<Option<(Documents, Parsed)>, Diagnostics> {
    let Some(documents) = Documents::read(&config.config)? else {
        return Ok(None);
    };
    let parsed = documents.parse()?;
    secrets(&documents, &parsed, &Facts::default())?;
    Ok(Some((documents, parsed)))
}

fn read_lock(lock: &Val<String>) -> Result<Option<Lock>, Diagnostics> {
    let Some(text) = lock.known() else {
        return Ok(None);
    };
    let lock = Lock::parse(text);
    lock.map(Some).map_err(|error| {
        Diagnostic::error("Invalid lock", error.to_string())
            .at(path!("lock"))
            .into()
    })
}

/// Secrets in `files` end in state, plans and every machine: refused.
fn secrets(documents: &Documents, parsed: &Parsed, facts: &Facts) -> Result<(), Diagnostics> {
    let names = documents.names();
    let texts = documents.documents(&names);
    let found = lint(parsed, &texts, None, &Selection::default(), facts);
    let mut errors = Faults::default();
    for fault in found
        .iter()
        .filter(|fault| fault.severity == Severity::Error)
    {
        errors.push(fault.clone());
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(faults::diagnostics(&errors, &|at| documents.path(at)))
}

/// `None` while a part is unknown.
fn disk_options(disk: &Val<Disk>) -> Option<DiskOptions> {
    let mut options = DiskOptions::default();
    let disk = match disk {
        Val::Unknown => return None,
        Val::Null => return Some(options),
        Val::Known(disk) => disk,
    };
    let unknown = disk.size.is_unknown()
        || disk.firmware.is_unknown()
        || disk.codec.is_unknown()
        || disk.min_memory.is_unknown()
        || disk.cmdline.is_unknown();
    if unknown {
        return None;
    }
    let mib = |value: &Val<i64>| value.known().and_then(|mib| u64::try_from(*mib).ok());
    options.size = mib(&disk.size);
    options.firmware = disk.firmware.known().and_then(|name| match name.as_str() {
        "hybrid" => Some(Firmware::Hybrid),
        "uefi" => Some(Firmware::Uefi),
        "bios" => Some(Firmware::Bios),
        _ => None,
    });
    options.codec = match disk.codec.known().map(String::as_str) {
        Some("zstd") => Codec::Zstd,
        Some("gzip") => Codec::Gzip,
        Some("lz4") => Codec::Lz4,
        Some("xz") => Codec::Xz,
        Some("none") => Codec::None,
        _ => Codec::Auto,
    };
    options.min_memory = mib(&disk.min_memory).unwrap_or(options.min_memory);
    options.cmdline = disk.cmdline.known().cloned().unwrap_or_default();
    Some(options)
}
