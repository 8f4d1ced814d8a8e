//! `nodeimage_image`

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path as FilePath;

use nodeimage_builder::locking::{self, Wanted};
use nodeimage_spec::lint::lint;
use nodeimage_spec::locked::{Codec, Firmware};
use nodeimage_spec::reference::{BUILTIN_BOOT, BUILTIN_INIT};
use nodeimage_spec::{
    Architecture, DiskOptions, Faults, Lock, LockedSpec, Outcome, Parsed, Severity, lock_spec,
};
use tfplugin::resource::Plan;
use tfplugin::{Cx, Diagnostic, Diagnostics, Dynamic, Resource, Val, model, path};

use crate::documents::Documents;
use crate::faults;
use crate::workshop::{Workshop, text};

model! {
    /// An operating system image: LinuxKit YAML and a lock make an id, and the id is known when
    /// planning. It is no object in any cloud: it is a pure function of its configuration, updated
    /// in place. Give the whole resource to what makes something of it:
    /// `image = nodeimage_image.node`.
    ///
    /// Whoever can start an image can read what is in it: put no secrets into it.
    pub struct Image {
        /// LinuxKit YAML: one text, or a list of texts that are merged in order as `linuxkit build`
        /// merges its files.
        config: Dynamic = required(),
        /// The lock that `nodeimage lock` writes. Without it references are resolved when the
        /// image is made, and keep their digests until `relock` changes.
        lock: String = optional(),
        /// Any text; a change resolves references without a digest anew.
        relock: String = optional(),
        /// The machine it is for: `amd64` or `arm64`, never this machine's own.
        architecture: String = optional().default_str("amd64").one_of(&["amd64", "arm64", "riscv64"]),
        /// What `files: source` is relative to. Default: the root module's directory; in a module
        /// give `path.module`.
        base_dir: String = optional(),
        /// What the disk is like.
        disk: Disk = optional(),
        /// The image id: sha256 of the locked spec.
        id: String = computed(),
        /// The locked spec: all that decides the image's bytes.
        spec: String = computed().sensitive(),
        /// Each reference and the digest it stands for.
        images: BTreeMap<String, String> = computed(),
        /// sha256 of the disk's block map: the identity of its bytes, the same on every platform.
        disk_digest: String = computed(),
        /// The disk's size in bytes.
        disk_size: i64 = computed(),
    }

    /// The disk.
    pub struct Disk {
        /// Size in MiB. Default: as few whole GiB as fit.
        size: i64 = optional().range(1..=64 << 20),
        /// What boots it: `hybrid` (BIOS and UEFI), `uefi` or `bios`. Default: `hybrid`, on arm64
        /// `uefi`.
        firmware: String = optional().one_of(&["hybrid", "uefi", "bios"]),
        /// How the initrd is compressed: `auto` (zstd from Linux 5.9 on, else gzip), `zstd`, `gzip`
        /// or `none`. Default: `auto`.
        codec: String = optional().one_of(&["auto", "zstd", "gzip", "none"]),
        /// MiB of the smallest machine that must start it. Default: 1024.
        min_memory: i64 = optional().range(1..=64 << 20),
        /// Added behind the YAML's kernel command line.
        cmdline: String = optional(),
    }
}

const UNPINNED: &str = "Image references are not pinned";

/// The resource.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImageResource;

/// All of a configuration, known.
struct Given {
    documents: Documents,
    parsed: Parsed,
    lock: Option<Lock>,
    architecture: Architecture,
    options: DiskOptions,
    base_dir: String,
}

impl Given {
    /// `None` while a part is unknown.
    fn read(config: &Image) -> Result<Option<Self>, Diagnostics> {
        let documents = Documents::read(&config.config);
        let lock = read_lock(&config.lock);
        let (documents, lock) = match (documents, lock) {
            (Ok(documents), Ok(lock)) => (documents, lock),
            (Err(mut first), Err(second)) => {
                first.extend(second);
                return Err(first);
            }
            (Err(found), Ok(_)) | (Ok(_), Err(found)) => return Err(found),
        };
        let Some(documents) = documents else {
            return Ok(None);
        };
        let parsed = documents.parse()?;
        secrets(&documents, &parsed)?;
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

    /// Pins everything by digests in the YAML, the lock, the prior locked spec.
    fn pin(&self, lock: Option<&Lock>, prior: Option<&LockedSpec>) -> Result<Outcome, Diagnostics> {
        let base = FilePath::new(&self.base_dir);
        let mut inline =
            |source: &str, optional: bool| nodeimage_builder::inline::read(base, source, optional);
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
    fn resolve(
        &self,
        workshop: &Workshop,
        prior: Option<&LockedSpec>,
    ) -> Result<LockedSpec, Diagnostics> {
        if let Outcome::Locked(locked) = self.pin(self.lock.as_ref(), prior)? {
            return Ok(*locked);
        }
        let builder = workshop.builder()?;
        let wanted = Wanted {
            spec: &self.parsed.spec,
            architectures: &[self.architecture],
            keep: self.lock.as_ref(),
            update: &BTreeSet::new(),
            threads: builder.threads(),
        };
        let known = prior.map(pinned_by).unwrap_or_default();
        let lock = locking::lock_except(builder.images(), &wanted, &known);
        let lock = lock.map_err(|error| {
            Diagnostic::error("Can't resolve image references", text(&error)).at(path!("config"))
        })?;
        match self.pin(Some(&lock), prior)? {
            Outcome::Locked(locked) => Ok(*locked),
            Outcome::Unpinned(names) => {
                let text = format!("Nothing was found for {}.", names.join(", "));
                Err(Diagnostic::error("Can't resolve image references", text).into())
            }
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

impl Resource for ImageResource {
    type Model = Image;
    const NAME: &'static str = "image";

    fn validate(&self, _: &mut Cx, config: &Image) -> Result<(), Diagnostics> {
        Given::read(config).map(drop)
    }

    fn plan(&self, cx: &mut Cx, plan: &mut Plan<Image>) -> Result<(), Diagnostics> {
        let Some(given) = Given::read(&plan.config)? else {
            return Ok(());
        };
        let prior = prior(&plan.config, plan.prior.as_ref());
        match given.pin(given.lock.as_ref(), prior.as_ref())? {
            Outcome::Locked(locked) => {
                set_identity(&mut plan.planned, &locked);
                if let Some(prior) = plan
                    .prior
                    .as_ref()
                    .filter(|prior| prior.id == plan.planned.id)
                {
                    plan.planned.disk_digest = prior.disk_digest.clone();
                    plan.planned.disk_size = prior.disk_size.clone();
                }
            }
            Outcome::Unpinned(names) => {
                let shown: Vec<_> = names
                    .iter()
                    .filter(|name| !name.starts_with("builtin:"))
                    .collect();
                let list = if shown.is_empty() {
                    names.iter().collect()
                } else {
                    shown
                };
                let list: Vec<&str> = list.into_iter().map(String::as_str).collect();
                let text = format!(
                    "What they stand for is looked up when this is applied, so the image id is not \
                     known now, and whatever must be replaced when it changes is planned for \
                     replacement: {}.\n\nWrite a lock with `nodeimage lock FILE.yml` and give it: \
                     lock = file(\"FILE.lock\")",
                    list.join(", ")
                );
                cx.warn(path!("config"), UNPINNED, text);
            }
        }
        Ok(())
    }

    fn create(&self, cx: &mut Cx, config: &Image, state: &mut Image) -> Result<(), Diagnostics> {
        make(cx, config, None, state)
    }

    fn read(&self, _: &mut Cx, state: Image) -> Result<Option<Image>, Diagnostics> {
        Ok(Some(state))
    }

    fn update(
        &self,
        cx: &mut Cx,
        config: &Image,
        prior_state: &Image,
        state: &mut Image,
    ) -> Result<(), Diagnostics> {
        make(cx, config, Some(prior_state), state)
    }

    fn delete(&self, _: &mut Cx, _: &mut Image) -> Result<(), Diagnostics> {
        Ok(())
    }

    fn import(&self, _: &mut Cx, _: &str) -> Result<Image, Diagnostics> {
        let text = "An image is a function of its configuration: there is nothing to import. Write \
                    the resource, and apply it.";
        Err(Diagnostic::error("nodeimage_image can't be imported", text).into())
    }
}

fn make(
    cx: &mut Cx,
    config: &Image,
    prior_state: Option<&Image>,
    state: &mut Image,
) -> Result<(), Diagnostics> {
    let given = Given::read(config)?.ok_or_else(|| {
        Diagnostic::error("Missing value", "A part of the configuration is not known.")
    })?;
    let workshop = cx.provider::<Workshop>()?;
    let locked = given.resolve(workshop, prior(config, prior_state).as_ref())?;
    set_identity(state, &locked);
    if let Some(prior) =
        prior_state.filter(|prior| prior.id == state.id && prior.disk_digest.is_known())
    {
        state.disk_digest = prior.disk_digest.clone();
        state.disk_size = prior.disk_size.clone();
        return Ok(());
    }
    if given.architecture == Architecture::Riscv64 || locked.spec.kernel.is_none() {
        // Such an image has outputs, but no disk.
        state.disk_digest = Val::Null;
        state.disk_size = Val::Null;
        return Ok(());
    }
    let (_, disk) = workshop.disk(&locked)?;
    state.disk_digest = format!("sha256:{}", hex::encode(disk.map.digest())).into();
    state.disk_size = i64::try_from(disk.disk.size()).unwrap_or(i64::MAX).into();
    Ok(())
}

/// The prior locked spec, unless `relock` changed: its digests are kept.
fn prior(config: &Image, state: Option<&Image>) -> Option<LockedSpec> {
    let state = state.filter(|state| state.relock == config.relock)?;
    // A spec that this version can't read pins nothing.
    LockedSpec::parse(state.spec.known()?).ok()
}

fn set_identity(state: &mut Image, locked: &LockedSpec) {
    state.id = locked.id().into();
    state.spec = locked.to_json().into();
    let images: BTreeMap<String, String> = locked
        .images
        .iter()
        .map(|(name, digest)| (name.clone(), digest.to_string()))
        .collect();
    state.images = Val::Known(images);
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
fn secrets(documents: &Documents, parsed: &Parsed) -> Result<(), Diagnostics> {
    let names = documents.names();
    let found = lint(parsed, &documents.documents(&names), None, &[]);
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
        Some("none") => Codec::None,
        _ => Codec::Auto,
    };
    options.min_memory = mib(&disk.min_memory).unwrap_or(options.min_memory);
    options.cmdline = disk.cmdline.known().cloned().unwrap_or_default();
    Some(options)
}
