//! What differs between releases of containerd, each behaviour by its name.
//!
//! Read in `remotes/docker` (1.x) and `core/remotes/docker` (2.x) of v1.6.20, v1.7.27, v2.0.13, v2.1.8, v2.2.8,
//! v2.3.7 and v2.4.2.

use crate::hosts::Dialect;
use crate::hosts::toml::GoToml;

/// A line of releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Release {
    /// 1.6, as in Debian 12.
    V1_6,
    /// 1.7.
    V1_7,
    /// 2.0.
    V2_0,
    /// 2.1.
    V2_1,
    /// 2.2.
    V2_2,
    /// 2.3.
    V2_3,
    /// 2.4.
    V2_4,
}

/// What a release does where others do otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// What reads hosts.toml.
    pub go_toml: GoToml,
    /// The log names the file that could not be decoded (2.0).
    pub log_names_file: bool,
    /// `referrers` is a capability (2.2).
    pub referrers: bool,
    /// `dial_timeout` is read (2.0).
    pub dial_timeout: bool,
    /// A `dial_timeout` counts as a TLS setting (2.0 only).
    pub dial_timeout_is_tls: bool,
    /// `http` with TLS settings, and localhost: HTTPS first, HTTP when the host does not speak TLS (1.7). Before,
    /// plain HTTP at once.
    pub https_first: bool,
    /// How often one request is sent to one host at most: 6 up to 2.2, 5 since.
    pub budget: usize,
    /// A 500, 503 or 504 of the last host is tried again, once per code in a row (2.1).
    pub last_host_again: bool,
    /// Time-outs and cut connections of the last host are tried again (2.3).
    pub transport_again: bool,
    /// A 403 is asked again by GET, to show the registry's words.
    pub forbidden_body: ForbiddenBody,
    /// Which error is told when all hosts fail.
    pub errors: ErrorRule,
    /// After an error status of `/manifests/`, `/blobs/` is not asked (2.0, 2.2 and later).
    pub status_ends_search: bool,
    /// How an error status is told.
    pub status_words: StatusWords,
    /// A Basic challenge without credentials is an error, not a 401 (1.7).
    pub basic_needs_credentials: bool,
    /// An error status of the GET that stands in for a HEAD without a digest is an error (2.3).
    pub get_status_checked: bool,
    /// `registry.configs.*.tls` is read (1.x).
    pub legacy_tls: bool,
    /// A host with headers of its own has a client of its own (2.1).
    pub header_is_own_client: bool,
    /// A refused token is thrown away and asked for again once (2.1).
    pub token_again: bool,
}

/// Whether a 403 is asked again by GET.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForbiddenBody {
    /// No.
    Never,
    /// While no worse error is known; even when the 403 came to a GET (2.0.13).
    UntilWorst,
    /// When it came to a HEAD (2.3).
    OfHead,
}

/// Which of several errors is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorRule {
    /// The first that is not a 404 (1.x).
    FirstButNotFound,
    /// The first of the highest class: status, 404, connection (2.0).
    HighestClass,
}

/// How an error status is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusWords {
    /// `pulling from host … failed with status code …` (1.6).
    PullingFromHost,
    /// `unexpected status from HEAD request to …` (1.7).
    UnexpectedStatus,
}

/// A text that is no version of containerd, or of a line that is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no release of containerd that is known; 1.6, 1.7 and 2.0 to 2.4 are")]
pub struct ReleaseError {
    text: String,
}

impl std::str::FromStr for Release {
    type Err = ReleaseError;

    /// Reads `1.7`, `v1.7.27`, `2.1.8-k3s1`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_prefix('v').unwrap_or(text);
        let mut parts = number.split(['.', '-', '+']);
        let line = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        Ok(match line {
            ("1", "6") => Self::V1_6,
            ("1", "7") => Self::V1_7,
            ("2", "0") => Self::V2_0,
            ("2", "1") => Self::V2_1,
            ("2", "2") => Self::V2_2,
            ("2", "3") => Self::V2_3,
            ("2", "4") => Self::V2_4,
            _ => {
                return Err(ReleaseError {
                    text: text.to_owned(),
                });
            }
        })
    }
}

impl Release {
    /// All of them, oldest first.
    pub const ALL: [Self; 7] = [
        Self::V1_6,
        Self::V1_7,
        Self::V2_0,
        Self::V2_1,
        Self::V2_2,
        Self::V2_3,
        Self::V2_4,
    ];

    /// What it does.
    #[must_use]
    pub fn behaviour(self) -> Behaviour {
        let newest_budget = self >= Self::V2_3;
        Behaviour {
            go_toml: match self {
                Self::V1_6 | Self::V1_7 => GoToml::V1,
                Self::V2_4 => GoToml::V2_4,
                _ => GoToml::V2,
            },
            log_names_file: self >= Self::V2_0,
            referrers: self >= Self::V2_2,
            dial_timeout: self >= Self::V2_0,
            dial_timeout_is_tls: self == Self::V2_0,
            https_first: self >= Self::V1_7,
            budget: if newest_budget { 5 } else { 6 },
            last_host_again: self >= Self::V2_1,
            transport_again: newest_budget,
            forbidden_body: match self {
                Self::V2_0 => ForbiddenBody::UntilWorst,
                Self::V2_3 | Self::V2_4 => ForbiddenBody::OfHead,
                _ => ForbiddenBody::Never,
            },
            errors: match self {
                Self::V1_6 | Self::V1_7 => ErrorRule::FirstButNotFound,
                _ => ErrorRule::HighestClass,
            },
            status_ends_search: !matches!(self, Self::V1_6 | Self::V1_7 | Self::V2_1),
            status_words: match self {
                Self::V1_6 => StatusWords::PullingFromHost,
                _ => StatusWords::UnexpectedStatus,
            },
            basic_needs_credentials: self >= Self::V1_7,
            get_status_checked: newest_budget,
            legacy_tls: self < Self::V2_0,
            header_is_own_client: self >= Self::V2_1,
            token_again: self >= Self::V2_1,
        }
    }

    /// As people write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1_6 => "1.6",
            Self::V1_7 => "1.7",
            Self::V2_0 => "2.0",
            Self::V2_1 => "2.1",
            Self::V2_2 => "2.2",
            Self::V2_3 => "2.3",
            Self::V2_4 => "2.4",
        }
    }
}

impl Behaviour {
    /// How hosts.toml is read.
    #[must_use]
    pub fn dialect(self, fork: bool) -> Dialect {
        Dialect {
            fork,
            go_toml: match self.go_toml {
                // K3s builds containerd into its own program, with the go-toml of its own choice: the newest.
                GoToml::V2 if fork => GoToml::V2_4,
                library => library,
            },
            referrers: self.referrers,
            dial_timeout: self.dial_timeout,
        }
    }
}
