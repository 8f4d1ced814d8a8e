//! Resource limits: `NAME,SOFT,HARD`.

use nodeimage_spec::check::parse_rlimit;

use super::ErrorKind;
use super::oci::Rlimit;

/// One limit. The name's case and its `RLIMIT_` do not matter, nor do spaces around the parts.
pub(super) fn parse(text: &str) -> Result<Rlimit, ErrorKind> {
    match parse_rlimit(text) {
        Ok(limit) => Ok(Rlimit {
            kind: limit.name,
            hard: limit.hard,
            soft: limit.soft,
        }),
        Err((message, help)) => Err(ErrorKind::Rlimit { message, help }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_the_runtime_specifications_order() {
        let got = parse(" nofile , 100, Unlimited ").unwrap();
        let expected = Rlimit {
            kind: "RLIMIT_NOFILE".into(),
            soft: 100,
            hard: u64::MAX,
        };
        assert_eq!(got, expected);
        let error = parse("nofil,1,2").unwrap_err().to_string();
        assert_eq!(error, "unknown limit `nofil`; did you mean `NOFILE`?");
    }
}
