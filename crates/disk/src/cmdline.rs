//! What a kernel command line may be.
//!
//! Both kernels end it at 2048 bytes with the closing NUL (`COMMAND_LINE_SIZE`). The EFI stub
//! widens each byte to UTF-16 and back, so only printable ASCII arrives unchanged.

/// Longest command line in bytes.
pub const MAX: usize = 2047;

/// Why a command line is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CmdlineError {
    /// A kernel would cut it.
    #[error("kernel command line: {len} bytes; at most {max} arrive at the kernel, shorten it")]
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// The limit that holds for it.
        max: usize,
    },
    /// A character that can't be passed on.
    #[error(
        "kernel command line: the character {character:?} at byte {at}; \
         use printable ASCII on one line"
    )]
    Character {
        /// The character.
        character: char,
        /// Its first byte.
        at: usize,
    },
}

/// Whether the kernel gets this command line unchanged from the EFI stub.
pub fn check(cmdline: &str) -> Result<(), CmdlineError> {
    if cmdline.len() > MAX {
        return Err(CmdlineError::TooLong {
            len: cmdline.len(),
            max: MAX,
        });
    }
    match cmdline
        .char_indices()
        .find(|(_, it)| !matches!(it, ' '..='~'))
    {
        Some((at, character)) => Err(CmdlineError::Character { character, at }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        assert_eq!(check(""), Ok(()));
        assert_eq!(check("console=ttyS0 a=\"b c\" $x \\ '"), Ok(()));
        assert_eq!(check(&"a".repeat(2047)), Ok(()));
        assert_eq!(
            check(&"a".repeat(2048)),
            Err(CmdlineError::TooLong {
                len: 2048,
                max: 2047
            })
        );
        for (text, character, at) in [("a\n", '\n', 1), ("\t", '\t', 0), ("é", 'é', 0)] {
            assert_eq!(check(text), Err(CmdlineError::Character { character, at }));
        }
    }
}
