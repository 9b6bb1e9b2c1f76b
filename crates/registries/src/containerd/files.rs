//! Certificate files as containerd finds them: it reads all of them before the first request, and the first that it
//! cannot read ends the pull.

use std::collections::BTreeMap;

use crate::go::quote::quote;

/// What is at a path. What nothing is known of is taken to be fine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileState {
    /// A readable PEM file.
    #[default]
    Fine,
    /// Nothing.
    Missing,
    /// A directory.
    Directory,
    /// A file that may not be read.
    Forbidden,
    /// A readable file without a certificate.
    NoPem,
    /// A certificate without a key: fine unless the key is to be in the same file.
    NoKey,
}

/// States by path.
pub(super) type Files = BTreeMap<String, FileState>;

/// Why an authority's file cannot be used by hosts.toml.
pub(super) fn authority(files: &Files, path: &str) -> Option<String> {
    match state(files, path) {
        FileState::NoPem => Some(format!("unable to load CA cert {}", quote(path))),
        _ => unread(files, path).map(|words| format!("unable to read CA cert {}: {words}", quote(path))),
    }
}

/// Why a certificate and its key (empty: in the same file) cannot be used by hosts.toml.
pub(super) fn pair(files: &Files, cert: &str, key: &str) -> Option<String> {
    for path in [cert, key].into_iter().filter(|path| !path.is_empty()) {
        if let Some(words) = unread(files, path) {
            return Some(format!("unable to read CERT file {}: {words}", quote(path)));
        }
    }
    no_pem(files, cert, key).map(|words| format!("failed to load X509 key pair: {words}"))
}

/// Why a certificate and its key cannot be used, as Go's TLS tells it.
pub(super) fn key_pair(files: &Files, cert: &str, key: &str) -> Option<String> {
    unread(files, cert)
        .or_else(|| unread(files, key))
        .or_else(|| no_pem(files, cert, key))
}

/// Why a file cannot be read, as Go tells it.
pub(super) fn unread(files: &Files, path: &str) -> Option<String> {
    let words = match state(files, path) {
        FileState::Fine | FileState::NoPem | FileState::NoKey => return None,
        FileState::Missing => format!("open {path}: no such file or directory"),
        FileState::Directory => format!("read {path}: is a directory"),
        FileState::Forbidden => format!("open {path}: permission denied"),
    };
    Some(words)
}

fn no_pem(files: &Files, cert: &str, key: &str) -> Option<String> {
    let bare = |path: &str| state(files, path) == FileState::NoPem;
    if key.is_empty() && state(files, cert) == FileState::NoKey {
        return Some("tls: found a certificate rather than a key in the PEM for the private key".to_owned());
    }
    let part = match (bare(cert), !key.is_empty() && bare(key)) {
        (false, false) => return None,
        (true, _) => "certificate",
        (false, true) => "key",
    };
    Some(format!("tls: failed to find any PEM data in {part} input"))
}

fn state(files: &Files, path: &str) -> FileState {
    files.get(path).copied().unwrap_or_default()
}
