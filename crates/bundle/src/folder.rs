//! An OCI layout that is a directory, read with the same strictness as a tar: regular files only. Blocking.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use landfall_oci::{Algorithm, Digest};

use crate::{BundleError, disk, documents};

/// The blobs that lie in the directory, with their sizes. Files of other names are left alone.
pub(crate) fn blobs(root: &Path) -> Result<HashMap<Digest, u64>, BundleError> {
    let mut found = HashMap::new();
    for algorithm in Algorithm::ALL {
        let folder = root.join("blobs").join(algorithm.as_str());
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other.map_err(BundleError::io("list", &folder))?,
        };
        for entry in entries {
            let entry = entry.map_err(BundleError::io("list", &folder))?;
            let name = entry.file_name();
            let digest = name
                .to_str()
                .and_then(|hex| format!("{algorithm}:{hex}").parse().ok());
            let Some(digest) = digest else { continue };
            let stat = entry
                .metadata()
                .map_err(BundleError::io("examine", &entry.path()))?;
            if !stat.is_file() {
                return Err(BundleError::UnsafeEntry {
                    path: root.to_owned(),
                    entry: documents::blob_name(&digest),
                    reason: "is not a regular file",
                });
            }
            found.insert(digest, stat.len());
        }
    }
    Ok(found)
}

/// Opens a file of the layout; `None` when it is not there.
pub(crate) fn open(root: &Path, name: &str) -> Result<Option<File>, BundleError> {
    let path = root.join(name);
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(disk::nofollow())
        .open(&path);
    match opened {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(BundleError::io("open", &path)(error)),
    }
}
