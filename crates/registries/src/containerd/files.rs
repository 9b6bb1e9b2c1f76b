//! Certificate files as containerd finds them: it reads all of them before the first request, and the first that it
//! cannot read ends the pull.

use std::collections::BTreeMap;

use crate::go::quote::quote;

/// What is at a path. What nothing is known of is taken to be fine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
}

/// States by path.
pub(super) type Files = BTreeMap<String, FileState>;

/// Why an authority's file cannot be used.
pub(super) fn authority(files: &Files, path: &str) -> Option<String> {
    match state(files, path) {
        FileState::Fine => None,
        FileState::NoPem => Some(format!("unable to load CA cert {}", quote(path))),
        state => Some(format!(
            "unable to read CA cert {}: {}",
            quote(path),
            unreadable(state, path)
        )),
    }
}

/// Why a certificate and its key (empty: in the same file) cannot be used.
pub(super) fn pair(files: &Files, cert: &str, key: &str) -> Option<String> {
    for path in [cert, key].into_iter().filter(|path| !path.is_empty()) {
        match state(files, path) {
            FileState::Fine | FileState::NoPem => {}
            state => {
                let path_shown = quote(path);
                return Some(format!(
                    "unable to read CERT file {path_shown}: {}",
                    unreadable(state, path)
                ));
            }
        }
    }
    let bare = |path: &str| state(files, path) == FileState::NoPem;
    let part = match (bare(cert), !key.is_empty() && bare(key)) {
        (false, false) => return None,
        (true, _) => "certificate",
        (false, true) => "key",
    };
    Some(format!(
        "failed to load X509 key pair: tls: failed to find any PEM data in {part} input"
    ))
}

/// Go's error of opening or reading.
pub(super) fn unreadable(state: FileState, path: &str) -> String {
    match state {
        FileState::Missing => format!("open {path}: no such file or directory"),
        FileState::Directory => format!("read {path}: is a directory"),
        _ => format!("open {path}: permission denied"),
    }
}

pub(super) fn state(files: &Files, path: &str) -> FileState {
    files.get(path).cloned().unwrap_or_default()
}
