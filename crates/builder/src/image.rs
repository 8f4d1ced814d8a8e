//! Locked spec → kernel, segments, disk.

use std::num::NonZeroUsize;
use std::sync::Arc;

use nodeimage_disk::canonical::{self, Canonical, GrubParts, Parts, UkiSegment};
use nodeimage_disk::slot::{self, slot_len};
use nodeimage_disk::{Extents, Sha256, StoredFile, uki};
use nodeimage_images::{Data, Images, Kind, Node, Tree};
use nodeimage_spec::locked::{Codec as CodecChoice, Firmware};
use nodeimage_spec::{Architecture, LockedSpec, RECIPE};
use sha2::Digest as _;

use crate::BuildError;
use crate::boot_parts::{self, BOOT_IMG, CORE_IMG, stub_name};
use crate::facts::OpenImages;
use crate::kernel::StoredKernel;
use crate::memory;
use crate::rootfs::{Component, MTIME, plan};
use crate::segment::{Codec, encode_xattrs, make};
use crate::stored_segment::{self, StoredSegment};

/// The initrd and kernel of a locked spec: all that outputs and disks are made of.
#[derive(Clone, Debug)]
pub struct Machine {
    /// sha256 of the locked spec.
    pub id: Sha256,
    /// The machine it is for.
    pub architecture: Architecture,
    /// The kernel; none when the spec names none.
    pub kernel: Option<StoredKernel>,
    /// The kernel's command line.
    pub cmdline: String,
    /// The initrd's segments, in order.
    pub segments: Vec<StoredSegment>,
    /// The last segment, with our init only: the image id and the attributes to restore.
    pub own: Option<Arc<[u8]>>,
    /// How all of them are compressed.
    pub codec: Codec,
}

/// Makes images.
#[derive(Clone, Debug)]
pub struct Builder {
    images: Images,
    threads: NonZeroUsize,
}

impl Builder {
    /// Builds from `images` with at most `threads` threads, whose number shows in no byte.
    pub fn new(images: Images, threads: NonZeroUsize) -> Self {
        Self { images, threads }
    }

    /// The images it builds from.
    pub fn images(&self) -> &Images {
        &self.images
    }

    /// How many threads it uses.
    pub fn threads(&self) -> NonZeroUsize {
        self.threads
    }

    /// The components of the root file system with their trees' makers, in order.
    pub fn with_components<R>(
        &self,
        locked: &LockedSpec,
        use_them: impl FnOnce(&[Component], &OpenImages<'_>) -> Result<R, BuildError>,
    ) -> Result<R, BuildError> {
        check_recipe(locked)?;
        let open = OpenImages::open(&self.images, locked, self.threads)?;
        let components = plan(&locked.spec, &open, own_init(locked, &open))?;
        use_them(&components, &open)
    }

    /// Kernel and initrd. Only what is not in the store is fetched and made.
    pub fn machine(&self, locked: &LockedSpec) -> Result<Machine, BuildError> {
        self.with_components(locked, |components, open| {
            let kernel = StoredKernel::get(&self.images, open, locked)?;
            let codec = match locked.disk.codec {
                CodecChoice::Auto => kernel.as_ref().map_or(Codec::Zstd, StoredKernel::codec),
                CodecChoice::Zstd => Codec::Zstd,
                CodecChoice::Gzip => Codec::Gzip,
                CodecChoice::None => Codec::None,
            };
            let segments = stored_segment::segments(
                &self.images,
                open,
                components,
                codec,
                locked.recipe,
                self.threads,
            )?;
            let id: Sha256 = sha2::Sha256::digest(locked.to_json()).into();
            let own = own_init(locked, open).then(|| own_segment(&id, &segments, codec));
            Ok(Machine {
                id,
                architecture: locked.architecture,
                cmdline: cmdline(locked),
                kernel,
                segments,
                own: own.transpose()?,
                codec,
            })
        })
    }

    /// Removes stored parts of the machine that are not what they were when they were written;
    /// whether there were any. [`Builder::machine`] makes them anew.
    pub fn remove_damaged(&self, machine: &Machine) -> Result<bool, BuildError> {
        let store = self.images.store();
        let mut damaged = stored_segment::remove_damaged(store, &machine.segments)?;
        if let Some(kernel) = &machine.kernel {
            damaged |= kernel.remove_damaged(store)?;
        }
        Ok(damaged)
    }

    /// The canonical disk. Its layout and its block map are arithmetic over the machine's stored
    /// parts: none is read.
    pub fn disk(&self, locked: &LockedSpec, machine: &Machine) -> Result<Canonical, BuildError> {
        let kernel = machine.kernel.as_ref().ok_or(BuildError::NoKernel)?;
        let no_disk = BuildError::NoDisk(machine.architecture);
        let stub = stub_name(machine.architecture).ok_or(no_disk)?;
        let firmware = locked.disk.firmware(machine.architecture);
        let mut names = vec![stub];
        if firmware != Firmware::Uefi {
            names.extend([BOOT_IMG, CORE_IMG]);
        }
        let parts = boot_parts::load(&self.images, &locked.boot, machine.architecture, &names)?;
        let part = |name: &str| parts.get(name).map(Vec::as_slice).unwrap_or_default();
        let initrd = Initrd::of(machine)?;
        let kernel_file = Extents::from_file(Arc::clone(&kernel.file));
        let uki = uki::build(&uki::Input {
            stub: part(stub),
            os_release: &os_release(&machine.id),
            cmdline: &machine.cmdline,
            uname: kernel.release.as_deref(),
            kernel: &padded(&kernel_file)?,
            initrd: &initrd.extents,
        })?;
        let unpacked = machine
            .segments
            .iter()
            .map(|segment| segment.facts.unpacked)
            .sum();
        memory::check(locked.disk.min_memory, uki.file.size(), unpacked, firmware)
            .map_err(BuildError::Memory)?;
        let segments: Vec<UkiSegment> = initrd
            .segments
            .iter()
            .map(|(key, offset, len)| UkiSegment {
                key: *key,
                offset: uki.initrd.start + offset,
                len: *len,
            })
            .collect();
        Ok(canonical::assemble(&Parts {
            image_id: machine.id,
            architecture: match machine.architecture {
                Architecture::Arm64 => nodeimage_disk::Architecture::Arm64,
                Architecture::Amd64 | Architecture::Riscv64 => nodeimage_disk::Architecture::Amd64,
            },
            firmware: match firmware {
                Firmware::Hybrid => canonical::Firmware::Hybrid,
                Firmware::Uefi => canonical::Firmware::Uefi,
                Firmware::Bios => canonical::Firmware::Bios,
            },
            size: locked.disk.size.map(|mib| mib.saturating_mul(1 << 20)),
            grub: (firmware != Firmware::Uefi).then(|| GrubParts {
                boot_img: part(BOOT_IMG),
                core_img: part(CORE_IMG),
            }),
            cmdline: &machine.cmdline,
            uki: &uki,
            segments: &segments,
        })?)
    }
}

fn check_recipe(locked: &LockedSpec) -> Result<(), BuildError> {
    if (1..=RECIPE).contains(&locked.recipe) {
        Ok(())
    } else {
        Err(BuildError::Recipe(locked.recipe))
    }
}

fn own_init(locked: &LockedSpec, open: &OpenImages<'_>) -> bool {
    locked
        .spec
        .init
        .iter()
        .any(|reference| open.is_own_init(reference))
}

fn cmdline(locked: &LockedSpec) -> String {
    let spec = locked
        .spec
        .kernel
        .as_ref()
        .and_then(|kernel| kernel.cmdline.as_deref());
    let words: Vec<&str> = [spec.unwrap_or_default(), locked.disk.cmdline.as_str()]
        .into_iter()
        .map(str::trim)
        .filter(|words| !words.is_empty())
        .collect();
    words.join(" ")
}

/// What boot managers show.
fn os_release(id: &Sha256) -> String {
    let short = hex::encode(&id[..6]);
    format!(
        "ID=nodeimage\nNAME=nodeimage\nPRETTY_NAME=\"nodeimage {short}\"\n\
         IMAGE_ID=nodeimage\nIMAGE_VERSION={short}\n"
    )
}

fn own_segment(
    id: &Sha256,
    segments: &[StoredSegment],
    codec: Codec,
) -> Result<Arc<[u8]>, BuildError> {
    let all = segments.iter().flat_map(|segment| &segment.facts.xattrs);
    let xattrs = encode_xattrs(all.map(|(path, attributes)| (path.as_str(), attributes)));
    let id = format!("sha256:{}\n", hex::encode(id)).into_bytes();
    let node = |kind, mode| Node {
        kind,
        mode,
        uid: 0,
        gid: 0,
        mtime: MTIME,
        xattrs: std::collections::BTreeMap::new(),
    };
    let file = |bytes: Vec<u8>| node(Kind::File(Data::Bytes(bytes.into())), 0o644);
    let tree = Tree::from([
        (b"etc/nodeimage".to_vec(), node(Kind::Dir, 0o755)),
        (b"etc/nodeimage/id".to_vec(), file(id)),
        (b"etc/nodeimage/xattrs".to_vec(), file(xattrs)),
    ]);
    let mut bytes = Vec::new();
    make(&tree, codec, &mut bytes).map_err(|source| BuildError::Segment {
        component: "etc/nodeimage".to_owned(),
        source,
    })?;
    Ok(bytes.into())
}

/// The kernel with room to grow, so that a slightly larger one moves nothing behind it. Only the
/// length changes: the zeros are holes.
fn padded(kernel: &Extents) -> Result<Extents, BuildError> {
    let mut padded = Extents::new(slot_len(kernel.size()));
    padded
        .place(0, kernel)
        .map_err(canonical::CanonicalError::from)?;
    Ok(padded)
}

/// The initrd: each segment in its slot, zeros in between.
struct Initrd {
    extents: Extents,
    /// Key, offset and length of each.
    segments: Vec<(Sha256, u64, u64)>,
}

impl Initrd {
    fn of(machine: &Machine) -> Result<Self, BuildError> {
        let stored = machine
            .segments
            .iter()
            .map(|segment| (segment.key, Arc::clone(&segment.file)));
        let ucode = machine
            .kernel
            .as_ref()
            .and_then(|kernel| kernel.ucode.clone());
        let own_key: Sha256 = sha2::Sha256::digest(b"etc/nodeimage").into();
        let parts: Vec<(Option<Sha256>, Extents)> = ucode
            .map(|file| (None, from(file)))
            .into_iter()
            .chain(stored.map(|(key, file)| (Some(key), from(file))))
            .chain(
                machine
                    .own
                    .clone()
                    .map(|own| (Some(own_key), Extents::from_bytes(own))),
            )
            .collect();
        let lens: Vec<u64> = parts.iter().map(|(_, part)| part.size()).collect();
        let slots = slot::pack(&lens).unwrap_or(slot::Slots {
            offsets: vec![],
            len: u64::MAX,
        });
        let mut extents = Extents::new(slots.len);
        let mut segments = Vec::new();
        for ((key, part), offset) in parts.iter().zip(&slots.offsets) {
            extents
                .place(*offset, part)
                .map_err(canonical::CanonicalError::from)?;
            segments.extend(key.map(|key| (key, *offset, part.size())));
        }
        Ok(Self { extents, segments })
    }
}

fn from(file: Arc<StoredFile>) -> Extents {
    Extents::from_file(file)
}
