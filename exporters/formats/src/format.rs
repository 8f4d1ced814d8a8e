//! What a format is: an entry of [`crate::FORMATS`].

use std::ops::RangeInclusive;

use crate::{FormatError, Input, OpenOptions, Opened, Plan, Writer};

/// How the content of a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// Not at all.
    Stored,
    /// Deflate, in whatever frame the format has for it.
    Zlib,
    /// Zstandard.
    Zstd,
}

impl Codec {
    /// Its name: `stored`, `zlib` or `zstd`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Zlib => "zlib",
            Self::Zstd => "zstd",
        }
    }

    /// The codec of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Stored, Self::Zlib, Self::Zstd]
            .into_iter()
            .find(|codec| codec.name() == name)
    }
}

/// A codec that a format has.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The codec.
    pub codec: Codec,
    /// Its levels.
    pub levels: RangeInclusive<u32>,
    /// The level when none is asked for.
    pub level: u32,
}

impl Choice {
    /// Not compressed: the one level is 0.
    pub const STORED: Self = Self {
        codec: Codec::Stored,
        levels: 0..=0,
        level: 0,
    };
    /// libdeflate's levels.
    pub const ZLIB: Self = Self {
        codec: Codec::Zlib,
        levels: 1..=12,
        level: 6,
    };
    /// Zstandard's levels, but for those that need memory out of proportion.
    pub const ZSTD: Self = Self {
        codec: Codec::Zstd,
        levels: 1..=19,
        level: 3,
    };
}

/// What was asked for, checked against the format's [`Choice`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The codec.
    pub codec: Codec,
    /// Its level.
    pub level: u32,
}

/// Makes a format's writer; refuses what the format can't hold.
pub(crate) type MakeWriter = fn(&Plan, &Settings) -> Result<Box<dyn Writer>, FormatError>;

/// A format under one of its names.
#[derive(Clone, Debug)]
pub struct Format {
    /// What `--format` calls it.
    pub name: &'static str,
    /// What kind of file it is: formats of one kind differ in their file names and settings only.
    pub kind: &'static str,
    /// A line about it.
    pub about: &'static str,
    /// What its file's name ends in, behind the image's name.
    pub ending: &'static str,
    /// Its codecs, the default in front; at least one.
    pub choices: &'static [Choice],
    /// Begins a file.
    pub writer: MakeWriter,
    /// How files of its kind are told and read; none when another entry of its kind has it.
    pub reader: Option<Reader>,
}

/// How the files of a kind are told and read.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    /// Whether a file is one, by its first and last bytes.
    pub probe: fn(&Edges<'_>) -> bool,
    /// Opens one.
    pub open: fn(Input, &OpenOptions) -> Result<Opened, FormatError>,
}

/// The ends of a file.
#[derive(Clone, Copy, Debug)]
pub struct Edges<'a> {
    /// Its first bytes: 4096, or all if it has fewer.
    pub head: &'a [u8],
    /// Its last bytes: 1024, or all if it has fewer.
    pub tail: &'a [u8],
    /// What its name ends in, in lower case and without the dot; empty if there is none.
    pub extension: &'a str,
}
