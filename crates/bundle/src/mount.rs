//! One door: whatever holds images on a disk, as a read-only store.

use std::io;
use std::path::Path;
use std::sync::Arc;

use landfall_store::{ForeignStore, Store, StoreError};

use crate::{Bundle, BundleError, BundleStore, LayoutStore};

/// Opens what lies at a path to be served in place: a bundle, an OCI layout directory, the storage folder of Docker's
/// registry or that of zot. Blocking.
///
/// # Errors
/// [`BundleError::NotFound`]; [`BundleError::NotABundle`], which says what was looked for and what is there; for a
/// file, as [`Bundle::open`].
pub fn mount(path: &Path) -> Result<Arc<dyn Store>, BundleError> {
    let stat = std::fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => BundleError::NotFound {
            path: path.to_owned(),
        },
        _ => BundleError::io("examine", path)(error),
    })?;
    if !stat.is_dir() {
        return Ok(Arc::new(BundleStore::new(Bundle::open(path)?)));
    }
    let has = |name: &str| path.join(name).symlink_metadata().is_ok();
    if has("landfall-store") {
        return Err(not_mounted(
            path,
            "this is a directory store of Landfall: use --root",
        ));
    }
    if has("index.json") || has("oci-layout") {
        return Ok(Arc::new(LayoutStore::open(path)?));
    }
    let failed = |error| foreign_error(path, error);
    if let Some(store) = ForeignStore::distribution(path).map_err(failed)? {
        return Ok(Arc::new(store));
    }
    match ForeignStore::zot(path).map_err(failed)? {
        Some(store) => Ok(Arc::new(store)),
        None => Err(not_mounted(
            path,
            "a directory without images; expected an OCI layout (index.json), the storage folder of Docker's \
             registry (docker/registry/v2) or that of zot (an OCI layout in each repository's folder)",
        )),
    }
}

fn not_mounted(path: &Path, found: &str) -> BundleError {
    BundleError::NotABundle {
        path: path.to_owned(),
        found: found.to_owned(),
    }
}

fn foreign_error(path: &Path, error: StoreError) -> BundleError {
    match error {
        StoreError::Io { action, path, source } => BundleError::Io { action, path, source },
        other => not_mounted(path, &other.to_string()),
    }
}
