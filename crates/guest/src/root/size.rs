//! How large the root gets.

use crate::error::{Error, Result};

/// Room left above the image's own size, bytes.
const SLACK: u64 = 16 << 20;

/// Memory that one entry of a tmpfs may take besides its content, bytes.
pub(super) const PER_ENTRY: u64 = 1024;

/// A wished size: `nodeimage.root_size=` on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RootSize {
    /// Of the machine's memory, 1 to 100.
    Percent(u64),
    /// As given.
    Bytes(u64),
}

impl Default for RootSize {
    fn default() -> Self {
        Self::Percent(50)
    }
}

impl RootSize {
    /// `75%`, `512M`, `2G`, `65536k` or bytes.
    pub(super) fn parse(text: &str) -> Result<Self> {
        Self::try_parse(text).ok_or_else(|| {
            Error::invalid(
                format!("nodeimage.root_size={text}"),
                "write a percentage of the memory (75%) or a size (512M, 2G)",
            )
        })
    }

    fn try_parse(text: &str) -> Option<Self> {
        if let Some(number) = text.strip_suffix('%') {
            let percent = number.parse().ok()?;
            return (1..=100)
                .contains(&percent)
                .then_some(Self::Percent(percent));
        }
        let split = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at_checked(split)?;
        let shift = match unit {
            "" => 0,
            "k" | "K" => 10,
            "m" | "M" => 20,
            "g" | "G" => 30,
            _ => return None,
        };
        let bytes: u64 = number.parse::<u64>().ok()?.checked_mul(1 << shift)?;
        (bytes > 0).then_some(Self::Bytes(bytes))
    }

    /// The size in bytes for `memory` bytes and a tree of `tree` bytes, and whether the wish had
    /// to be raised: the image always fits.
    pub(super) fn bytes(self, memory: u64, tree: u64) -> (u64, bool) {
        let wish = match self {
            Self::Percent(percent) => memory / 100 * percent,
            Self::Bytes(bytes) => bytes,
        };
        let need = tree.saturating_add(SLACK);
        (wish.max(need), wish < need)
    }
}

/// How many inodes the root may have: the kernel's default, or twice the image's.
pub(super) fn inodes(memory: u64, entries: u64) -> u64 {
    (memory / 4096 / 2).max(entries.saturating_mul(2)).max(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        let parse = RootSize::try_parse;
        assert_eq!(parse("75%"), Some(RootSize::Percent(75)));
        assert_eq!(parse("512M"), Some(RootSize::Bytes(512 << 20)));
        assert_eq!(parse("2G"), Some(RootSize::Bytes(2 << 30)));
        assert_eq!(parse("4096"), Some(RootSize::Bytes(4096)));
        for wrong in [
            "",
            "%",
            "0%",
            "101%",
            "M",
            "1T",
            "-1",
            "1.5G",
            "0",
            "99999999999999999999G",
            "18446744073709551615k",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_image_always_fits() {
        let half = RootSize::default();
        assert_eq!(half.bytes(1000 << 20, 10 << 20), (500 << 20, false));
        assert_eq!(half.bytes(100 << 20, 90 << 20), (106 << 20, true));
        assert_eq!(RootSize::Bytes(1).bytes(0, u64::MAX), (u64::MAX, true));
        assert_eq!(inodes(8 << 20, 5000), 10_000);
    }
}
