//! Locked spec → kernel, segments, disk.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nodeimage_disk::canonical::{self, Canonical, GrubParts, Parts};
use nodeimage_disk::{Extents, Sha256, uki};
use nodeimage_images::Images;
use nodeimage_spec::locked::Firmware;
use nodeimage_spec::{Architecture, LockedSpec, RECIPE};
use sha2::Digest as _;

use crate::BuildError;
use crate::boot_parts::{self, BOOT_IMG, CORE_IMG, stub_name};
use crate::budget::Budget;
use crate::facts::OpenImages;
use crate::initrd::Initrd;
use crate::kernel::{self, StoredKernel};
use crate::memory::{self, Demand};
use crate::overrides::Overrides;
use crate::own_segment::own_segment;
use crate::rootfs::{Component, plan};
use crate::segment::Codec;
use crate::stop::Stop;
use crate::stored_segment::{self, Segments, StoredSegment};

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
    stop: Stop,
}

impl Builder {
    /// Builds from `images` with at most `threads` threads, whose number shows in no byte.
    pub fn new(images: Images, threads: NonZeroUsize) -> Self {
        Self {
            images,
            threads,
            stop: Stop::default(),
        }
    }

    /// Stops with [`BuildError::Cancelled`] soon after `flag` is raised. Downloads have their own
    /// way of being stopped: [`Images::with_progress`].
    #[must_use]
    pub fn with_stop(mut self, flag: Arc<AtomicBool>) -> Self {
        self.stop = Stop::new(flag);
        self
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
            let codec = kernel::codec(locked.disk.codec, kernel.as_ref())?;
            let make = Segments {
                store: self.images.store(),
                codec,
                recipe: locked.recipe,
                threads: self.threads,
                stop: &self.stop,
                budget: &Budget::default(),
            };
            let mut segments = make.all(open, components)?;
            let overrides = Overrides::find(make.store, open, components, &segments)?;
            let id: Sha256 = sha2::Sha256::digest(locked.to_json()).into();
            let own = own_init(locked, open)
                .then(|| own_segment(&id, &segments, &overrides, codec))
                .transpose()?;
            for (at, component) in overrides.unlinking(components) {
                segments.insert(at, make.one(open, &component)?);
            }
            Ok(Machine {
                id,
                architecture: locked.architecture,
                cmdline: cmdline(locked),
                kernel,
                segments,
                own,
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
        let uki = uki::build(&uki::Input {
            stub: part(stub),
            os_release: &os_release(&machine.id),
            cmdline: &machine.cmdline,
            uname: kernel.release.as_deref(),
            kernel: &Extents::from_file(Arc::clone(&kernel.file)),
            initrd: &initrd.extents,
        })?;
        let demand = Demand::new(
            uki.file.size(),
            initrd.extents.size(),
            machine.segments.iter().map(|segment| &segment.facts),
            &machine.cmdline,
        );
        memory::check(locked.disk.min_memory, demand, firmware).map_err(BuildError::Memory)?;
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
            segments: &initrd.segments_from(uki.initrd.start),
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
