//! Which codec an initrd gets: the one that was asked for, or the best that its kernel unpacks.
//!
//! `auto` stays `auto` in the locked spec. What it comes to follows from the kernel alone, whose
//! digest stands there, so it is the same on every machine although a plan cannot tell it.

use nodeimage_spec::locked::Codec as Choice;

use super::{StoredKernel, Version};
use crate::segment::Codec;

/// The first kernel that unpacks zstd, and lz4 with zeros behind it.
const WITH_ZSTD_AND_LZ4: Version = Version(5, 9);

/// A codec that the kernel does not unpack.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the kernel is Linux {version}, which cannot unpack an initrd compressed with `{}` (since \
     {WITH_ZSTD_AND_LZ4}); make the codec `auto`, `gzip` or `xz`",
    codec.name()
)]
pub struct UnsupportedCodec {
    /// What was asked for.
    pub codec: Codec,
    /// The kernel's version.
    pub version: Version,
}

/// The codec for an initrd of this kernel. Kernels whose version is not known count as new.
pub fn codec(choice: Choice, kernel: Option<&StoredKernel>) -> Result<Codec, UnsupportedCodec> {
    of_version(choice, kernel.and_then(|kernel| kernel.version))
}

fn of_version(choice: Choice, version: Option<Version>) -> Result<Codec, UnsupportedCodec> {
    let old = version.filter(|version| *version < WITH_ZSTD_AND_LZ4);
    let codec = match (choice, old) {
        (Choice::Auto, Some(_)) | (Choice::Gzip, _) => Codec::Gzip,
        (Choice::Auto, None) | (Choice::Zstd, _) => Codec::Zstd,
        (Choice::Lz4, _) => Codec::Lz4,
        (Choice::Xz, _) => Codec::Xz,
        (Choice::None, _) => Codec::None,
    };
    match (codec, old) {
        (Codec::Zstd | Codec::Lz4, Some(version)) => Err(UnsupportedCodec { codec, version }),
        _ => Ok(codec),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_kernels_get_gzip() {
        let auto = |version: Option<Version>| of_version(Choice::Auto, version).unwrap();
        assert_eq!(auto(Some(Version(4, 19))), Codec::Gzip);
        assert_eq!(auto(Some(Version(5, 8))), Codec::Gzip);
        assert_eq!(auto(Some(Version(5, 9))), Codec::Zstd);
        assert_eq!(auto(Some(Version(6, 1))), Codec::Zstd);
        assert_eq!(auto(None), Codec::Zstd);
    }

    #[test]
    fn what_the_kernel_cannot_unpack_is_refused() {
        let all = [
            (Choice::Zstd, Codec::Zstd),
            (Choice::Gzip, Codec::Gzip),
            (Choice::Lz4, Codec::Lz4),
            (Choice::Xz, Codec::Xz),
            (Choice::None, Codec::None),
        ];
        for (choice, codec) in all {
            assert_eq!(of_version(choice, None), Ok(codec));
            assert_eq!(of_version(choice, Some(Version(5, 9))), Ok(codec));
            let old = of_version(choice, Some(Version(5, 4)));
            let refused = matches!(codec, Codec::Zstd | Codec::Lz4);
            assert_eq!(old.is_err(), refused, "{choice:?}");
        }
        let error = of_version(Choice::Lz4, Some(Version(4, 19))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the kernel is Linux 4.19, which cannot unpack an initrd compressed with `lz4` (since \
             5.9); make the codec `auto`, `gzip` or `xz`"
        );
    }
}
