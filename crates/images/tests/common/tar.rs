//! A tar writer that writes anything, also what no sane one would.

/// An archive being written.
#[derive(Clone, Default)]
pub struct Tar {
    bytes: Vec<u8>,
}

/// One header; fields as they stand in the archive.
#[derive(Clone)]
pub struct Header<'a> {
    pub name: &'a [u8],
    pub flag: u8,
    pub link: &'a [u8],
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub size: u64,
    pub mtime: u64,
    pub device: (u32, u32),
}

impl Default for Header<'_> {
    fn default() -> Self {
        Self {
            name: b"",
            flag: b'0',
            link: b"",
            mode: 0o644,
            uid: 0,
            gid: 0,
            size: 0,
            mtime: 1_492_533_000,
            device: (0, 0),
        }
    }
}

impl Header<'_> {
    pub fn block(&self) -> [u8; 512] {
        let mut block = [0; 512];
        let mut octal = |range: std::ops::Range<usize>, value: u64| {
            let width = range.len() - 1;
            let text = format!("{value:0width$o}\0");
            block[range].copy_from_slice(&text.as_bytes()[text.len() - width - 1..]);
        };
        octal(100..108, self.mode.into());
        octal(108..116, self.uid.into());
        octal(116..124, self.gid.into());
        octal(124..136, self.size);
        octal(136..148, self.mtime);
        octal(329..337, self.device.0.into());
        octal(337..345, self.device.1.into());
        block[..self.name.len()].copy_from_slice(self.name);
        block[156] = self.flag;
        block[157..157 + self.link.len()].copy_from_slice(self.link);
        block[257..265].copy_from_slice(b"ustar\x0000");
        seal(&mut block);
        block
    }
}

/// Sets the checksum.
pub fn seal(block: &mut [u8; 512]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

impl Tar {
    pub fn new() -> Self {
        Self::default()
    }

    /// A header, then data up to a whole block.
    pub fn raw(mut self, header: &Header<'_>, data: &[u8]) -> Self {
        self.bytes.extend_from_slice(&header.block());
        self.bytes.extend_from_slice(data);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self
    }

    pub fn append(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    pub fn file(self, name: &str, data: &str) -> Self {
        let size = data.len() as u64;
        self.raw(
            &Header {
                name: name.as_bytes(),
                size,
                ..Header::default()
            },
            data.as_bytes(),
        )
    }

    pub fn dir(self, name: &str) -> Self {
        let header = Header {
            name: name.as_bytes(),
            flag: b'5',
            mode: 0o755,
            ..Header::default()
        };
        self.raw(&header, b"")
    }

    pub fn symlink(self, name: &str, target: &str) -> Self {
        self.link(b'2', name, target)
    }

    pub fn hardlink(self, name: &str, target: &str) -> Self {
        self.link(b'1', name, target)
    }

    pub fn fifo(self, name: &str) -> Self {
        self.link(b'6', name, "")
    }

    pub fn device(self, flag: u8, name: &str, device: (u32, u32)) -> Self {
        self.raw(
            &Header {
                name: name.as_bytes(),
                flag,
                device,
                ..Header::default()
            },
            b"",
        )
    }

    fn link(self, flag: u8, name: &str, target: &str) -> Self {
        let (name, link) = (name.as_bytes(), target.as_bytes());
        self.raw(
            &Header {
                name,
                flag,
                link,
                ..Header::default()
            },
            b"",
        )
    }

    /// PAX records for the next entry.
    pub fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let body: Vec<u8> = records
            .iter()
            .flat_map(|(key, value)| record(key, value))
            .collect();
        self.extended(b'x', &body)
    }

    pub fn extended(self, flag: u8, body: &[u8]) -> Self {
        let size = body.len() as u64;
        self.raw(
            &Header {
                name: b"extended",
                flag,
                size,
                ..Header::default()
            },
            body,
        )
    }

    /// With the two blocks at the end.
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(&[0; 1024]);
        self.bytes
    }

    /// As it is.
    pub fn unfinished(self) -> Vec<u8> {
        self.bytes
    }
}

pub fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut len = rest + rest.to_string().len();
    len = rest + len.to_string().len();
    [format!("{len} {key}=").as_bytes(), value, b"\n"].concat()
}
