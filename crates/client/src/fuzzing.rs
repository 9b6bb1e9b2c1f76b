//! The parsers of headers, for the fuzz targets only.

use crate::range::{self, ContentRange};

/// `Content-Range`: first, last, length.
#[must_use]
pub fn content_range(header: &str) -> Option<(u64, u64, Option<u64>)> {
    ContentRange::parse(header).map(|range| (range.first, range.last, range.length))
}

/// The `Range` of an upload's answer.
#[must_use]
pub fn uploaded(header: &str, confirmed: u64) -> Option<u64> {
    range::uploaded(header, confirmed)
}

/// `Link`: where the next page is.
#[must_use]
pub fn next_link(header: &str) -> Option<&str> {
    crate::link::next(header)
}
