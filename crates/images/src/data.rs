//! Reading the files of a tree.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};

use crate::tree::Data;

impl Data {
    /// Reads from the first byte; exactly [`Data::len`] bytes follow, or an error.
    pub fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        match self {
            Self::Bytes(bytes) => Ok(Box::new(Cursor::new(bytes.clone()))),
            Self::Stored { file, offset, len } => {
                let mut file = File::open(&file.path)?;
                file.seek(SeekFrom::Start(*offset))?;
                Ok(Box::new(Exactly { file, left: *len }))
            }
        }
    }

    /// All of it, if it has at most `limit` bytes.
    pub fn read(&self, limit: u64) -> io::Result<Vec<u8>> {
        if self.len() > limit {
            let text = format!("the file has {} bytes, more than {limit}", self.len());
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
        }
        let mut bytes = Vec::with_capacity(self.len() as usize);
        self.open()?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Ends with an error, not early, when the file is shorter than it was.
struct Exactly {
    file: File,
    left: u64,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let want = buffer
            .len()
            .min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let got = self.file.read(&mut buffer[..want])?;
        if got == 0 && want > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= got as u64;
        Ok(got)
    }
}
