//! `rlimits`: `NAME,SOFT,HARD`.

use super::{Check, join};
use crate::fault::{Fault, quoted};
use crate::suggest::nearest;

const NAMES: [&str; 16] = [
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

/// A resource limit of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rlimit {
    /// `RLIMIT_…`
    pub name: String,
    /// Soft limit; `u64::MAX` is unlimited.
    pub soft: u64,
    /// Hard limit; `u64::MAX` is unlimited.
    pub hard: u64,
}

/// Reads an entry of `rlimits`. Case and the prefix `RLIMIT_` don't matter, nor do spaces.
///
/// # Errors
/// What is wrong, with advice where there is some.
pub fn parse_rlimit(text: &str) -> Result<Rlimit, (String, Option<String>)> {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let [name, soft, hard] = parts[..] else {
        let message = format!(
            "the limit {} has not the form `NAME,SOFT,HARD`",
            quoted(text)
        );
        return Err((message, Some("write it like `nofile,1024,4096`".to_owned())));
    };
    let upper = name.to_uppercase();
    let short = upper.strip_prefix("RLIMIT_").unwrap_or(&upper);

    if !NAMES.contains(&short) {
        let help = nearest(short, NAMES).map(|near| format!("did you mean `{near}`?"));
        return Err((format!("unknown limit {}", quoted(name)), help));
    }
    let value = |text: &str| match text {
        _ if text.eq_ignore_ascii_case("unlimited") => Ok(u64::MAX),
        _ => digits(text).ok_or_else(|| {
            let message = format!("{} is no limit", quoted(text));
            (
                message,
                Some("a limit is a number from 0 up, or `unlimited`".to_owned()),
            )
        }),
    };
    Ok(Rlimit {
        name: format!("RLIMIT_{short}"),
        soft: value(soft)?,
        hard: value(hard)?,
    })
}

/// A number without any sign.
fn digits(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

impl Check<'_> {
    pub(super) fn rlimits(&mut self, path: &str, limits: Option<&[String]>) {
        for (index, text) in limits.unwrap_or_default().iter().enumerate() {
            let path = format!("{}[{index}]", join(path, "rlimits"));
            if self.broken(&path) {
                continue;
            }
            if let Err((message, help)) = parse_rlimit(text) {
                let fault = Fault::new(path, message);
                self.fault(match help {
                    Some(help) => fault.help(help),
                    None => fault,
                });
            }
        }
    }
}
