//! The file's fields (wharfie `pkg/registries/types.go`), in the file's order.

use landfall_diag::{Span, Spanned};

use crate::go::quote::quote;
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

impl YamlTls {
    /// What go-containerregistry and containerd 1.x say of a certificate without its key, or a key without its
    /// certificate.
    pub(crate) fn lonely(&self) -> Option<String> {
        let text = |field: &Option<Spanned<String>>| field.as_ref().map_or("", |text| &text.value).to_owned();
        let (cert, key) = (text(&self.cert_file), text(&self.key_file));
        let (what, path, other) = match (cert.is_empty(), key.is_empty()) {
            (false, true) => ("cert", cert, "key"),
            (true, false) => ("key", key, "cert"),
            _ => return None,
        };
        let path = quote(&path);
        Some(format!(
            "{what} file {path} was specified, but no corresponding {other} file was specified"
        ))
    }
}
