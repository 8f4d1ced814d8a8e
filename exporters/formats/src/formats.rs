//! All disk formats: each is a module and a line here.

use crate::format::{Codec, Format, Settings};
use crate::{FormatError, gcp, qcow2, raw, vdi, vhd};

/// All formats under all their names, raw in front. `linuxkit build --format`'s names give the disk
/// in the container that linuxkit gives, and under the same file name.
pub static FORMATS: &[Format] = &[
    raw::FORMAT,
    Format {
        name: "aws",
        about: "raw, as linuxkit names it for AWS",
        ending: ".raw",
        reader: None,
        ..raw::FORMAT
    },
    Format {
        name: "raw-bios",
        about: "raw, as linuxkit names it; boots by UEFI too",
        ending: "-bios.img",
        reader: None,
        ..raw::FORMAT
    },
    Format {
        name: "raw-efi",
        about: "raw, as linuxkit names it; boots by BIOS too",
        ending: "-efi.img",
        reader: None,
        ..raw::FORMAT
    },
    qcow2::FORMAT,
    Format {
        name: "qcow2-bios",
        about: "qcow2, as linuxkit names it; boots by UEFI too",
        reader: None,
        ..qcow2::FORMAT
    },
    Format {
        name: "qcow2-efi",
        about: "qcow2, as linuxkit names it; boots by BIOS too",
        ending: "-efi.qcow2",
        reader: None,
        ..qcow2::FORMAT
    },
    vdi::FORMAT,
    vhd::FIXED,
    vhd::DYNAMIC,
    gcp::FORMAT,
];

/// The names of all formats, separated by commas.
pub(crate) fn names() -> String {
    let names: Vec<_> = FORMATS.iter().map(|format| format.name).collect();
    names.join(", ")
}

impl Format {
    /// The format of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.name == name)
    }

    /// The format that a file of this name is meant to have, by the longest ending that fits.
    pub fn of_file_name(name: &str) -> Option<&'static Self> {
        let name = name.to_lowercase();
        let fits =
            |format: &&Self| name.len() > format.ending.len() && name.ends_with(format.ending);
        let len = |format: &&Self| format.ending.len();
        let longest = FORMATS.iter().filter(fits).map(|it| len(&it)).max()?;
        let mut all = FORMATS.iter().filter(fits);
        all.find(|format| len(format) == longest)
    }

    /// Its default settings.
    pub fn defaults(&self) -> Settings {
        let first = self.choices.first();
        Settings {
            codec: first.map_or(Codec::Stored, |choice| choice.codec),
            level: first.map_or(0, |choice| choice.level),
        }
    }

    /// The settings for a codec and a level, each the format's own when it is not given. A level
    /// alone is one of the first codec that has levels.
    ///
    /// # Errors
    /// It has no such codec or level.
    pub fn settings(
        &self,
        codec: Option<Codec>,
        level: Option<u32>,
    ) -> Result<Settings, FormatError> {
        let choice = match (codec, level) {
            (Some(codec), _) => self.choices.iter().find(|it| it.codec == codec),
            (None, Some(_)) => self.choices.iter().find(|it| it.codec != Codec::Stored),
            (None, None) => self.choices.first(),
        };
        let level = |it: &crate::format::Choice| level.unwrap_or(it.level);
        match choice {
            Some(choice) if choice.levels.contains(&level(choice)) => Ok(Settings {
                codec: choice.codec,
                level: level(choice),
            }),
            _ => Err(FormatError::Setting {
                format: self.name,
                what: format!("there is no such compression; there is {}", self.codecs()),
            }),
        }
    }

    /// Its codecs and their levels, for people.
    pub fn codecs(&self) -> String {
        let choice = |it: &crate::format::Choice| {
            let name = it.codec.name();
            if it.levels.start() == it.levels.end() {
                name.to_owned()
            } else {
                format!("{name} {} to {}", it.levels.start(), it.levels.end())
            }
        };
        let all: Vec<_> = self.choices.iter().map(choice).collect();
        all.join(", ")
    }

    /// A format and its settings as `NAME`, `NAME:CODEC`, `NAME:CODEC:LEVEL` or `NAME:LEVEL`.
    ///
    /// # Errors
    /// There is no such format, codec or level.
    pub fn parse(text: &str) -> Result<(&'static Self, Settings), FormatError> {
        let mut words = text.split(':');
        let name = words.next().unwrap_or_default();
        let format = Self::named(name).ok_or_else(|| FormatError::Unknown(name.to_owned()))?;
        let (mut codec, mut level) = (None, None);
        for word in words {
            match (Codec::named(word), word.parse()) {
                (Some(found), _) if codec.is_none() && level.is_none() => codec = Some(found),
                (None, Ok(number)) if level.is_none() => level = Some(number),
                _ => {
                    return Err(FormatError::Setting {
                        format: format.name,
                        what: format!(
                            "`{word}` is no compression of it; there is {}",
                            format.codecs()
                        ),
                    });
                }
            }
        }
        Ok((format, format.settings(codec, level)?))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_list_is_sound() {
        let names: BTreeSet<_> = FORMATS.iter().map(|format| format.name).collect();
        assert_eq!(names.len(), FORMATS.len(), "two of one name");
        assert_eq!(FORMATS[0].name, "raw");
        for format in FORMATS {
            assert!(
                format
                    .choices
                    .iter()
                    .all(|it| it.levels.contains(&it.level))
            );
            assert_eq!(format.settings(None, None).unwrap(), format.defaults());
            let readers = FORMATS.iter().filter(|it| it.kind == format.kind);
            let readers = readers.filter(|it| it.reader.is_some()).count();
            // A gcp file can be read only by unpacking all of it.
            let wanted = usize::from(format.kind != "gcp");
            assert_eq!(readers, wanted, "readers of {}", format.kind);
        }
    }
}
