//! The parsers of headers, for the fuzz targets only.

use http::{HeaderMap, HeaderValue, header};

/// User and password of `Authorization: Basic`.
#[must_use]
pub fn basic(value: &[u8]) -> Option<(String, String)> {
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, HeaderValue::from_bytes(value).ok()?);
    crate::access::basic_for_fuzzing(&headers)
}
