//! The two range headers: `Range` of a download (RFC 9110 §14) and `Content-Range` of a chunk (distribution-spec).

use std::ops::Range;

/// What a `Range` header asks for, given the length of what it asks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WantedRange {
    /// Everything: no header, or one that may be ignored (another unit, several ranges).
    All,
    /// These bytes.
    Part(Range<u64>),
    /// Nothing that is there.
    Unsatisfiable,
}

/// Reads a `Range` header: `bytes=a-b`, `bytes=a-`, `bytes=-n`; cut at the end of the content.
#[must_use]
pub fn wanted_range(header: Option<&str>, len: u64) -> WantedRange {
    // A unit's name is no matter of case.
    let is_bytes = |unit: &str| unit.eq_ignore_ascii_case("bytes");
    let parts = header.and_then(|header| header.trim().split_once('='));
    let Some((_, spec)) = parts.filter(|(unit, _)| is_bytes(unit)) else {
        return WantedRange::All;
    };
    // Several ranges would need a multipart answer, which no client of a registry wants: RFC 9110 lets us send all.
    let Some((first, last)) = spec.trim().split_once('-').filter(|_| !spec.contains(',')) else {
        return WantedRange::All;
    };
    let range = match (number(first), number(last)) {
        (Some(first), Some(last)) => first..last.saturating_add(1).min(len),
        (Some(first), None) if last.is_empty() => first..len,
        (None, Some(suffix)) if first.is_empty() => len.saturating_sub(suffix)..len,
        _ => return WantedRange::All,
    };
    match range.is_empty() {
        true => WantedRange::Unsatisfiable,
        false => WantedRange::Part(range),
    }
}

/// A chunk's place in an upload: `a-b`, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkRange {
    /// Its first byte.
    pub start: u64,
    /// Its length; at least 1.
    pub len: u64,
}

/// Why a `Content-Range` is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkRangeError {
    /// Not two numbers with a hyphen between them.
    Malformed,
    /// It ends before it begins.
    Backwards,
}

/// Reads a `Content-Range` header of an upload.
///
/// # Errors
/// [`ChunkRangeError`].
pub fn chunk(header: &str) -> Result<ChunkRange, ChunkRangeError> {
    let (first, last) = header.split_once('-').ok_or(ChunkRangeError::Malformed)?;
    let (Some(start), Some(last)) = (number(first), number(last)) else {
        return Err(ChunkRangeError::Malformed);
    };
    let len = last.checked_sub(start).ok_or(ChunkRangeError::Backwards)?;
    Ok(ChunkRange {
        start,
        len: len.saturating_add(1),
    })
}

/// Digits alone: no sign, no space, no overflow.
fn number(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_2048_bytes() {
        for (header, expected) in [
            ("bytes=500-1499", WantedRange::Part(500..1500)),
            ("bytes=500-", WantedRange::Part(500..2048)),
            ("bytes=-500", WantedRange::Part(1548..2048)),
            ("bytes=2000-5000", WantedRange::Part(2000..2048)),
            ("bytes=-5000", WantedRange::Part(0..2048)),
            ("bytes=0-0", WantedRange::Part(0..1)),
            ("bytes=2047-", WantedRange::Part(2047..2048)),
            ("bytes=500-0", WantedRange::Unsatisfiable),
            ("bytes=5000-10000", WantedRange::Unsatisfiable),
            ("bytes=2048-", WantedRange::Unsatisfiable),
            ("bytes=-0", WantedRange::Unsatisfiable),
            ("bytes=0-18446744073709551615", WantedRange::Part(0..2048)),
            ("bytes=0-1,5-6", WantedRange::All),
            ("bytes=a-b", WantedRange::All),
            ("bytes=+1-2", WantedRange::All),
            ("bytes=-", WantedRange::All),
            ("bytes", WantedRange::All),
            ("Bytes=1-2", WantedRange::Part(1..3)),
            ("items=0-1", WantedRange::All),
            ("bytes=18446744073709551616-", WantedRange::All),
        ] {
            assert_eq!(wanted_range(Some(header), 2048), expected, "{header}");
        }
        assert_eq!(wanted_range(None, 2048), WantedRange::All);
        assert_eq!(wanted_range(Some("bytes=0-"), 0), WantedRange::Unsatisfiable);
    }

    #[test]
    fn chunks_are_two_numbers_in_order() {
        assert_eq!(chunk("0-0"), Ok(ChunkRange { start: 0, len: 1 }));
        assert_eq!(chunk("10-19"), Ok(ChunkRange { start: 10, len: 10 }));
        assert_eq!(chunk("5-4"), Err(ChunkRangeError::Backwards));
        for wrong in [
            "",
            "-",
            "1-",
            "-1",
            "bytes 0-1",
            "0-1/2",
            "0 - 1",
            "a-b",
            "0-18446744073709551616",
        ] {
            assert_eq!(chunk(wrong), Err(ChunkRangeError::Malformed), "{wrong}");
        }
    }
}
