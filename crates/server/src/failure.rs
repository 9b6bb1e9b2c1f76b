//! One table: what each error of the store means to a client.

use std::io;

use http::StatusCode;
use http::header;
use landfall_oci::{ErrorCode, ErrorEntry, ManifestError};
use landfall_store::{StoreError, What};

use crate::path::PathError;
use crate::reply::Failure;

/// Missing blobs that one answer names.
const MAX_NAMED: usize = 100;

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        let new = |status, code| Self::new(status, code, message.clone());
        match error {
            StoreError::NotFound(What::Repository(_)) => new(StatusCode::NOT_FOUND, ErrorCode::NameUnknown),
            StoreError::NotFound(What::Blob(_)) => new(StatusCode::NOT_FOUND, ErrorCode::BlobUnknown),
            StoreError::NotFound(What::Manifest(_)) => new(StatusCode::NOT_FOUND, ErrorCode::ManifestUnknown),
            StoreError::ReadOnly { .. } => Self::unsupported(message),
            StoreError::DigestMismatch { .. } => new(StatusCode::BAD_REQUEST, ErrorCode::DigestInvalid),
            StoreError::UploadUnknown { .. } => new(StatusCode::NOT_FOUND, ErrorCode::BlobUploadUnknown),
            StoreError::TooManyUploads { .. } => {
                new(StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooManyRequests).with(header::RETRY_AFTER, "60")
            }
            StoreError::RangeMismatch { .. } => {
                new(StatusCode::RANGE_NOT_SATISFIABLE, ErrorCode::BlobUploadInvalid)
            }
            StoreError::MissingBlobs { digests } => Self {
                errors: digests
                    .iter()
                    .take(MAX_NAMED)
                    .map(|digest| ErrorEntry {
                        code: ErrorCode::ManifestBlobUnknown,
                        message:
                            "the manifest names a blob that this repository does not hold: push it first"
                                .to_owned(),
                        detail: serde_json::json!({ "digest": digest }),
                    })
                    .collect(),
                ..new(StatusCode::BAD_REQUEST, ErrorCode::ManifestBlobUnknown)
            },
            StoreError::NoSpace { .. } => new(StatusCode::INSUFFICIENT_STORAGE, ErrorCode::Denied),
            StoreError::Conflict { .. } | StoreError::Immutable { .. } => {
                new(StatusCode::CONFLICT, ErrorCode::Denied)
            }
            StoreError::Interrupted { source } if source.kind() == io::ErrorKind::TimedOut => {
                new(StatusCode::REQUEST_TIMEOUT, ErrorCode::BlobUploadInvalid)
            }
            StoreError::Interrupted { .. } => new(StatusCode::BAD_REQUEST, ErrorCode::BlobUploadInvalid),
            StoreError::Manifest(error) => error.into(),
            StoreError::Stopped => {
                new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unknown).with(header::RETRY_AFTER, "5")
            }
            other => internal(&other),
        }
    }
}

/// Paths and system messages stay in the log: they are not the client's business.
fn internal(error: &StoreError) -> Failure {
    tracing::error!(%error, "a request failed for a reason on our side");
    Failure::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        ErrorCode::Unknown,
        "the registry could not read or write its store; its log says why",
    )
}

impl From<ManifestError> for Failure {
    fn from(error: ManifestError) -> Self {
        let (status, code) = match error {
            ManifestError::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::SizeInvalid),
            _ => (StatusCode::BAD_REQUEST, ErrorCode::ManifestInvalid),
        };
        Self::new(status, code, error.to_string())
    }
}

impl PathError {
    /// What a client hears. `reading` is true for GET and HEAD: what cannot exist is simply not there.
    pub(crate) fn into_failure(self, reading: bool) -> Failure {
        let bad = |code, message| Failure::new(StatusCode::BAD_REQUEST, code, message);
        match self {
            Self::Unknown => Failure::new(
                StatusCode::NOT_FOUND,
                ErrorCode::Unsupported,
                "there is no such endpoint",
            ),
            Self::Name(name) => bad(
                ErrorCode::NameInvalid,
                format!("`{name}` is not the name of a repository"),
            ),
            Self::Digest(text) => bad(ErrorCode::DigestInvalid, format!("`{text}` is not a digest")),
            Self::Tag(text) if reading => Failure::new(
                StatusCode::NOT_FOUND,
                ErrorCode::ManifestUnknown,
                format!("`{text}` is not a tag"),
            ),
            Self::Tag(text) => bad(ErrorCode::TagInvalid, format!("`{text}` is not a tag")),
            Self::Upload(_) => Failure::new(
                StatusCode::NOT_FOUND,
                ErrorCode::BlobUploadUnknown,
                "there is no such upload",
            ),
        }
    }
}
