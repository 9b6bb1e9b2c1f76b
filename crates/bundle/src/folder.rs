//! An OCI layout that is a directory, read with the same strictness as a tar: regular files only. Blocking.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use landfall_oci::{Algorithm, Digest};
use landfall_store::Beneath;

use crate::reader::MAX_DOCUMENT;
use crate::{BundleError, documents};

/// The blobs that lie in the directory, with their sizes. Files of other names are left alone.
pub(crate) fn blobs(root: &Path) -> Result<HashMap<Digest, u64>, BundleError> {
    let mut found = HashMap::new();
    for algorithm in Algorithm::ALL {
        let name = format!("blobs/{algorithm}");
        let folder = root.join(&name);
        let is_there = Beneath::new(root).and_then(|root| root.folder(&name));
        if is_there.map_err(BundleError::io("open", &folder))?.is_none() {
            continue;
        }
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
            let stat = match entry.metadata() {
                // Whoever writes here may have removed it meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(BundleError::io("examine", &entry.path()))?,
            };
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

/// Opens a regular file of the layout; `None` when it is not there.
pub(crate) fn open(root: &Path, name: &str) -> Result<Option<File>, BundleError> {
    let opened = Beneath::new(root).and_then(|folder| folder.file(name));
    opened.map_err(BundleError::io("open", &root.join(name)))
}

/// Reads one of the layout's documents whole.
pub(crate) fn read(file: &File, root: &Path, name: &str) -> Result<Vec<u8>, BundleError> {
    let mut bytes = Vec::new();
    let limited = file.take(MAX_DOCUMENT + 1).read_to_end(&mut bytes);
    limited.map_err(BundleError::io("read", &root.join(name)))?;
    Ok(bytes)
}
