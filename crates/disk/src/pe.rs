//! Reading the headers of PE32+ files, the executables of UEFI (Microsoft's PE format
//! specification).
//!
//! Strict and bounded: every range that is returned lies inside the file.

use std::io;
use std::ops::Range;

use crate::bytes::{array, u16_at, u32_at};
use crate::{Architecture, Extents};

/// Bytes of a section header.
pub(crate) const SECTION_HEADER: usize = 40;

/// Headers must end within this many bytes.
const MAX_HEADERS: u64 = 64 << 10;

const MAX_SECTIONS: u16 = 96;

/// Why a file is no PE file that we can use.
#[derive(Debug, thiserror::Error)]
pub enum PeError {
    /// It can't be read.
    #[error("PE file: cannot read it: {0}")]
    Read(#[from] io::Error),
    /// It is something else, or damaged.
    #[error("PE file: {0}; use an EFI program for amd64 or arm64")]
    Invalid(&'static str),
}

/// A section of a PE file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its name, at most 8 characters of printable ASCII.
    pub name: String,
    /// Where it lies in memory, from the start of the image.
    pub virtual_address: u32,
    /// Its true length in bytes.
    pub virtual_size: u32,
    /// Its bytes in the file, often longer than `virtual_size` and then padded; empty for none.
    pub raw: Range<u64>,
}

impl Section {
    /// The bytes in the file without their padding.
    pub fn content(&self) -> Range<u64> {
        let len = (self.raw.end - self.raw.start).min(u64::from(self.virtual_size));
        self.raw.start..self.raw.start + len
    }

    /// The byte behind it in memory, by whichever length a loader copies.
    pub(crate) fn virtual_end(&self) -> u64 {
        let len = (self.raw.end - self.raw.start).max(u64::from(self.virtual_size));
        u64::from(self.virtual_address) + len
    }
}

/// The headers of a PE32+ file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pe {
    /// The machine it runs on.
    pub architecture: Architecture,
    /// Its sections, in the order of the table.
    pub sections: Vec<Section>,
    /// Whether it has an Authenticode signature.
    pub signed: bool,
    /// Where the COFF header lies.
    pub(crate) coff_at: usize,
    /// Where the optional header lies.
    pub(crate) optional_at: usize,
    /// Where the section table lies.
    pub(crate) table_at: usize,
    pub(crate) section_alignment: u32,
    pub(crate) file_alignment: u32,
    pub(crate) headers_len: u32,
}

impl Pe {
    /// The section of this name.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// The byte behind the last section in the file.
    pub(crate) fn raw_end(&self) -> u64 {
        let ends = self.sections.iter().map(|section| section.raw.end);
        ends.max()
            .unwrap_or_default()
            .max(u64::from(self.headers_len))
    }
}

/// The machine field of anything that begins like a PE file.
pub(crate) fn machine(head: &[u8]) -> Option<u16> {
    let coff_at = coff_at(head)?;
    u16_at(head, coff_at)
}

fn coff_at(head: &[u8]) -> Option<usize> {
    let pe_at = u32_at(head, 0x3c)? as usize;
    let signature: [u8; 4] = array(head, pe_at)?;
    (head.starts_with(b"MZ") && signature == *b"PE\0\0").then_some(pe_at + 4)
}

/// Reads the headers of a file.
pub fn parse(file: &Extents) -> Result<Pe, PeError> {
    let mut head = vec![0; file.size().min(MAX_HEADERS) as usize];
    file.read_at(0, &mut head)?;
    parse_head(&head, file.size())
}

/// Reads the headers of a file of `file_len` bytes from its beginning.
pub(crate) fn parse_head(head: &[u8], file_len: u64) -> Result<Pe, PeError> {
    let cut = || PeError::Invalid("its headers are cut short");
    let coff_at = coff_at(head).ok_or(PeError::Invalid("it has no PE signature"))?;
    let machine = u16_at(head, coff_at).ok_or_else(cut)?;
    let architecture = Architecture::from_pe_machine(machine)
        .ok_or(PeError::Invalid("it is for another machine"))?;
    let count = u16_at(head, coff_at + 2).ok_or_else(cut)?;
    let optional_len = usize::from(u16_at(head, coff_at + 16).ok_or_else(cut)?);
    let optional_at = coff_at + 20;
    let table_at = optional_at + optional_len;
    let optional = head.get(optional_at..table_at).ok_or_else(cut)?;
    if u16_at(optional, 0) != Some(0x20b) {
        return Err(PeError::Invalid("it is not PE32+"));
    }
    // Up to the count of data directories.
    if optional_len < 112 {
        return Err(cut());
    }
    let number = |at| u32_at(optional, at).ok_or_else(cut);
    let (section_alignment, file_alignment) = (number(32)?, number(36)?);
    let headers_len = number(60)?;
    let aligned = |value: u32| value.is_power_of_two() && (512..=65536).contains(&value);
    if !aligned(section_alignment) || !aligned(file_alignment) {
        return Err(PeError::Invalid(
            "its alignments are not powers of two from 512 to 65536",
        ));
    }
    let table_end = table_at + usize::from(count) * SECTION_HEADER;
    let headers_inside = u64::from(headers_len) <= file_len.min(MAX_HEADERS);
    if count == 0 || count > MAX_SECTIONS || !headers_inside || table_end > headers_len as usize {
        return Err(PeError::Invalid(
            "its section table does not fit into its headers",
        ));
    }
    // Data directory 4, the certificate table; only its length matters.
    let signed = number(108)? > 4 && u32_at(optional, 148).ok_or_else(cut)? != 0;
    let table = head.get(table_at..table_end).ok_or_else(cut)?;
    let mut sections: Vec<Section> = Vec::with_capacity(usize::from(count));
    for header in table.chunks_exact(SECTION_HEADER) {
        let section = section(header, headers_len, file_len)?;
        let behind = sections.last().is_none_or(|last| {
            let end = u64::from(last.virtual_address) + u64::from(last.virtual_size);
            u64::from(section.virtual_address) >= end
        });
        if !behind {
            return Err(PeError::Invalid("its sections overlap in memory"));
        }
        sections.push(section);
    }
    Ok(Pe {
        architecture,
        sections,
        signed,
        coff_at,
        optional_at,
        table_at,
        section_alignment,
        file_alignment,
        headers_len,
    })
}

fn section(header: &[u8], headers_len: u32, file_len: u64) -> Result<Section, PeError> {
    let field = |at| u32_at(header, at).ok_or(PeError::Invalid("a section header is cut short"));
    let name: Vec<u8> = header
        .iter()
        .copied()
        .take(8)
        .take_while(|byte| *byte != 0)
        .collect();
    let name = String::from_utf8(name)
        .ok()
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_graphic()))
        .ok_or(PeError::Invalid("a section's name is not ASCII"))?;
    let len = u64::from(field(16)?);
    let start = if len == 0 { 0 } else { u64::from(field(20)?) };
    if len > 0 && (start < u64::from(headers_len) || start + len > file_len) {
        return Err(PeError::Invalid("a section lies outside the file"));
    }
    Ok(Section {
        name,
        virtual_address: field(12)?,
        virtual_size: field(8)?,
        raw: start..start + len,
    })
}
