//! What A and B name: YAML, a locked spec, an image id, a disk.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use nodeimage_builder::diff::{RecallError, Side, recall};
use nodeimage_disk::block_map::{self, BlockMap};
use nodeimage_disk::{Extents, StoredFile};
use nodeimage_images::store::Store;
use nodeimage_spec::lock::{LockedBoot, LockedImage};
use nodeimage_spec::reference::{BUILTIN_BOOT, BUILTIN_INIT};
use nodeimage_spec::{Architecture, Digest, DiskOptions, Lock, LockedSpec, Outcome, lock_spec};
use serde_json::Value;

use crate::args::Spec;
use crate::error::Failure;
use crate::input::Input;

/// A locked spec has 1 MiB of files and the YAML.
const MAX_TEXT: u64 = (64 << 20) + 1;

/// What a word of the command line is.
pub(super) enum Named {
    Yaml(Box<Input>),
    Locked(Box<LockedSpec>),
    Id(String),
    Disk(Box<BlockMap>),
}

/// The same after a look into the store.
pub(super) enum Known {
    Yaml(Box<Input>),
    Locked(Box<LockedSpec>),
    /// A disk, and what it is made of if that is known.
    Disk(Box<BlockMap>, Option<Box<LockedSpec>>),
    /// YAML that was completed.
    Side(Box<Side>),
}

/// What is compared.
pub(super) struct Found {
    side: Option<Side>,
    map: Option<BlockMap>,
}

impl Named {
    pub(super) fn read(word: &str, lock: Option<&Path>) -> Result<Self, Failure> {
        let named = Self::of(word, lock)?;
        match (&named, lock) {
            (Self::Yaml(_), _) | (_, None) => Ok(named),
            _ => Err(anyhow!("{word} is no YAML, and so has no lock; leave its lock away").into()),
        }
    }

    fn of(word: &str, lock: Option<&Path>) -> Result<Self, Failure> {
        let path = Path::new(word);
        if word != "-" && !path.exists() {
            let digits = word.strip_prefix("sha256:").unwrap_or(word);
            let is_id = word.starts_with("sha256:")
                || (digits.len() >= 12 && digits.bytes().all(|b| b.is_ascii_hexdigit()));
            if is_id {
                return Ok(Self::Id(word.to_owned()));
            }
            if word.contains(',') {
                return yaml(word.split(',').map(PathBuf::from).collect(), lock);
            }
            return Err(anyhow!(
                "there is no file {word}, and it is no image id either (`sha256:…`, or its first 12 digits)"
            )
            .into());
        }
        if word == "-" {
            return yaml(vec![path.to_owned()], lock);
        }
        let file = File::open(path).with_context(|| format!("cannot open {word}"))?;
        let len = file
            .metadata()
            .with_context(|| format!("cannot read {word}"))?
            .len();
        let mut head = [0; 8];
        let read = (&file).take(8).read(&mut head);
        read.with_context(|| format!("cannot read {word}"))?;
        if let Some(map) = disk(path, len, &head)? {
            return Ok(Self::Disk(Box::new(map)));
        }
        if head.contains(&0) {
            return Err(anyhow!("{word} is neither YAML nor a disk of nodeimage").into());
        }
        if head.trim_ascii_start().starts_with(b"{") {
            let mut text = String::new();
            let file = File::open(path).with_context(|| format!("cannot open {word}"))?;
            let read = file.take(MAX_TEXT).read_to_string(&mut text);
            read.with_context(|| format!("cannot read {word}"))?;
            // JSON is YAML too; a locked spec has a spec in it.
            let value: Option<Value> = serde_json::from_str(&text).ok();
            if value.is_some_and(|it| it.get("recipe").is_some() && it.get("spec").is_some()) {
                let locked = LockedSpec::parse(&text).with_context(|| word.to_owned())?;
                return Ok(Self::Locked(Box::new(locked)));
            }
        }
        yaml(vec![path.to_owned()], lock)
    }

    /// Where a `nodeimage.toml` is looked for.
    pub(super) fn dir(&self) -> Option<&Path> {
        match self {
            Self::Yaml(input) => Some(&input.dir),
            _ => None,
        }
    }

    /// Looks ids up. A disk whose id the store does not know stays what it says itself.
    pub(super) fn known(self, store: &Store) -> Result<Known, Failure> {
        Ok(match self {
            Self::Yaml(input) => Known::Yaml(input),
            Self::Locked(locked) => Known::Locked(locked),
            Self::Id(id) => Known::Locked(Box::new(recall(store, &id)?)),
            Self::Disk(map) => {
                let id = format!("sha256:{}", hex::encode(map.image_id()));
                let locked = match recall(store, &id) {
                    Ok(locked) => Some(Box::new(locked)),
                    Err(RecallError::Unknown(_) | RecallError::Spec { .. }) => None,
                    Err(error) => return Err(error.into()),
                };
                Known::Disk(map, locked)
            }
        })
    }
}

fn yaml(files: Vec<PathBuf>, lock: Option<&Path>) -> Result<Named, Failure> {
    let lock = lock.map(ToOwned::to_owned);
    Ok(Named::Yaml(Box::new(Input::read(&Spec { files, lock })?)))
}

/// The block map, if the file is one of our disks.
fn disk(path: &Path, len: u64, head: &[u8; 8]) -> Result<Option<BlockMap>, Failure> {
    let name = path.display();
    let formats: [(&[u8], &str); 4] = [
        (b"QFI\xfb", "qcow2"),
        (b"KDMV", "vmdk"),
        (b"vhdxfile", "vhdx"),
        (b"# Disk ", "vmdk"),
    ];
    if let Some((_, format)) = formats.iter().find(|(magic, _)| head.starts_with(magic)) {
        let text = format!(
            "{name} is a disk in the format {format}; raw disks can be compared: \
             qemu-img convert -O raw"
        );
        return Err(anyhow!(text).into());
    }
    if len < block_map::OFFSET + block_map::CAPACITY {
        return Ok(None);
    }
    let file = StoredFile {
        path: path.to_owned(),
        len,
        block_hashes: Vec::new(),
    };
    let disk = Extents::from_file(Arc::new(file));
    let mut magic = [0; 8];
    let read = |at, bytes: &mut [u8]| {
        disk.read_at(at, bytes)
            .with_context(|| format!("cannot read {name}"))
    };
    read(block_map::OFFSET, &mut magic)?;
    if &magic != b"NIBLKMAP" {
        return Ok(None);
    }
    let mut bytes = vec![0; block_map::CAPACITY as usize];
    read(block_map::OFFSET, &mut bytes)?;
    let map = BlockMap::parse(&bytes).with_context(|| format!("{name}: block map"))?;
    Ok(Some(map))
}

impl Known {
    pub(super) fn locked(&self) -> Option<&LockedSpec> {
        match self {
            Self::Yaml(_) => None,
            Self::Locked(locked) => Some(locked),
            Self::Disk(_, locked) => locked.as_deref(),
            Self::Side(side) => Some(&side.locked),
        }
    }

    /// Locks YAML for the machine and disk of the other side.
    pub(super) fn complete(
        self,
        other: Option<&LockedSpec>,
        arch: Option<Architecture>,
    ) -> Result<Self, Failure> {
        let Self::Yaml(input) = self else {
            return Ok(self);
        };
        let of_other = other.map(|other| other.architecture);
        let architecture = arch.or(of_other).unwrap_or_default();
        let options = match other.filter(|other| other.architecture == architecture) {
            Some(other) => other.disk.clone(),
            None => DiskOptions::default(),
        };
        let side = locked(&input, architecture, &options)?;
        Ok(Self::Side(Box::new(side)))
    }
}

/// Locks offline. References without a digest get one that stands for nothing.
fn locked(
    input: &Input,
    architecture: Architecture,
    options: &DiskOptions,
) -> Result<Side, Failure> {
    let try_lock = |lock: Option<&Lock>| {
        let mut inline = |source: &str, optional: bool| input.inline(source, optional);
        let spec = &input.parsed.spec;
        lock_spec(spec, architecture, lock, None, options, &mut inline).map_err(|mut faults| {
            input.parsed.locate(&mut faults, &input.documents());
            Failure::Spec(faults)
        })
    };
    let unpinned = match try_lock(input.lock.as_ref())? {
        Outcome::Locked(locked) => return Ok(Side::from(*locked)),
        Outcome::Unpinned(names) => names,
    };
    let mut lock = input.lock.clone().unwrap_or_default();
    let digest = Digest::of(b"not pinned");
    let nothing = || LockedImage {
        digest,
        platforms: BTreeMap::new(),
    };
    for name in &unpinned {
        match name.as_str() {
            BUILTIN_INIT => lock.init = Some(nothing()),
            BUILTIN_BOOT => {
                lock.boot = Some(LockedBoot {
                    digest,
                    platforms: BTreeMap::new(),
                    parts: BTreeMap::from([(architecture.platform(), BTreeMap::new())]),
                });
            }
            _ => drop(lock.images.insert(name.clone(), nothing())),
        }
    }
    match try_lock(Some(&lock))? {
        Outcome::Locked(locked) => Ok(Side {
            locked: *locked,
            unpinned: unpinned.into_iter().collect(),
        }),
        Outcome::Unpinned(names) => Err(anyhow!("not pinned: {}", names.join(", ")).into()),
    }
}

impl From<Known> for Found {
    fn from(known: Known) -> Self {
        let (side, map) = match known {
            // Completed before; without a machine there is nothing to compare.
            Known::Yaml(_) => (None, None),
            Known::Locked(locked) => (Some(Side::from(*locked)), None),
            Known::Disk(map, locked) => (locked.map(|locked| Side::from(*locked)), Some(*map)),
            Known::Side(side) => (Some(*side), None),
        };
        Self { side, map }
    }
}

impl Found {
    pub(super) fn parts(&self) -> (Option<&Side>, Option<&BlockMap>) {
        (self.side.as_ref(), self.map.as_ref())
    }
}
