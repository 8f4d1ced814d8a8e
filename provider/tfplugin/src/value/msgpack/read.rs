//! The tokens of MessagePack. No length is believed before its bytes are seen.

use super::decode::Fault;

/// One token; the elements of an array or a map follow as further tokens.
#[derive(Debug)]
pub(super) enum Token<'a> {
    Nil,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Str(&'a [u8]),
    Bin(&'a [u8]),
    Ext(i8, &'a [u8]),
    Array(usize),
    Map(usize),
}

#[derive(Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn token(&mut self) -> Result<Token<'a>, Fault> {
        let marker = self.fixed::<1>()?[0];
        Ok(match marker {
            0x00..=0x7f => Token::Int(i64::from(marker)),
            0x80..=0x8f => self.map(usize::from(marker & 0x0f))?,
            0x90..=0x9f => self.array(usize::from(marker & 0x0f))?,
            0xa0..=0xbf => Token::Str(self.take(usize::from(marker & 0x1f))?),
            0xc0 => Token::Nil,
            0xc1 => return Err(Fault::NotMsgpack),
            0xc2 => Token::Bool(false),
            0xc3 => Token::Bool(true),
            0xc4 => self.sized::<1>().map(Token::Bin)?,
            0xc5 => self.sized::<2>().map(Token::Bin)?,
            0xc6 => self.sized::<4>().map(Token::Bin)?,
            0xc7 => self.ext_sized::<1>()?,
            0xc8 => self.ext_sized::<2>()?,
            0xc9 => self.ext_sized::<4>()?,
            0xca => Token::Float(f64::from(f32::from_be_bytes(self.fixed()?))),
            0xcb => Token::Float(f64::from_be_bytes(self.fixed()?)),
            0xcc => Token::Uint(u64::from(self.fixed::<1>()?[0])),
            0xcd => Token::Uint(u64::from(u16::from_be_bytes(self.fixed()?))),
            0xce => Token::Uint(u64::from(u32::from_be_bytes(self.fixed()?))),
            0xcf => Token::Uint(u64::from_be_bytes(self.fixed()?)),
            0xd0 => Token::Int(i64::from(i8::from_be_bytes(self.fixed()?))),
            0xd1 => Token::Int(i64::from(i16::from_be_bytes(self.fixed()?))),
            0xd2 => Token::Int(i64::from(i32::from_be_bytes(self.fixed()?))),
            0xd3 => Token::Int(i64::from_be_bytes(self.fixed()?)),
            0xd4 => self.ext(1)?,
            0xd5 => self.ext(2)?,
            0xd6 => self.ext(4)?,
            0xd7 => self.ext(8)?,
            0xd8 => self.ext(16)?,
            0xd9 => self.sized::<1>().map(Token::Str)?,
            0xda => self.sized::<2>().map(Token::Str)?,
            0xdb => self.sized::<4>().map(Token::Str)?,
            0xdc => self.len::<2>().and_then(|n| self.array(n))?,
            0xdd => self.len::<4>().and_then(|n| self.array(n))?,
            0xde => self.len::<2>().and_then(|n| self.map(n))?,
            0xdf => self.len::<4>().and_then(|n| self.map(n))?,
            0xe0..=0xff => Token::Int(i64::from(marker.cast_signed())),
        })
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], Fault> {
        let (head, rest) = self.0.split_at_checked(n).ok_or(Fault::Truncated)?;
        self.0 = rest;
        Ok(head)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(Fault::Truncated)?;
        self.0 = rest;
        Ok(*head)
    }

    /// A big-endian length of `N` ≤ 4 bytes.
    fn len<const N: usize>(&mut self) -> Result<usize, Fault> {
        let bytes = self.fixed::<N>()?;
        let n = bytes.iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
        usize::try_from(n).map_err(|_| Fault::Truncated)
    }

    fn sized<const N: usize>(&mut self) -> Result<&'a [u8], Fault> {
        let n = self.len::<N>()?;
        self.take(n)
    }

    fn ext(&mut self, n: usize) -> Result<Token<'a>, Fault> {
        let kind = i8::from_be_bytes(self.fixed()?);
        Ok(Token::Ext(kind, self.take(n)?))
    }

    fn ext_sized<const N: usize>(&mut self) -> Result<Token<'a>, Fault> {
        let n = self.len::<N>()?;
        self.ext(n)
    }

    /// Every element takes at least a byte.
    fn array(&self, n: usize) -> Result<Token<'a>, Fault> {
        if n > self.0.len() {
            return Err(Fault::Truncated);
        }
        Ok(Token::Array(n))
    }

    fn map(&self, n: usize) -> Result<Token<'a>, Fault> {
        if n > self.0.len() / 2 {
            return Err(Fault::Truncated);
        }
        Ok(Token::Map(n))
    }
}
