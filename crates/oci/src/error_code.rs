//! The registry's error envelope: `{"errors":[{"code","message","detail"}]}` (distribution-spec, "Error Codes").

use std::fmt;

use serde::{Deserialize, Serialize};

/// The codes of the distribution specification, and whatever else a registry makes up.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub enum ErrorCode {
    BlobUnknown,
    BlobUploadInvalid,
    BlobUploadUnknown,
    DigestInvalid,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    NameInvalid,
    NameUnknown,
    RangeInvalid,
    SizeInvalid,
    TagInvalid,
    Unauthorized,
    Denied,
    Unsupported,
    #[serde(rename = "TOOMANYREQUESTS")]
    TooManyRequests,
    Unknown,
    /// A code that no specification names.
    #[serde(untagged)]
    Other(String),
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// One entry of the envelope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorEntry {
    /// What kind of error.
    #[serde(default = "unknown")]
    pub code: ErrorCode,
    /// For people.
    #[serde(default)]
    pub message: String,
    /// Anything; registries differ.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub detail: serde_json::Value,
}

fn unknown() -> ErrorCode {
    ErrorCode::Unknown
}

/// The whole envelope.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// At least one, when a registry follows the specification.
    pub errors: Vec<ErrorEntry>,
}

impl ErrorBody {
    /// An envelope with one entry and no detail.
    #[must_use]
    pub fn one(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            errors: vec![ErrorEntry {
                code,
                message: message.into(),
                detail: serde_json::Value::Null,
            }],
        }
    }

    /// Whether any entry has this code.
    #[must_use]
    pub fn has(&self, code: &ErrorCode) -> bool {
        self.errors.iter().any(|entry| entry.code == *code)
    }
}

impl fmt::Display for ErrorBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, entry) in self.errors.iter().enumerate() {
            let separator = if position == 0 { "" } else { "; " };
            write!(f, "{separator}{}", entry.code)?;
            if !entry.message.is_empty() {
                write!(f, ": {}", entry.message)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_specification_spelling_and_unknown_ones_survive() {
        let text = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"},{"code":"X_Y"}]}"#;
        let body: ErrorBody = serde_json::from_str(text).unwrap();
        assert!(body.has(&ErrorCode::TooManyRequests));
        assert_eq!(body.errors[1].code, ErrorCode::Other("X_Y".into()));
        assert_eq!(body.to_string(), "TOOMANYREQUESTS: slow down; X_Y");
        assert_eq!(
            ErrorCode::ManifestBlobUnknown.to_string(),
            "MANIFEST_BLOB_UNKNOWN"
        );
    }
}
