//! From a refusal to an error that says what to do: the status, the registry's own codes, and its words.

use std::time::SystemTime;

use http::StatusCode;
use landfall_net::client::{is_retryable, retry_after};
use landfall_oci::{Digest, ErrorBody, ErrorCode, ErrorEntry};

use crate::session::{Answer, Place};
use crate::{ClientError, Missing};

/// The most of a registry's words that is shown.
const MAX_WORDS: usize = 400;

/// Makes the error of a response that is no success. `missing` is what a bare 404 means here.
pub(crate) async fn refusal(place: Place<'_>, what: &str, missing: Missing, answer: Answer) -> ClientError {
    let Answer { response, provenance } = answer;
    let status = response.status();
    let attempts = response.attempts();
    let asked = retry_after(response.headers(), SystemTime::now());
    let bytes = response.error_body().await;
    let body: ErrorBody = serde_json::from_slice(&bytes).unwrap_or_default();
    let (what, registry) = (what.to_owned(), place.registry.to_string());
    let detail = words(&body);
    let provenance = provenance.to_string();
    match status {
        StatusCode::TOO_MANY_REQUESTS => ClientError::RateLimited {
            what,
            registry,
            attempts,
            retry_after: asked,
            detail,
        },
        _ if body.has(&ErrorCode::TooManyRequests) => ClientError::RateLimited {
            what,
            registry,
            attempts,
            retry_after: asked,
            detail,
        },
        StatusCode::UNAUTHORIZED => ClientError::Unauthorized {
            what,
            registry,
            provenance,
            detail,
        },
        StatusCode::FORBIDDEN => ClientError::Denied {
            what,
            registry,
            provenance,
            detail,
        },
        StatusCode::NOT_FOUND => ClientError::NotFound {
            what,
            missing: what_is_missing(&body).unwrap_or(missing),
            detail,
        },
        status if is_retryable(status) || status.is_server_error() => ClientError::Unavailable {
            what,
            status: status.as_u16(),
            attempts,
            detail,
        },
        status => ClientError::Refused {
            what,
            status: status.as_u16(),
            code: body.errors.first().map(|entry| entry.code.clone()),
            detail,
        },
    }
}

fn what_is_missing(body: &ErrorBody) -> Option<Missing> {
    body.errors.iter().find_map(|entry| match entry.code {
        ErrorCode::NameUnknown => Some(Missing::Repository),
        ErrorCode::ManifestUnknown => Some(Missing::Manifest),
        ErrorCode::BlobUnknown => Some(Missing::Blob),
        _ => None,
    })
}

/// What the registry said, on one line, without anything that a terminal would act on.
pub(crate) fn words(body: &ErrorBody) -> String {
    let entries: Vec<String> = body.errors.iter().take(5).map(entry_words).collect();
    if entries.is_empty() {
        return String::new();
    }
    let clean: String = entries
        .join("; ")
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_WORDS)
        .collect();
    format!(": {clean}")
}

fn entry_words(entry: &ErrorEntry) -> String {
    let mut text = entry.code.to_string();
    if !entry.message.is_empty() {
        text = format!("{text}: {}", entry.message);
    }
    match &entry.detail {
        serde_json::Value::Null => text,
        serde_json::Value::String(detail) if detail.is_empty() || *detail == entry.message => text,
        serde_json::Value::String(detail) => format!("{text} ({detail})"),
        detail => format!("{text} ({detail})"),
    }
}

/// Compares `Docker-Content-Digest` with the digest that the content has. Nothing is learnt from the header; a
/// header that contradicts the content means that something is broken.
pub(crate) fn check_digest_header(
    what: &str,
    header: Option<&str>,
    digest_of: impl Fn(landfall_oci::Algorithm) -> Option<Digest>,
    fallback: Digest,
) -> Result<(), ClientError> {
    let Some(header) = header.map(str::trim).filter(|header| !header.is_empty()) else {
        return Ok(());
    };
    let actual = match header.parse::<Digest>() {
        Ok(stated) => match digest_of(stated.algorithm()) {
            Some(actual) if actual == stated => return Ok(()),
            Some(actual) => actual,
            // Another algorithm than the one we know the content by: nothing to compare.
            None => return Ok(()),
        },
        Err(_) => fallback,
    };
    Err(ClientError::DigestHeader {
        what: what.to_owned(),
        header: header.chars().take(200).collect(),
        actual,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_one_harmless_line() {
        let body: ErrorBody = serde_json::from_str(
            r#"{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob\u001b[31m unknown","detail":{"Digest":"sha256:1"}}]}"#,
        )
        .unwrap();
        let words = words(&body);
        assert_eq!(
            words,
            r#": MANIFEST_BLOB_UNKNOWN: blob [31m unknown ({"Digest":"sha256:1"})"#
        );
        assert_eq!(super::words(&ErrorBody::default()), "");
        let long = ErrorBody::one(ErrorCode::Unknown, "x".repeat(10_000));
        assert!(super::words(&long).len() < 500);
    }
}
