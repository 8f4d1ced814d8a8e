//! Exact numbers: Terraform computes with 512 bits, an `f64` would lose digits.

use std::cmp::Ordering;
use std::fmt;

/// A number as it came, without loss.
#[derive(Clone, Debug)]
pub enum Number {
    /// A whole number.
    Int(i64),
    /// A whole number beyond `i64`.
    Uint(u64),
    /// A finite or infinite binary fraction.
    Float(f64),
    /// Any other number: decimal digits, perhaps with a point or an exponent.
    Decimal(String),
}

impl Number {
    /// Reads a decimal literal (`-12`, `0.5`, `1e3`); `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(n) = text.parse::<i64>() {
            return Some(Self::Int(n));
        }
        if let Ok(n) = text.parse::<u64>() {
            return Some(Self::Uint(n));
        }
        Decimal::parse(text).map(|_| Self::Decimal(text.to_owned()))
    }

    /// The whole number this is, if it is one that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(n) => Some(*n),
            Self::Uint(n) => i64::try_from(*n).ok(),
            Self::Float(_) | Self::Decimal(_) => self.decimal()?.as_i64(),
        }
    }

    /// The nearest `f64`.
    pub fn as_f64(&self) -> f64 {
        match self {
            Self::Int(n) => *n as f64,
            Self::Uint(n) => *n as f64,
            Self::Float(f) => *f,
            Self::Decimal(text) => text.parse().unwrap_or(f64::NAN),
        }
    }

    /// One spelling for all numbers of the same worth.
    pub(crate) fn canonical(&self) -> String {
        match self.decimal() {
            Some(decimal) => decimal.to_string(),
            None => format!("{:?}", self.as_f64()),
        }
    }

    /// `None` for infinities and what isn't a number.
    fn decimal(&self) -> Option<Decimal> {
        match self {
            Self::Int(n) => Decimal::parse(&n.to_string()),
            Self::Uint(n) => Decimal::parse(&n.to_string()),
            // 1,074 digits after the point write any finite f64 exactly.
            Self::Float(f) if f.is_finite() => {
                if f.fract() == 0.0 {
                    Decimal::parse(&format!("{f:.0}"))
                } else {
                    Decimal::parse(&format!("{f:.1074}"))
                }
            }
            Self::Float(_) => None,
            Self::Decimal(text) => Decimal::parse(text),
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Uint(a), Self::Uint(b)) => a == b,
            _ => self.canonical() == other.canonical(),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(n) => n.fmt(f),
            Self::Uint(n) => n.fmt(f),
            Self::Float(n) => n.fmt(f),
            Self::Decimal(text) => text.fmt(f),
        }
    }
}

/// `±digits × 10^exponent`, without zeros at either end of the digits.
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digit = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !digit(whole) || !digit(fraction) {
            return None;
        }
        let all = format!("{whole}{fraction}");
        let leading = all.trim_start_matches('0');
        let digits = leading.trim_end_matches('0');
        if digits.is_empty() {
            return Some(Self {
                negative: false,
                digits: String::new(),
                exponent: 0,
            });
        }
        let dropped = i64::try_from(leading.len() - digits.len()).ok()?;
        let exponent = exponent
            .checked_sub(i64::try_from(fraction.len()).ok()?)?
            .checked_add(dropped)?;
        Some(Self {
            negative,
            digits: digits.to_owned(),
            exponent,
        })
    }

    fn as_i64(&self) -> Option<i64> {
        if self.digits.is_empty() {
            return Some(0);
        }
        let zeros = usize::try_from(self.exponent).ok()?;
        if zeros.cmp(&19) == Ordering::Greater {
            return None;
        }
        let sign = if self.negative { "-" } else { "" };
        format!("{sign}{}{}", self.digits, "0".repeat(zeros))
            .parse()
            .ok()
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        write!(f, "{sign}{}e{}", self.digits, self.exponent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_same_worth_is_equal() {
        for (a, b) in [
            ("5", "5.0"),
            ("5", "0.5e1"),
            ("-0", "0.000"),
            ("1e3", "1000"),
            ("18446744073709551615", "1.8446744073709551615e19"),
        ] {
            assert_eq!(Number::parse(a), Number::parse(b), "{a} {b}");
        }
        assert_eq!(Number::Float(0.5), Number::Decimal("0.50".into()));
        // 0.1 in binary is not 0.1.
        assert_ne!(Number::Float(0.1), Number::Decimal("0.1".into()));
        assert_ne!(
            Number::parse("123456789012345678901"),
            Number::parse("123456789012345678902")
        );
    }

    #[test]
    fn whole_numbers_only_where_asked() {
        assert_eq!(Number::Float(3.0).as_i64(), Some(3));
        assert_eq!(Number::Decimal("3.0".into()).as_i64(), Some(3));
        assert_eq!(Number::Decimal("3.5".into()).as_i64(), None);
        assert_eq!(Number::Float(f64::INFINITY).as_i64(), None);
        assert_eq!(Number::Uint(u64::MAX).as_i64(), None);
        assert_eq!(Number::Decimal("1e999999999999".into()).as_i64(), None);
        assert_eq!(Number::Decimal("1e18".into()).as_i64(), Some(10i64.pow(18)));
    }

    #[test]
    fn not_numbers() {
        for text in [
            "",
            "-",
            ".",
            "e1",
            "0x10",
            "1e",
            "nan",
            "1 ",
            "1e99999999999999999999",
        ] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in ".*") { let _ = Number::parse(&text); }

        #[test]
        fn integers_keep_their_worth(n: i64) {
            prop_assert_eq!(Number::parse(&format!("{n}.0")).and_then(|n| n.as_i64()), Some(n));
        }
    }
}
