//! `nodeimage_image`

use std::collections::BTreeMap;

use nodeimage_builder::BuildError;
use nodeimage_disk::canonical::CanonicalError;
use nodeimage_spec::{LockedError, LockedSpec, Outcome};
use tfplugin::resource::Plan;
use tfplugin::{Cx, Diagnostic, Diagnostics, Dynamic, Path, Resource, Val, model, path};

use crate::changes;
use crate::given::Given;
use crate::workshop::Workshop;

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
        /// The machine it is for: `amd64`, `arm64` or `riscv64`, which has no disk yet. Never this
        /// machine's own unless you say so.
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
        /// Null if there is no disk, as without a kernel.
        disk_digest: String = computed(),
        /// The disk's size in bytes. Null if there is no disk.
        disk_size: i64 = computed(),
    }

    /// The disk.
    pub struct Disk {
        /// Size in MiB. Default: as few whole GiB as fit.
        size: i64 = optional().range(1..=64 << 20),
        /// What boots it: `hybrid` (BIOS and UEFI), `uefi` or `bios`. Default: `hybrid`, on arm64
        /// `uefi`.
        firmware: String = optional().one_of(&["hybrid", "uefi", "bios"]),
        /// How the initrd is compressed: `auto` (zstd from Linux 5.9 on, else gzip), `zstd`, `gzip`,
        /// `lz4`, `xz` or `none`. Default: `auto`.
        codec: String = optional().one_of(&["auto", "zstd", "gzip", "lz4", "xz", "none"]),
        /// MiB of the smallest machine that must start it. Default: 1024.
        min_memory: i64 = optional().range(1..=64 << 20),
        /// Added behind the YAML's kernel command line.
        cmdline: String = optional(),
    }
}

const UNPINNED: &str = "Image references are not pinned";
const DOUBTS: &str = "Doubtful LinuxKit configuration";

/// The resource.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImageResource;

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
        if let Some(doubts) = given.doubts() {
            cx.warn(path!("config"), DOUBTS, doubts);
        }
        let prior = Prior::of(&plan.config, plan.prior.as_ref());
        match given.pin(prior.spec())? {
            Outcome::Locked(locked) => {
                set_identity(&mut plan.planned, &locked);
                if let Some(before) = before(plan.prior.as_ref()) {
                    changes::warn(cx, &before, &locked);
                }
                match &plan.prior {
                    Some(prior) if prior.id == plan.planned.id => {
                        plan.planned.disk_digest = prior.disk_digest.clone();
                        plan.planned.disk_size = prior.disk_size.clone();
                    }
                    // A file that `files` names may have changed, and nothing else.
                    _ => {
                        plan.planned.disk_digest = Val::Unknown;
                        plan.planned.disk_size = Val::Unknown;
                    }
                }
            }
            Outcome::Unpinned(names) => {
                prior.check()?;
                plan.planned.id = Val::Unknown;
                plan.planned.spec = Val::Unknown;
                plan.planned.images = Val::Unknown;
                plan.planned.disk_digest = Val::Unknown;
                plan.planned.disk_size = Val::Unknown;
                let before = before(plan.prior.as_ref());
                cx.warn(path!("config"), UNPINNED, unpinned(&names, before.as_ref()));
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

/// What the warning says of references without a digest.
fn unpinned(names: &[String], before: Option<&LockedSpec>) -> String {
    let ours = |name: &&String| name.starts_with("builtin:");
    let (own, theirs): (Vec<&String>, Vec<&String>) = names.iter().partition(ours);
    let shown = if theirs.is_empty() { own } else { theirs };
    let now = shown.iter().filter_map(|name| {
        let digest = before?.digest(name)?;
        Some(format!("  {name}  {digest} → known after apply"))
    });
    let now: Vec<String> = now.collect();
    let now = match now.is_empty() {
        true => String::new(),
        false => format!("Until now they stood for:\n{}\n\n", now.join("\n")),
    };
    let shown: Vec<&str> = shown.into_iter().map(String::as_str).collect();
    format!(
        "What they stand for is looked up when this is applied, so the image id is not known now, \
         and whatever must be replaced when it changes is planned for replacement: {}.\n\n{now}\
         Write a lock with `nodeimage lock FILE.yml` and give it: lock = file(\"FILE.lock\")",
        shown.join(", ")
    )
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
    let prior = Prior::of(config, prior_state);
    let mut moved = None;
    let locked = match given.pin(prior.spec())? {
        Outcome::Locked(locked) => *locked,
        Outcome::Unpinned(_) => {
            prior.check()?;
            let locked = given.resolve(workshop, prior.spec())?;
            // The plan could not say it.
            moved = before(prior_state).filter(|before| *before != locked);
            locked
        }
    };
    set_identity(state, &locked);
    if let Some(prior) =
        prior_state.filter(|prior| prior.id == state.id && prior.disk_digest.is_known())
    {
        state.disk_digest = prior.disk_digest.clone();
        state.disk_size = prior.disk_size.clone();
        return Ok(());
    }
    if given.has_disk() {
        let (_, disk) = workshop.disk(&locked, &place)?;
        state.disk_digest = format!("sha256:{}", hex::encode(disk.map.digest())).into();
        state.disk_size = i64::try_from(disk.disk.size()).unwrap_or(i64::MAX).into();
    } else {
        // Such an image has outputs, but no disk.
        state.disk_digest = Val::Null;
        state.disk_size = Val::Null;
    }
    if let Some(before) = moved {
        changes::warn(cx, &before, &locked);
    }
    Ok(())
}

/// What the image was made of until now, whatever `relock` says.
fn before(state: Option<&Image>) -> Option<LockedSpec> {
    LockedSpec::parse(state?.spec.known()?).ok()
}

/// The attribute that a failed build is about.
fn place(error: &BuildError) -> Path {
    match error {
        BuildError::Memory(_) => path!("disk", "min_memory"),
        BuildError::Disk(
            CanonicalError::SizeUnit(_)
            | CanonicalError::TooSmall { .. }
            | CanonicalError::TooLarge(_),
        ) => path!("disk", "size"),
        BuildError::Disk(CanonicalError::Firmware(_) | CanonicalError::NoGrub(_)) => {
            path!("disk", "firmware")
        }
        _ => path!("config"),
    }
}

/// The locked spec of the prior state, whose digests are kept unless `relock` changed.
enum Prior {
    /// There is none, or it doesn't count.
    Nothing,
    Spec(Box<LockedSpec>),
    /// Written by another version, or damaged.
    Unreadable(LockedError),
}

impl Prior {
    fn of(config: &Image, state: Option<&Image>) -> Self {
        let state = state.filter(|state| state.relock == config.relock);
        match state.and_then(|state| state.spec.known()) {
            None => Self::Nothing,
            Some(spec) => match LockedSpec::parse(spec) {
                Ok(spec) => Self::Spec(Box::new(spec)),
                Err(error) => Self::Unreadable(error),
            },
        }
    }

    fn spec(&self) -> Option<&LockedSpec> {
        match self {
            Self::Spec(spec) => Some(spec),
            Self::Nothing | Self::Unreadable(_) => None,
        }
    }

    /// Digests that can't be read are not replaced by newer ones unasked.
    fn check(&self) -> Result<(), Diagnostics> {
        let Self::Unreadable(error) = self else {
            return Ok(());
        };
        let text = format!(
            "The digests of this image stand in the state, in a form that can't be used: {error}. \
             Give a `lock`, or change `relock` to look references up anew."
        );
        Err(Diagnostic::error("Unusable locked spec in the state", text)
            .at(path!("lock"))
            .into())
    }
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
