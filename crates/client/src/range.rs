//! `Content-Range`, and the `Range` header of upload answers. Pure.

/// `bytes FIRST-LAST/LENGTH` (RFC 9110, 14.4); the length is `None` for `*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContentRange {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) length: Option<u64>,
}

impl ContentRange {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (unit, rest) = text.trim().split_once(' ')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (range, length) = rest.trim().split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        let length = match length.trim() {
            "*" => None,
            number => Some(number.parse().ok()?),
        };
        (first <= last && length.is_none_or(|length| last < length)).then_some(Self { first, last, length })
    }
}

/// How many bytes of an upload a registry has, from its `Range: 0-LAST` (some write `bytes=0-LAST`).
///
/// distribution answers `0-0` for an upload that is still empty; one byte looks the same. It is read as empty unless
/// the registry has already confirmed that byte.
pub(crate) fn uploaded(text: &str, confirmed: u64) -> Option<u64> {
    let text = text.trim();
    let range = text
        .strip_prefix("bytes=")
        .or_else(|| text.strip_prefix("bytes "))
        .unwrap_or(text);
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    if first != 0 {
        return None;
    }
    if last == 0 {
        return Some(confirmed.min(1));
    }
    last.checked_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        let parsed = ContentRange::parse("bytes 5-9/10").unwrap();
        assert_eq!((parsed.first, parsed.last, parsed.length), (5, 9, Some(10)));
        assert_eq!(ContentRange::parse("Bytes 0-0/*").unwrap().length, None);
        for bad in [
            "bytes */10",
            "bytes 9-5/10",
            "bytes 0-10/10",
            "5-9/10",
            "",
            "bytes 1-2",
            "items 0-1/2",
        ] {
            assert_eq!(ContentRange::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn upload_ranges() {
        assert_eq!(uploaded("0-99", 0), Some(100));
        assert_eq!(uploaded("bytes=0-99", 0), Some(100));
        assert_eq!(uploaded("0-0", 0), Some(0));
        assert_eq!(uploaded("0-0", 1), Some(1));
        assert_eq!(uploaded("5-9", 0), None);
        assert_eq!(uploaded("0--1", 0), None);
        assert_eq!(uploaded(&format!("0-{}", u64::MAX), 0), None);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "[ bytes=0-9*/-]{0,40}", confirmed in 0_u64..) {
            let _ = (ContentRange::parse(&text), uploaded(&text, confirmed));
        }
    }
}
