//! Unified kernel images (UAPI Group specification 5): EFI stub, command line, kernel and initrd
//! in one PE file.
//!
//! Sections are appended to systemd's stub: `.osrel`, `.cmdline`, `.uname`, `.linux`, `.initrd`.
//! The raw data of `.linux` and `.initrd` begin on 4 KiB boundaries of the file, clusters of the file
//! system that it lies in, so that each can have its own place on the disk: the section in
//! front of each is grown by zeros, for a gap between sections would not be covered by a
//! signature. A section's virtual size is its true length: it is what the stub loads and measures
//! into the TPM, so both are of the kernel as its image has it.

#[cfg(test)]
mod tests;

use std::io;
use std::ops::Range;

use crate::bytes::{put, u16_at, u32_at};
use crate::cmdline::{self, CmdlineError};
use crate::fat32::CLUSTER;
use crate::pe::{self, Pe, PeError, SECTION_HEADER};
use crate::{Architecture, ExtentError, Extents};

/// Largest stub in bytes.
pub const MAX_STUB: usize = 4 << 20;

/// Largest `.osrel` and `.uname` in bytes.
pub const MAX_TEXT: usize = 64 << 10;

/// Memory pages: sections begin on one.
const PAGE: u64 = 4096;

/// Initialized data, readable.
const CHARACTERISTICS: u32 = 0x4000_0040;

/// What goes into a unified kernel image.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// systemd's EFI stub, for the machine of the image.
    pub stub: &'a [u8],
    /// Text of os-release, which boot managers show.
    pub os_release: &'a str,
    /// The kernel's command line.
    pub cmdline: &'a str,
    /// The kernel's release.
    pub uname: Option<&'a str>,
    /// The kernel: a bzImage or an arm64 Image, with its own EFI header.
    pub kernel: &'a Extents,
    /// The initrd.
    pub initrd: &'a Extents,
}

/// A unified kernel image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uki {
    /// The whole file.
    pub file: Extents,
    /// The kernel's bytes in it, from a 4 KiB boundary on; zeros follow to the next.
    pub linux: Range<u64>,
    /// The initrd's bytes in it, likewise; zeros follow to the next sector.
    pub initrd: Range<u64>,
    /// The machine that it boots.
    pub architecture: Architecture,
}

/// Why an image can't be made or read.
#[derive(Debug, thiserror::Error)]
pub enum UkiError {
    /// The stub is no PE file.
    #[error("EFI stub: {0}")]
    Stub(PeError),
    /// The stub is a PE file that sections can't be added to.
    #[error("EFI stub: {0}; use an unmodified stub of systemd")]
    StubForm(&'static str),
    /// The image is no PE file.
    #[error("unified kernel image: {0}")]
    Image(#[from] PeError),
    /// A part of an image is missing.
    #[error("unified kernel image: no {0} section; use one made by nodeimage")]
    Missing(&'static str),
    /// The kernel doesn't fit.
    #[error("kernel: {0}")]
    Kernel(&'static str),
    /// The kernel is for another machine than the stub.
    #[error("kernel: it is not for {0} as the EFI stub is; use a kernel of that architecture")]
    Machine(Architecture),
    /// The command line breaks a rule of the kernel.
    #[error(transparent)]
    Cmdline(#[from] CmdlineError),
    /// A part has no content, or too much.
    #[error("unified kernel image: {section} has {len} bytes; give it 1 to {max}")]
    Length {
        /// The section.
        section: &'static str,
        /// Its length in bytes.
        len: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// PE files end at 4 GiB.
    #[error("unified kernel image: it would exceed 4 GiB; make the initrd smaller")]
    TooLarge,
    /// The kernel can't be read.
    #[error("kernel: cannot read it: {0}")]
    Read(#[from] io::Error),
    /// Two parts at one place: a fault of this module.
    #[error("unified kernel image: {0}")]
    Place(#[from] ExtentError),
}

/// Writes a unified kernel image. Of kernel and initrd, only the kernel's header is read.
pub fn build(input: &Input<'_>) -> Result<Uki, UkiError> {
    cmdline::check(input.cmdline)?;
    let stub = check_stub(input.stub)?;
    check_kernel(input.kernel, stub.architecture)?;
    // Without a command line of its own the stub would take one from the firmware.
    let cmdline = if input.cmdline.is_empty() {
        " "
    } else {
        input.cmdline
    };
    let mut texts = vec![(".osrel", input.os_release), (".cmdline", cmdline)];
    texts.extend(input.uname.map(|uname| (".uname", uname)));

    let file_alignment = u64::from(stub.file_alignment);
    let mut head = input.stub[..stub.raw_end() as usize].to_vec();
    let mut layout = Layout::new(&stub);
    for (name, text) in texts {
        check_len(name, text.len() as u64, MAX_TEXT as u64)?;
        let at = layout.add(name, text.len() as u64, file_alignment)?;
        head.resize(at as usize, 0);
        head.extend_from_slice(text.as_bytes());
    }
    let max = u64::from(u32::MAX);
    let (kernel_len, initrd_len) = (input.kernel.size(), input.initrd.size());
    check_len(".linux", kernel_len, max)?;
    check_len(".initrd", initrd_len, max)?;
    let linux = layout.add(".linux", kernel_len, CLUSTER)?;
    let initrd = layout.add(".initrd", initrd_len, CLUSTER)?;
    let len = layout.finish(file_alignment)?;
    layout.write(&stub, &mut head)?;

    let mut file = Extents::new(len);
    file.push_bytes(0, head)?;
    file.place(linux, input.kernel)?;
    file.place(initrd, input.initrd)?;
    Ok(Uki {
        file,
        linux: linux..linux + kernel_len,
        initrd: initrd..initrd + initrd_len,
        architecture: stub.architecture,
    })
}

/// Reads the headers of a unified kernel image and finds its parts. All sections are in
/// [`pe::parse`].
pub fn parse(file: Extents) -> Result<Uki, UkiError> {
    let pe = pe::parse(&file)?;
    let content = |name| {
        pe.section(name)
            .map(pe::Section::content)
            .ok_or(UkiError::Missing(name))
    };
    let (linux, initrd) = (content(".linux")?, content(".initrd")?);
    Ok(Uki {
        linux,
        initrd,
        architecture: pe.architecture,
        file,
    })
}

fn check_stub(stub: &[u8]) -> Result<Pe, UkiError> {
    if stub.len() > MAX_STUB {
        return Err(UkiError::StubForm("it is larger than 4 MiB"));
    }
    let pe = pe::parse_head(stub, stub.len() as u64).map_err(UkiError::Stub)?;
    if u16_at(stub, pe.optional_at + 68) != Some(10) {
        return Err(UkiError::StubForm("it is not an EFI application"));
    }
    if pe.signed {
        return Err(UkiError::StubForm(
            "it is signed, and adding to it would break the signature",
        ));
    }
    let own = [".osrel", ".cmdline", ".uname", ".linux", ".initrd"];
    if own.iter().any(|name| pe.section(name).is_some()) {
        return Err(UkiError::StubForm("it already has a kernel's sections"));
    }
    Ok(pe)
}

/// The kernel must be an EFI program for the stub's machine, else the stub fails at boot only.
fn check_kernel(kernel: &Extents, architecture: Architecture) -> Result<(), UkiError> {
    let mut head = [0; 4096];
    if kernel.size() < head.len() as u64 {
        return Err(UkiError::Kernel(
            "it is shorter than 4 KiB; use a bzImage or an arm64 Image",
        ));
    }
    kernel.read_at(0, &mut head)?;
    match pe::machine(&head) {
        None => Err(UkiError::Kernel(
            "it has no EFI header; use an uncompressed bzImage or Image with CONFIG_EFI_STUB",
        )),
        Some(machine) if machine != architecture.pe_machine() => {
            Err(UkiError::Machine(architecture))
        }
        Some(_) => Ok(()),
    }
}

fn check_len(section: &'static str, len: u64, max: u64) -> Result<(), UkiError> {
    if (1..=max).contains(&len) {
        Ok(())
    } else {
        Err(UkiError::Length { section, len, max })
    }
}

/// A section to add.
struct Added {
    name: &'static str,
    virtual_address: u64,
    virtual_size: u64,
    raw_at: u64,
    raw_len: u64,
}

/// The sections behind the stub's, each growing to where the next begins.
struct Layout {
    sections: Vec<Added>,
    raw_end: u64,
    virtual_end: u64,
    virtual_step: u64,
}

impl Layout {
    fn new(stub: &Pe) -> Self {
        let ends = stub.sections.iter().map(pe::Section::virtual_end);
        Self {
            sections: Vec::new(),
            raw_end: stub.raw_end(),
            virtual_end: ends.max().unwrap_or_default(),
            virtual_step: PAGE.max(u64::from(stub.section_alignment)),
        }
    }

    /// Adds a section whose raw data begin on a multiple of `alignment`; returns where.
    fn add(&mut self, name: &'static str, len: u64, alignment: u64) -> Result<u64, UkiError> {
        let raw_at = self.grow(alignment)?;
        let virtual_address = self
            .virtual_end
            .checked_next_multiple_of(self.virtual_step)
            .ok_or(UkiError::TooLarge)?;
        self.sections.push(Added {
            name,
            virtual_address,
            virtual_size: len,
            raw_at,
            raw_len: len,
        });
        self.raw_end = raw_at + len;
        self.virtual_end = virtual_address + len;
        Ok(raw_at)
    }

    /// Grows the last section to a multiple of `alignment`, in memory too: loaders differ in
    /// which length they copy.
    fn grow(&mut self, alignment: u64) -> Result<u64, UkiError> {
        let end = self
            .raw_end
            .checked_next_multiple_of(alignment)
            .ok_or(UkiError::TooLarge)?;
        if let Some(last) = self.sections.last_mut() {
            last.raw_len = end - last.raw_at;
            self.virtual_end = last.virtual_address + last.raw_len;
        }
        self.raw_end = end;
        Ok(end)
    }

    /// The file's length, once the last section is there.
    fn finish(&mut self, file_alignment: u64) -> Result<u64, UkiError> {
        let len = self.grow(file_alignment)?;
        self.virtual_end = self
            .virtual_end
            .checked_next_multiple_of(self.virtual_step)
            .ok_or(UkiError::TooLarge)?;
        let max = u64::from(u32::MAX);
        if len > max || self.virtual_end > max {
            Err(UkiError::TooLarge)
        } else {
            Ok(len)
        }
    }

    /// Writes the section headers and what follows from them into the stub's headers.
    fn write(&self, stub: &Pe, head: &mut [u8]) -> Result<(), UkiError> {
        let at = stub.table_at + stub.sections.len() * SECTION_HEADER;
        let end = at + self.sections.len() * SECTION_HEADER;
        let room = head
            .get(at..end)
            .filter(|_| end <= stub.headers_len as usize);
        // Unused is what one word fills: zeros, or on arm64 an instruction that does nothing.
        if room.is_none_or(|room| room.windows(5).any(|it| it[0] != it[4])) {
            return Err(UkiError::StubForm(
                "its headers have no room for five more sections",
            ));
        }
        for (section, at) in self.sections.iter().zip((at..).step_by(SECTION_HEADER)) {
            // The casts fit: `finish` bounds both ends by 32 bits.
            put(head, at, &[0; SECTION_HEADER]);
            put(head, at, section.name.as_bytes());
            put(head, at + 8, &(section.virtual_size as u32).to_le_bytes());
            put(
                head,
                at + 12,
                &(section.virtual_address as u32).to_le_bytes(),
            );
            put(head, at + 16, &(section.raw_len as u32).to_le_bytes());
            put(head, at + 20, &(section.raw_at as u32).to_le_bytes());
            put(head, at + 36, &CHARACTERISTICS.to_le_bytes());
        }
        let count = (stub.sections.len() + self.sections.len()) as u16;
        put(head, stub.coff_at + 2, &count.to_le_bytes());
        // The symbol table behind the last section is cut off.
        put(head, stub.coff_at + 8, &[0; 8]);
        let optional_at = stub.optional_at;
        let added: u64 = self.sections.iter().map(|section| section.raw_len).sum();
        let data = u64::from(u32_at(head, optional_at + 8).unwrap_or_default()) + added;
        let data = u32::try_from(data).map_err(|_| UkiError::TooLarge)?;
        put(head, optional_at + 8, &data.to_le_bytes());
        put(
            head,
            optional_at + 56,
            &(self.virtual_end as u32).to_le_bytes(),
        );
        // No checksum: firmware ignores it.
        put(head, optional_at + 64, &[0; 4]);
        Ok(())
    }
}
