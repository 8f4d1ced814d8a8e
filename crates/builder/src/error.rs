//! Why an image can't be built.

use std::error::Error;
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
    #[error("cannot pack {component}")]
    Segment {
        /// The component.
        component: String,
        /// The cause.
        source: SegmentError,
    },
    /// The kernel can't be read.
    #[error("cannot read the kernel")]
    Kernel(#[source] io::Error),
    /// The microcode is something else.
    #[error(
        "`{path}` of `{reference}` is not an uncompressed cpio (newc), and the kernel looks for \
         microcode in nothing else; unpack it in the image, or leave out `kernel.ucode`"
    )]
    Ucode {
        /// The kernel's image.
        reference: String,
        /// `kernel.ucode`.
        path: String,
    },
    /// The kernel does not unpack what was asked for.
    #[error(transparent)]
    Codec(#[from] crate::kernel::UnsupportedCodec),
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
    /// Something that was just stored is gone, or another program's.
    #[error("the store changes while it is used; keep other programs out of it, and build again")]
    StoreChanged,
    /// Facts of a segment or kernel can't be written; never for the types used here.
    #[error("cannot write JSON")]
    Json(#[from] serde_json::Error),
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
    let texts: Vec<_> = errors.iter().map(|error| explain(error)).collect();
    texts.join("\n")
}

/// An error and what caused it, in one line: `this: because of that`. A cause that the text already
/// has is not repeated.
pub fn explain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packing(component: &str) -> BuildError {
        BuildError::Segment {
            component: component.to_owned(),
            source: SegmentError::Read {
                path: "/store/x".into(),
                source: io::ErrorKind::PermissionDenied.into(),
            },
        }
    }

    #[test]
    fn causes_are_told_once_and_of_each_of_many() {
        let one = "cannot pack init[0]: cannot read `/store/x` of the store: permission denied";
        assert_eq!(explain(&BuildError::many(vec![packing("init[0]")])), one);
        let many = BuildError::many(vec![packing("init[0]"), packing("files")]);
        let other = one.replace("init[0]", "files");
        assert_eq!(explain(&many), format!("{one}\n{other}"));
    }

    #[test]
    fn one_that_was_stopped_stops_all() {
        assert!(BuildError::many(vec![packing("a"), BuildError::Cancelled]).is_cancelled());
        assert!(!packing("a").is_cancelled());
        let inside = BuildError::RootFs(rootfs::Error::Image {
            reference: "x".to_owned(),
            source: Box::new(BuildError::Cancelled),
        });
        assert!(!inside.is_cancelled(), "only images stop there");
    }
}
