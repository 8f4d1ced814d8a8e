//! GUIDs, derived instead of drawn at random.

use std::fmt;

use crate::Sha256;
use crate::derive::derive;

/// A GUID, in the byte order of its text.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Guid([u8; 16]);

/// Partition type: BIOS boot, GRUB's core image.
pub const BIOS_BOOT: Guid = Guid(0x2168_6148_6449_6e6f_744e_6565_6445_4649_u128.to_be_bytes());

/// Partition type: EFI system partition.
pub const EFI_SYSTEM: Guid = Guid(0xc12a_7328_f81f_11d2_ba4b_00a0_c93e_c93b_u128.to_be_bytes());

/// Partition type: basic data, which no firmware boots from.
pub const BASIC_DATA: Guid = Guid(0xebd0_a0a2_b9e5_4433_87c0_68b6_b726_99c7_u128.to_be_bytes());

/// The GUID of one thing in one image: always the same, version 8 (RFC 9562).
pub fn guid_from(image_id: &Sha256, label: &str) -> Guid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&derive("guid", image_id, label)[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Guid(bytes)
}

impl Guid {
    /// The order on disk: the first three fields little-endian.
    pub fn to_disk(self) -> [u8; 16] {
        let mut bytes = self.0;
        bytes[0..4].reverse();
        bytes[4..6].reverse();
        bytes[6..8].reverse();
        bytes
    }

    /// From the order on disk.
    pub fn from_disk(bytes: [u8; 16]) -> Self {
        // The swap undoes itself.
        Self(Self(bytes).to_disk())
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = hex::encode(self.0);
        let (a, b, c, d, e) = (
            &text[..8],
            &text[8..12],
            &text[12..16],
            &text[16..20],
            &text[20..],
        );
        write!(f, "{a}-{b}-{c}-{d}-{e}")
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
