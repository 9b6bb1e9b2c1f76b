//! The sections of the file and their fields, and the names under which people write them.

/// What a mapping is to the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Level {
    Top,
    Mirrors,
    Mirror,
    Rewrites,
    Configs,
    Config,
    Auths,
    Auth,
    Tls,
}

const FIELDS: [(Level, &[&str]); 5] = [
    (Level::Top, &["mirrors", "configs", "auths"]),
    (Level::Mirror, &["endpoint", "rewrite"]),
    (Level::Config, &["auth", "tls"]),
    (Level::Auth, &["username", "password", "auth", "identity_token"]),
    (
        Level::Tls,
        &["ca_file", "cert_file", "key_file", "insecure_skip_verify"],
    ),
];

/// Names of other formats and of other times, and the field that is meant.
pub(super) const OTHER_NAMES: [(&str, &str); 22] = [
    ("endpoints", "endpoint"),
    ("mirror", "mirrors"),
    ("registries", "mirrors"),
    ("config", "configs"),
    ("rewrites", "rewrite"),
    ("user", "username"),
    ("pass", "password"),
    ("identitytoken", "identity_token"),
    ("identityToken", "identity_token"),
    ("refresh_token", "identity_token"),
    ("ca", "ca_file"),
    ("ca_cert", "ca_file"),
    ("ca_crt", "ca_file"),
    ("caBundle", "ca_file"),
    ("cert", "cert_file"),
    ("key", "key_file"),
    ("skip_verify", "insecure_skip_verify"),
    ("insecureSkipVerify", "insecure_skip_verify"),
    ("insecure_skip_tls_verify", "insecure_skip_verify"),
    ("insecure-skip-tls-verify", "insecure_skip_verify"),
    ("skip_tls_verify", "insecure_skip_verify"),
    ("tls_skip_verify", "insecure_skip_verify"),
];

/// Under which names people look for a bearer token.
pub(super) const TOKENS: [&str; 6] = [
    "token",
    "registrytoken",
    "registry_token",
    "bearer",
    "bearer_token",
    "access_token",
];

impl Level {
    /// The fields of a section; `None` where keys are names.
    pub(super) fn fields(self) -> Option<&'static [&'static str]> {
        FIELDS
            .iter()
            .find(|(level, _)| *level == self)
            .map(|(_, fields)| *fields)
    }

    pub(super) fn below(self, key: &str) -> Option<Self> {
        match (self, key) {
            (Self::Top, "mirrors") => Some(Self::Mirrors),
            (Self::Top, "configs") => Some(Self::Configs),
            (Self::Top, "auths") => Some(Self::Auths),
            (Self::Mirrors, _) => Some(Self::Mirror),
            (Self::Mirror, "rewrite") => Some(Self::Rewrites),
            (Self::Configs, _) => Some(Self::Config),
            (Self::Config, "auth") | (Self::Auths, _) => Some(Self::Auth),
            (Self::Config, "tls") => Some(Self::Tls),
            _ => None,
        }
    }

    /// What a mapping here is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Top => "the top level",
            Self::Mirrors => "`mirrors`",
            Self::Mirror => "an entry of `mirrors`",
            Self::Rewrites => "`rewrite`",
            Self::Configs => "`configs`",
            Self::Config => "an entry of `configs`",
            Self::Auths => "`auths`",
            Self::Auth => "`auth`",
            Self::Tls => "`tls`",
        }
    }

    /// Where in the file such a mapping stands.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Top => "at the top level, without indentation",
            Self::Mirror => "below `mirrors:` and the registry's name",
            Self::Config => "below `configs:` and the host[:port] of the endpoint",
            Self::Auth => "below `configs:`, the host[:port] of the endpoint and `auth:`",
            Self::Tls => "below `configs:`, the host[:port] of the endpoint and `tls:`",
            Self::Mirrors | Self::Rewrites | Self::Configs | Self::Auths => "elsewhere",
        }
    }
}

/// Where a field belongs, by its name.
pub(super) fn home(field: &str) -> Option<Level> {
    FIELDS
        .iter()
        .find(|(_, fields)| fields.contains(&field))
        .map(|(level, _)| *level)
}
