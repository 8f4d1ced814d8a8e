//! The generated configuration.
//!
//! GRUB's `linux` rebuilds the command line from its arguments: it quotes an argument with a space
//! as a whole, and puts a backslash in front of quotes and backslashes, which the kernel would
//! take literally. So words are taken apart as the kernel does, and what could not arrive with the
//! same meaning is refused.

use std::ops::Range;

use super::GrubError;
use crate::SECTOR;
use crate::cmdline::{self, CmdlineError};

/// Bytes of the configuration, padded with newlines.
pub const CONFIG_LEN: usize = 16 << 10;

/// GRUB puts `BOOT_IMAGE=(hdN)LBA+N ` in front of the command line.
const PREFIX: usize = 64;

/// A range of whole sectors of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sectors {
    /// First sector.
    pub lba: u64,
    /// How many.
    pub count: u64,
}

impl Sectors {
    /// GRUB's name for a file that lies there.
    fn name(self) -> String {
        format!("($root){}+{}", self.lba, self.count)
    }

    /// The sectors of a byte range that begins on a sector.
    pub fn covering(bytes: &Range<u64>) -> Result<Self, GrubError> {
        if bytes.is_empty() || !bytes.start.is_multiple_of(SECTOR) {
            return Err(GrubError::Sectors {
                start: bytes.start,
                end: bytes.end,
            });
        }
        let count = (bytes.end - bytes.start).div_ceil(SECTOR);
        Ok(Self {
            lba: bytes.start / SECTOR,
            count,
        })
    }
}

/// Runs that follow each other become one.
fn joined(runs: &[Sectors]) -> Vec<Sectors> {
    let mut joined: Vec<Sectors> = Vec::with_capacity(runs.len());
    for run in runs {
        match joined.last_mut() {
            Some(last) if last.lba + last.count == run.lba => last.count += run.count,
            _ => joined.push(*run),
        }
    }
    joined
}

/// The configuration that boots this kernel and the initrd that these pieces make up,
/// [`CONFIG_LEN`] bytes.
///
/// It has no menu. A failure is also told on the first serial port, which clouds record, and
/// tried again: a disk that answers late is no reason to stay down.
pub fn config(kernel: Sectors, initrd: &[Sectors], cmdline: &str) -> Result<Vec<u8>, GrubError> {
    let kernel = kernel.name();
    // A file each: GRUB loads them behind each other. It can't read across the runs of one file.
    let initrd: Vec<_> = joined(initrd).into_iter().map(Sectors::name).collect();
    let initrd = initrd.join(" ");
    let arguments = arguments(cmdline)?;
    let text = format!(
        "set pager=0\n\
         set timeout=0\n\
         if linux {kernel}{arguments}; then\n\
         if initrd {initrd}; then\n\
         boot\n\
         fi\n\
         fi\n\
         serial --unit=0 --speed=115200\n\
         terminal_output --append serial\n\
         echo 'nodeimage: GRUB could not load kernel and initrd from this disk'\n\
         echo 'nodeimage: next try in 30 seconds'\n\
         sleep 30\n\
         reboot\n\
         halt\n"
    );
    let mut config = text.into_bytes();
    if config.len() > CONFIG_LEN {
        return Err(GrubError::Config(config.len()));
    }
    config.resize(CONFIG_LEN, b'\n');
    Ok(config)
}

/// The command line as arguments of a GRUB command, each in single quotes.
fn arguments(cmdline: &str) -> Result<String, GrubError> {
    cmdline::check(cmdline)?;
    let max = cmdline::MAX - PREFIX;
    if cmdline.len() > max {
        return Err(CmdlineError::TooLong {
            len: cmdline.len(),
            max,
        }
        .into());
    }
    let mut out = String::new();
    for word in words(cmdline) {
        out.push_str(" '");
        out.push_str(&plain(word)?);
        out.push('\'');
    }
    Ok(out)
}

/// Splits at spaces outside double quotes, as the kernel does.
fn words(cmdline: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    cmdline
        .split(move |character| {
            quoted ^= character == '"';
            character == ' ' && !quoted
        })
        .filter(|word| !word.is_empty())
}

/// The word without its double quotes, when GRUB's own quoting means the same to the kernel.
fn plain(word: &str) -> Result<String, GrubError> {
    let fail = |reason| {
        Err(GrubError::Word {
            word: word.to_owned(),
            reason,
        })
    };
    if word.contains(['\'', '\\']) {
        return fail("a single quote or backslash");
    }
    let unquote = |text: &str| -> Option<String> {
        let inner = text.strip_prefix('"')?.strip_suffix('"')?;
        (!inner.contains('"')).then(|| inner.to_owned())
    };
    if !word.contains('"') {
        return Ok(word.to_owned());
    }
    let whole = unquote(word);
    let value = || {
        let (name, value) = word.split_once('=')?;
        (!name.contains('"')).then_some(())?;
        Some(format!("{name}={}", unquote(value)?))
    };
    match whole.or_else(value) {
        Some(plain) if !plain.is_empty() => Ok(plain),
        _ => fail("double quotes that are not around a whole word or value"),
    }
}
