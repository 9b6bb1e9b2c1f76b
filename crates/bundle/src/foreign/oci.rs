//! OCI layouts that had to be unpacked: the blobs are in the spool under whatever name they had.

use std::collections::HashMap;

use landfall_oci::Digest;

use super::intake::{Held, Intake};
use crate::reader::{Documents, Place};
use crate::{Bundle, BundleError, Span, walk};

/// Makes a bundle of an OCI layout.
pub(super) fn bundle(mut intake: Intake<'_>, index: &str) -> Result<Bundle, BundleError> {
    let held: Vec<(Digest, Held)> = intake
        .names()
        .filter_map(|name| Some((walk::blob_digest(name)?, *intake.find(name)?)))
        .collect();
    let mut blobs: HashMap<Digest, Span> = HashMap::with_capacity(held.len());
    for (digest, held) in held {
        if let Some(span) = intake.raw(&held)? {
            blobs.insert(digest, span);
        }
    }
    let documents = Documents::read(intake.path, |name| {
        let name = if name == "index.json" { index } else { name };
        let stored = intake.find(name).and_then(|held| held.stored);
        Ok(stored.map(|stored| intake.spool.extent(stored.span)))
    })?;
    let path = intake.path;
    let (file, spool) = intake.spool.into_file();
    let place = Place::File {
        file,
        path: spool,
        blobs,
    };
    Ok(documents.into_bundle(path, place))
}
