//! One door: whatever holds images on a disk, as a read-only store.

use std::io;
use std::path::Path;
use std::sync::Arc;

use landfall_store::{ForeignStore, Store, StoreError};

use crate::foreign::{self, Workshop};
use crate::{BundleError, BundleStore, LayoutStore};

/// Opens what lies at a path to be served: a bundle, an OCI layout directory, the storage folder of Docker's registry or
/// that of zot, all in place; else whatever [`foreign::open`] reads. Blocking.
///
/// # Errors
/// [`BundleError::NotFound`]; [`BundleError::NotABundle`], which says what was looked for and what is there; for a
/// file, as [`Bundle::open`].
pub fn mount(path: &Path) -> Result<Arc<dyn Store>, BundleError> {
    mount_with(path, &Workshop::usual())
}

/// As [`mount`]; archives that have to be unpacked are unpacked in this workshop, and stay there as long as they are
/// served.
///
/// # Errors
/// As [`mount`], and as [`foreign::open`].
pub fn mount_with(path: &Path, workshop: &Workshop) -> Result<Arc<dyn Store>, BundleError> {
    let stat = std::fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => BundleError::NotFound {
            path: path.to_owned(),
        },
        _ => BundleError::io("examine", path)(error),
    })?;
    if !stat.is_dir() {
        return archive(path, workshop);
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
    if let Some(store) = ForeignStore::zot(path).map_err(failed)? {
        return Ok(Arc::new(store));
    }
    archive(path, workshop).map_err(|error| match error {
        BundleError::NotABundle { .. } => not_mounted(
            path,
            "a directory without images; expected an OCI layout (index.json), the storage folder of Docker's registry \
             (docker/registry/v2), that of zot (an OCI layout in each repository's folder) or folders of skopeo",
        ),
        other => other,
    })
}

fn archive(path: &Path, workshop: &Workshop) -> Result<Arc<dyn Store>, BundleError> {
    let bundle = foreign::open(path, workshop)?;
    for refused in bundle.refused() {
        tracing::warn!(path = %path.display(), image = refused.name, reason = refused.reason, "an image cannot be served");
    }
    Ok(Arc::new(BundleStore::new(bundle)))
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
