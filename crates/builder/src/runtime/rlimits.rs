//! Resource limits: `NAME,SOFT,HARD`.

use super::ErrorKind;
use super::oci::Rlimit;

const KNOWN: [&str; 16] = [
    "CPU",
    "FSIZE",
    "DATA",
    "STACK",
    "CORE",
    "RSS",
    "NPROC",
    "NOFILE",
    "MEMLOCK",
    "AS",
    "LOCKS",
    "SIGPENDING",
    "MSGQUEUE",
    "NICE",
    "RTPRIO",
    "RTTIME",
];

/// One limit. The name's case and its `RLIMIT_` do not matter, nor do spaces around the parts.
pub(super) fn parse(text: &str) -> Result<Rlimit, ErrorKind> {
    let mut parts = text.splitn(3, ',');
    let (Some(name), Some(soft), Some(hard)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(ErrorKind::RlimitForm {
            value: text.to_owned(),
        });
    };
    let (soft, hard) = (number(soft)?, number(hard)?);
    let upper = name.trim().to_uppercase();
    let bare = upper.strip_prefix("RLIMIT_").unwrap_or(&upper);
    if !KNOWN.contains(&bare) {
        return Err(ErrorKind::UnknownLimit {
            name: name.trim().to_owned(),
        });
    }
    Ok(Rlimit {
        kind: format!("RLIMIT_{bare}"),
        hard,
        soft,
    })
}

fn number(text: &str) -> Result<u64, ErrorKind> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("unlimited") {
        return Ok(u64::MAX);
    }
    // Go takes no sign here, Rust would take a plus.
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|_| digits)
        .ok_or_else(|| ErrorKind::RlimitNumber {
            value: text.to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_in_every_spelling() {
        let got = parse(" nofile , 100, Unlimited ").unwrap();
        assert_eq!(
            got,
            Rlimit {
                kind: "RLIMIT_NOFILE".into(),
                soft: 100,
                hard: 18_446_744_073_709_551_615
            }
        );
        assert_eq!(parse("rlimit_RTTIME,0,1").unwrap().kind, "RLIMIT_RTTIME");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = |text| parse(text).unwrap_err().to_string();
        assert!(message("nofile,1").starts_with("cannot parse rlimit: nofile,1"));
        assert!(message("nofile,-1,1").starts_with("cannot parse -1 as uint64"));
        assert!(message("nofile,+1,1").starts_with("cannot parse +1 as uint64"));
        assert!(message("nofile,1,2,3").starts_with("cannot parse 2,3 as uint64"));
        assert!(message("nofile,1,18446744073709551616").starts_with("cannot parse 184467"));
        assert!(message("FOO,1,2").starts_with("unknown limit: FOO"));
    }
}
