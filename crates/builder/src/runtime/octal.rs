//! Octal modes written as strings, as Go's `ParseInt(s, 8, 32)` reads them.

/// Why a string is no octal mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OctalError {
    /// Nothing was written.
    #[error("it is empty; write a string like \"0644\"")]
    Empty,
    /// Something else was written.
    #[error("`{0}` is not octal; write a string like \"0644\"")]
    NotOctal(String),
    /// A sign.
    #[error("`{0}` is negative; write a string like \"0644\"")]
    Negative(String),
}

/// The number, at most 2³¹ − 1.
pub(crate) fn parse(text: &str) -> Result<u32, OctalError> {
    if text.is_empty() {
        return Err(OctalError::Empty);
    }
    match i32::from_str_radix(text, 8) {
        Ok(value) => u32::try_from(value).map_err(|_| OctalError::Negative(text.to_owned())),
        Err(_) => Err(OctalError::NotOctal(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octal_only() {
        assert_eq!(parse("0644"), Ok(0o644));
        assert_eq!(parse("+755"), Ok(0o755));
        assert_eq!(parse("17777777777"), Ok(0x7fff_ffff));
        assert_eq!(parse(""), Err(OctalError::Empty));
        assert_eq!(parse("-1"), Err(OctalError::Negative("-1".into())));
        for bad in ["8", "0o644", "rw", "20000000000", "6 4"] {
            assert_eq!(parse(bad), Err(OctalError::NotOctal(bad.into())));
        }
    }
}
