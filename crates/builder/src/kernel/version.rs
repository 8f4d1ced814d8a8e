//! What a kernel says of its version.
//!
//! | file | where |
//! |---|---|
//! | bzImage | the header's `kernel_version` (Documentation/arch/x86/boot.rst) |
//! | Image, vmlinux, also compressed with gzip or zstd | the banner, `Linux version 6.1.0-…` |
//! | EFI zboot (`drivers/firmware/efi/libstub/zboot-header.S`) | the banner in its payload; at least 6.1, the first with such images |

use std::fmt;
use std::io::{self, BufReader, Read};

use flate2::bufread::GzDecoder;
use serde::{Deserialize, Serialize};

/// Offset of the version's offset in a bzImage.
const VERSION_POINTER: usize = 0x20e;
/// A bzImage's setup code with its strings is shorter.
const HEAD: usize = 64 * 1024;
const BANNER: &[u8] = b"Linux version ";
/// Digits and a dot behind the banner that are looked at.
const NUMBERS: usize = 16;
/// The banner is not looked for behind this many bytes: of the largest kernels it stands within 64
/// MiB.
const SEARCHED: u64 = 256 << 20;
/// Window of the largest zstd frame that is unpacked, as a power of two.
const ZSTD_WINDOW_LOG: u32 = 27;
const FIRST_ZBOOT: Version = Version(6, 1);

/// The first two numbers of a kernel's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version(pub u32, pub u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split(|c: char| !c.is_ascii_digit());
        Some(Self(
            numbers.next()?.parse().ok()?,
            numbers.next()?.parse().ok()?,
        ))
    }
}

/// What is found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// The whole release, of bzImages.
    pub(super) release: Option<String>,
    pub(super) version: Option<Version>,
}

/// Reads a kernel as far as needed. One that says nothing, or is damaged, is no error.
pub(super) fn read(kernel: &mut dyn Read) -> io::Result<Said> {
    let mut head = Vec::new();
    kernel.take(HEAD as u64).read_to_end(&mut head)?;
    if is_bzimage(&head) {
        let release = release_in(&head);
        let version = release.as_deref().and_then(Version::parse);
        return Ok(Said { release, version });
    }
    let zboot = Zboot::parse(&head);
    let floor = zboot.is_some().then_some(FIRST_ZBOOT);
    let whole = head.as_slice().chain(kernel);
    let found = match zboot {
        Some(Zboot { offset, len }) => {
            let mut whole = whole;
            io::copy(&mut whole.by_ref().take(offset.into()), &mut io::sink())?;
            banner(&mut unpacked(whole.take(len.into()))?)
        }
        None => banner(&mut unpacked(whole)?),
    };
    Ok(Said {
        release: None,
        version: found.or(floor),
    })
}

fn is_bzimage(head: &[u8]) -> bool {
    head.get(0x202..0x206) == Some(b"HdrS")
}

/// The first word of a bzImage's version string.
fn release_in(head: &[u8]) -> Option<String> {
    let pointer = head.get(VERSION_POINTER..VERSION_POINTER + 2)?;
    let at = usize::from(u16::from_le_bytes([pointer[0], pointer[1]])) + 0x200;
    let text = head.get(at..)?;
    let end = text
        .iter()
        .take(256)
        .position(|byte| matches!(byte, 0 | b' '))?;
    let release = std::str::from_utf8(&text[..end]).ok()?;
    (!release.is_empty() && release.bytes().all(|byte| byte.is_ascii_graphic()))
        .then(|| release.to_owned())
}

/// Where the payload of an EFI zboot image lies.
#[derive(Debug, PartialEq, Eq)]
struct Zboot {
    offset: u32,
    len: u32,
}

impl Zboot {
    fn parse(head: &[u8]) -> Option<Self> {
        let word = |at: usize| {
            let bytes = head.get(at..at + 4)?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?))
        };
        if head.get(..2)? != b"MZ" || head.get(4..8)? != b"zimg" {
            return None;
        }
        Some(Self {
            offset: word(8)?,
            len: word(12)?,
        })
    }
}

/// The same, unpacked when it is compressed with something known.
fn unpacked<'a>(from: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut from = BufReader::new(from);
    let mut magic = [0; 4];
    let mut len = 0;
    while len < magic.len() {
        match from.read(&mut magic[len..])? {
            0 => break,
            more => len += more,
        }
    }
    let whole = BufReader::new(io::Cursor::new(magic[..len].to_vec()).chain(from));
    Ok(match magic {
        [0x1f, 0x8b, ..] => Box::new(GzDecoder::new(whole)),
        [0x28, 0xb5, 0x2f, 0xfd] => {
            let mut decoder = zstd::Decoder::with_buffer(whole)?.single_frame();
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            Box::new(decoder)
        }
        _ => Box::new(whole),
    })
}

/// Looks for the banner; damaged data has none.
fn banner(from: &mut dyn Read) -> Option<Version> {
    let most = BANNER.len() + NUMBERS;
    let mut buffer = vec![0; 256 * 1024];
    let (mut kept, mut searched) = (0, 0);
    loop {
        let read = match from.read(&mut buffer[kept..]) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return None,
        };
        let held = kept + read;
        // At the end what is short of the numbers' room counts as well.
        let until = if read == 0 {
            held
        } else {
            (held + 1).saturating_sub(most)
        };
        if let Some(version) = search(&buffer[..held], until) {
            return Some(version);
        }
        searched += read as u64;
        if read == 0 || searched > SEARCHED {
            return None;
        }
        let from = until.min(held);
        buffer.copy_within(from..held, 0);
        kept = held - from;
    }
}

/// A version behind a banner that begins before `until`.
fn search(bytes: &[u8], until: usize) -> Option<Version> {
    let mut at = 0;
    while let Some(next) = bytes.get(at..until)?.iter().position(|byte| *byte == b'L') {
        at += next;
        if let Some(rest) = bytes[at..].strip_prefix(BANNER) {
            let numbers = &rest[..rest.len().min(NUMBERS)];
            let end = numbers
                .iter()
                .position(|byte| !byte.is_ascii_digit() && *byte != b'.');
            // A number that the end of the room cuts would be another.
            let text = end.and_then(|end| std::str::from_utf8(&numbers[..end]).ok());
            if let Some(version) = text.and_then(Version::parse) {
                return Some(version);
            }
        }
        at += 1;
    }
    None
}

#[cfg(test)]
#[path = "version_tests.rs"]
mod tests;
