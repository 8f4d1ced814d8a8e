//! `Content-Range`, as far as a resumed download needs it (RFC 9110 §14.4).

/// First byte and, if told, complete length of a `bytes FIRST-LAST/LENGTH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ContentRange {
    pub(crate) first: u64,
    pub(crate) complete: Option<u64>,
}

impl ContentRange {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (range, complete) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.trim().split_once('-')?;
        let number = |text: &str| {
            let text = text.trim();
            // `parse` alone would take a sign.
            text.bytes()
                .all(|c| c.is_ascii_digit())
                .then(|| text.parse::<u64>().ok())?
        };
        let (first, last) = (number(first)?, number(last)?);
        let complete = match complete.trim() {
            "*" => None,
            text => Some(number(text)?),
        };
        let sound = first <= last && complete.is_none_or(|length| last < length);
        sound.then_some(Self { first, complete })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_ranges() {
        let range = |first, complete| Some(ContentRange { first, complete });
        assert_eq!(ContentRange::parse("bytes 5-9/10"), range(5, Some(10)));
        assert_eq!(ContentRange::parse("bytes 0-0/*"), range(0, None));
        for bad in [
            "",
            "bytes */10",
            "bytes 5-4/10",
            "bytes 5-10/10",
            "bytes +5-9/10",
            "items 0-1/2",
            "bytes 0-/2",
        ] {
            assert_eq!(ContentRange::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn takes_any_text(text in "(bytes )?[0-9*/+ -]{0,50}") {
            let _ = ContentRange::parse(&text);
        }

        #[test]
        fn reads_what_servers_write(first in 0..u64::MAX / 2, more in 0..1000_u64, behind in 1..1000_u64) {
            let (last, complete) = (first + more, first + more + behind);
            let read = ContentRange::parse(&format!("bytes {first}-{last}/{complete}"));
            prop_assert_eq!(read, Some(ContentRange { first, complete: Some(complete) }));
        }
    }
}
