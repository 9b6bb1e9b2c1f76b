//! The file's fields (wharfie `pkg/registries/types.go`), in the file's order.

use landfall_diag::{Span, Spanned};

use crate::{Auth, Rewrite};

/// A whole file, as its consumers decode it: of duplicate keys only the last is here.
#[derive(Clone, Debug, Default)]
pub struct RegistriesYaml {
    /// `mirrors`, by name of registry or `*`.
    pub mirrors: Vec<MirrorEntry>,
    /// `configs`, by `host[:port]` or `*`.
    pub configs: Vec<ConfigEntry>,
    /// `auths`: decoded by the consumers, used by none.
    pub auths: Vec<AuthEntry>,
}

/// One entry of `auths`.
#[derive(Clone, Debug)]
pub struct AuthEntry {
    /// The key.
    pub key: Spanned<String>,
    /// Key and value.
    pub auth: Spanned<Auth>,
}

/// One entry of `mirrors`. A null entry is one without endpoints.
#[derive(Clone, Debug)]
pub struct MirrorEntry {
    /// The key.
    pub key: Spanned<String>,
    /// Key and value.
    pub span: Span,
    /// `endpoint`, in order.
    pub endpoints: Vec<Spanned<String>>,
    /// `rewrite`, in the file's order (which the consumers lose: to them it is a map).
    pub rewrites: Vec<Rewrite>,
}

/// One entry of `configs`. A null entry is one without anything.
#[derive(Clone, Debug)]
pub struct ConfigEntry {
    /// The key.
    pub key: Spanned<String>,
    /// Key and value.
    pub span: Span,
    /// `auth`; `None` when absent or null.
    pub auth: Option<Spanned<Auth>>,
    /// `tls`; `None` when absent or null. An empty section counts in K3s.
    pub tls: Option<Spanned<YamlTls>>,
}

/// `tls` of an entry of `configs`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct YamlTls {
    /// `ca_file`.
    pub ca_file: Option<Spanned<String>>,
    /// `cert_file`.
    pub cert_file: Option<Spanned<String>>,
    /// `key_file`.
    pub key_file: Option<Spanned<String>>,
    /// `insecure_skip_verify`.
    pub insecure_skip_verify: Option<Spanned<bool>>,
}
