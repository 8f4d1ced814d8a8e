//! Why an image can't be built.

use std::io;

use nodeimage_disk::canonical::CanonicalError;
use nodeimage_disk::uki::UkiError;
use nodeimage_images::store::StoreError;
use nodeimage_spec::Faults;

use crate::boot_parts::BootPartsError;
use crate::rootfs;
use crate::segment::SegmentError;

/// Why an image can't be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Several independent causes.
    #[error("{}", list(.0))]
    Many(Vec<BuildError>),
    /// A reference has no digest in the locked spec.
    #[error("`{reference}` has no digest in the locked spec; lock it with `nodeimage lock`")]
    Unpinned {
        /// The reference.
        reference: String,
    },
    /// The image can't be had.
    #[error(transparent)]
    Image(#[from] nodeimage_images::Error),
    /// The image's label is not what LinuxKit reads.
    #[error("the label `org.mobyproject.config` of `{reference}` is not valid:\n{faults}")]
    Label {
        /// The image.
        reference: String,
        /// What is wrong.
        faults: Faults,
    },
    /// The root file system can't be laid out.
    #[error(transparent)]
    RootFs(#[from] rootfs::Error),
    /// A component can't be packed.
    #[error("cannot pack {component}: {source}")]
    Segment {
        /// The component.
        component: String,
        /// The cause.
        source: SegmentError,
    },
    /// The kernel can't be read.
    #[error("cannot read the kernel")]
    Kernel(#[source] io::Error),
    /// A disk needs a kernel.
    #[error(
        "the spec has no `kernel.image`, and a disk needs a kernel to start; add one, or make the output `tar`"
    )]
    NoKernel,
    /// There is no way to start a disk on this architecture.
    #[error("no disk can be made for {0}; make the output `tar` or `kernel+initrd`")]
    NoDisk(nodeimage_spec::Architecture),
    /// Boot parts can't be had.
    #[error(transparent)]
    BootParts(#[from] BootPartsError),
    /// The UKI can't be made.
    #[error(transparent)]
    Uki(#[from] UkiError),
    /// The disk can't be laid out.
    #[error(transparent)]
    Disk(#[from] CanonicalError),
    /// A machine of the least size could not start it.
    #[error("{0}")]
    Memory(crate::memory::TooLittle),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store evicted what it was just given.
    #[error("the store is too small for this image; raise its size limit")]
    StoreTooSmall,
    /// A recipe this program does not know.
    #[error("recipe {0} is not known to this program; use a newer nodeimage, or lock anew")]
    Recipe(u32),
    /// It was stopped on request.
    #[error("stopped before it was complete")]
    Cancelled,
}

impl BuildError {
    /// One error as itself, several together.
    pub fn many(mut errors: Vec<Self>) -> Self {
        if errors.len() == 1 {
            errors.remove(0)
        } else {
            Self::Many(errors)
        }
    }

    /// Whether it was stopped on request.
    pub fn is_cancelled(&self) -> bool {
        match self {
            Self::Cancelled => true,
            Self::Image(error) => error.is_cancelled(),
            Self::RootFs(rootfs::Error::Image { source, .. }) => source
                .downcast_ref::<nodeimage_images::Error>()
                .is_some_and(nodeimage_images::Error::is_cancelled),
            Self::Many(errors) => errors.iter().any(Self::is_cancelled),
            _ => false,
        }
    }
}

fn list(errors: &[BuildError]) -> String {
    let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
    texts.join("\n")
}
