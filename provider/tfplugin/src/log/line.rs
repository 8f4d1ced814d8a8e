//! One event as one or more JSON lines.

use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};
use tracing::Level;

/// Terraform cuts lines at 64 KiB. A character takes up to six bytes in JSON,
/// so this much text, and half as much again for the fields, stays below.
const MAX_MESSAGE: usize = 6 << 10;
const MAX_FIELDS: usize = 3 << 10;

pub(super) struct Record<'a> {
    pub(super) level: &'a Level,
    pub(super) module: &'a str,
    pub(super) message: &'a str,
    pub(super) fields: &'a [(&'static str, String)],
}

impl Record<'_> {
    /// The lines, each with its line end; a long message takes several.
    pub(super) fn lines(&self, now: SystemTime) -> String {
        let time = timestamp(now);
        let mut out = String::new();
        let mut rest = self.message;
        loop {
            let (piece, more) = rest.split_at(rest.floor_char_boundary(MAX_MESSAGE));
            let _ = writeln!(out, "{}", self.line(piece, &time));
            rest = more;
            if rest.is_empty() {
                return out;
            }
        }
    }

    fn line(&self, message: &str, time: &str) -> Value {
        let level = match *self.level {
            Level::ERROR => "error",
            Level::WARN => "warn",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        };
        let mut line = Map::new();
        let mut put = |key: &str, value: &str| line.insert(key.to_owned(), Value::from(value));
        put("@level", level);
        put("@message", message);
        put("@module", self.module);
        put("@timestamp", time);
        let mut room = MAX_FIELDS;
        for (key, value) in self.fields {
            let end = value.floor_char_boundary(room);
            if end < value.len() {
                put(key, &format!("{}…", &value[..end]));
                room = 0;
            } else {
                put(key, value);
                room -= end;
            }
        }
        Value::Object(line)
    }
}

/// `2006-01-02T15:04:05.000000Z`, of which Terraform insists on every digit.
fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, micros) = (since.as_secs(), since.subsec_micros());
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// The Gregorian date of a day since 1970. Years begin in March here, so that
/// the leap day is the last.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year + next, month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn timestamps() {
        for (seconds, want) in [
            (0, "1970-01-01T00:00:00.000007Z"),
            (951_782_399, "2000-02-28T23:59:59.000007Z"),
            (951_782_400, "2000-02-29T00:00:00.000007Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000007Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000007Z"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_micros(7);
            assert_eq!(timestamp(time), want);
        }
    }

    #[test]
    fn one_line_of_json() {
        let record = Record {
            level: &Level::WARN,
            module: "a::b",
            message: "two\nlines",
            fields: &[("size", "7".to_owned())],
        };
        let text = record.lines(UNIX_EPOCH);
        assert_eq!(text.matches('\n').count(), 1);
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["@level"], "warn");
        assert_eq!(json["@message"], "two\nlines");
        assert_eq!(json["@module"], "a::b");
        assert_eq!(json["@timestamp"], "1970-01-01T00:00:00.000000Z");
        assert_eq!(json["size"], "7");
    }

    #[test]
    fn no_line_reaches_64_kib() {
        let message = "\u{1}é".repeat(50_000);
        let record = Record {
            level: &Level::DEBUG,
            module: "m",
            message: &message,
            fields: &[("a", "\u{2}".repeat(100_000)), ("b", "\"".repeat(100_000))],
        };
        let text = record.lines(UNIX_EPOCH);
        let mut whole = String::new();
        for line in text.lines() {
            assert!(line.len() < 64 << 10, "{}", line.len());
            let json: Value = serde_json::from_str(line).unwrap();
            whole.push_str(json["@message"].as_str().unwrap());
        }
        assert_eq!(whole, message);
    }
}
