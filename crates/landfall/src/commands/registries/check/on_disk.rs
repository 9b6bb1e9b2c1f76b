//! Certificates and keys, where the node has them: below `/`, or below a folder that stands for it.

use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use landfall_registries::lint::{Content, Files};

/// No bundle of certificates is larger.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// A node's files.
pub(super) struct OnDisk {
    root: PathBuf,
}

impl OnDisk {
    pub(super) fn below(root: Option<&Path>) -> Self {
        Self {
            root: root.unwrap_or(Path::new("/")).to_owned(),
        }
    }

    /// Where a path of the node is on this machine.
    pub(super) fn place(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }
}

impl Files for OnDisk {
    fn look(&self, path: &str) -> Content {
        // What containerd takes them relative to is known on the node only.
        if !path.starts_with('/') {
            return Content::Unknown;
        }
        let failed = |error: &std::io::Error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => Content::Missing,
            ErrorKind::PermissionDenied => Content::Forbidden,
            ErrorKind::IsADirectory => Content::Directory,
            _ => Content::Unknown,
        };
        let place = self.place(path);
        match fs::metadata(&place) {
            Err(error) => return failed(&error),
            Ok(found) if found.is_dir() => return Content::Directory,
            // A pipe would never end.
            Ok(found) if !found.is_file() => return Content::Unknown,
            Ok(_) => {}
        }
        let mut bytes = Vec::new();
        let read = fs::File::open(&place).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes));
        match read {
            Ok(_) => Content::Bytes(bytes),
            Err(error) => failed(&error),
        }
    }
}
