//! Reading for those who will delete by what they read: what cannot be read is an error, never "not there".
//!
//! For answering a request a damaged record is no record (the rest must go on working); for a collection it may be
//! the one that names a layer.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use landfall_oci::{Algorithm, Digest};
use serde::de::DeserializeOwned;

use crate::StoreError;

fn absent<T>(result: io::Result<T>, action: &'static str, path: &Path) -> Result<Option<T>, StoreError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::io(action, path)(error)),
    }
}

pub(in crate::directory) fn corrupt(path: &Path, reason: impl Into<String>) -> StoreError {
    StoreError::Corrupt {
        path: path.to_owned(),
        reason: reason.into(),
    }
}

/// The names in a folder, sorted; none when there is no folder. Names that begin with a dot are the file system's.
pub(in crate::directory) fn names(folder: &Path) -> Result<Vec<String>, StoreError> {
    let Some(entries) = absent(fs::read_dir(folder), "list", folder)? else {
        return Ok(Vec::new());
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(StoreError::io("list", folder))?.file_name();
        match name.into_string() {
            Ok(name) if name.starts_with('.') => {}
            Ok(name) => names.push(name),
            Err(name) => return Err(corrupt(&folder.join(name), "nobody here gives such a name")),
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// The digests of a folder that sorts its files by algorithm.
pub(in crate::directory) fn digests(folder: &Path) -> Result<Vec<Digest>, StoreError> {
    let mut digests = Vec::new();
    for name in names(folder)? {
        let below = folder.join(&name);
        let algorithm: Algorithm = name
            .parse()
            .map_err(|_| corrupt(&below, "not an algorithm that is known"))?;
        for hex in names(&below)? {
            let digest = format!("{algorithm}:{hex}").parse();
            digests.push(digest.map_err(|_| corrupt(&below.join(&hex), "not named by a digest"))?);
        }
    }
    Ok(digests)
}

/// A JSON record; `None` where there is none.
pub(in crate::directory) fn record<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StoreError> {
    let Some(bytes) = absent(fs::read(path), "read", path)? else {
        return Ok(None);
    };
    let parsed = serde_json::from_slice(&bytes).map(Some);
    parsed.map_err(|error| {
        corrupt(
            path,
            format!("the record cannot be read ({error}); push it again, or delete it"),
        )
    })
}

/// The bytes of a file; `None` where there is none.
pub(in crate::directory) fn bytes(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    absent(fs::read(path), "read", path)
}

/// Length and time of last change; `None` where there is no such file.
pub(in crate::directory) fn stat(path: &Path) -> Result<Option<(u64, SystemTime)>, StoreError> {
    let Some(data) = absent(fs::metadata(path), "look at", path)? else {
        return Ok(None);
    };
    let modified = data.modified().map_err(StoreError::io("look at", path))?;
    Ok(Some((data.len(), modified)))
}

pub(in crate::directory) fn unix_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
