//! What another program keeps in its own way, read where it lies; only documents that it has no form for are made, in
//! memory.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use landfall_oci::{Descriptor, Digest, MAX_MANIFEST_BYTES, MediaType, RawManifest, Reference};
use landfall_store::Extent;

use super::spool::Spool;
use crate::catalog::BundleImage;
use crate::reader::{self, Mixed, Piece, Place, Refused};
use crate::{Bundle, BundleError};

/// A bundle that is being put together.
#[derive(Debug)]
pub(super) struct Pieces {
    path: Arc<Path>,
    file: Option<Arc<File>>,
    made: Spool,
    pub(super) blobs: HashMap<Digest, Piece>,
    images: Vec<BundleImage>,
    refused: Vec<Refused>,
}

impl Pieces {
    /// Of a file, or of a folder's files.
    pub(super) fn new(path: &Path, file: Option<Arc<File>>) -> Result<Self, BundleError> {
        Ok(Self {
            path: Arc::from(path),
            file,
            made: Spool::in_memory()?,
            blobs: HashMap::new(),
            images: Vec::new(),
            refused: Vec::new(),
        })
    }

    fn extent(&self, digest: &Digest) -> Result<Option<Extent>, BundleError> {
        match (self.blobs.get(digest), &self.file) {
            (Some(Piece::InFile(span)), Some(file)) => Ok(Some(span.of(file, &self.path))),
            (Some(Piece::File(name, _)), _) => reader::folder_extent(&self.path, name),
            (Some(Piece::Made(span)), _) => Ok(Some(self.made.extent(*span))),
            _ => Ok(None),
        }
    }

    /// A manifest by its digest, which is compared.
    pub(super) fn manifest(&self, digest: &Digest) -> Result<RawManifest, String> {
        let extent = self.extent(digest).map_err(|error| error.to_string())?;
        let extent = extent.ok_or_else(|| format!("its manifest {digest} is not there"))?;
        if extent.len > MAX_MANIFEST_BYTES as u64 {
            return Err(format!("its manifest {digest} has {} bytes", extent.len));
        }
        let bytes = reader::read_all(&extent).map_err(|error| error.to_string())?;
        let found = landfall_hash::digest(digest.algorithm(), &bytes);
        if found != *digest {
            return Err(format!(
                "its manifest {digest} has the digest {found}: damaged, copy or save it again"
            ));
        }
        RawManifest::new(None, *digest, bytes).map_err(|error| error.to_string())
    }

    /// A document that there was no form for.
    pub(super) fn make(&mut self, media_type: MediaType, bytes: &[u8]) -> Result<Descriptor, BundleError> {
        let stored = self.made.put(bytes)?;
        self.blobs.insert(stored.digest, Piece::Made(stored.span));
        Ok(Descriptor::new(media_type, stored.digest, stored.span.len))
    }

    /// Gives an image its name, or notes why there is none.
    pub(super) fn add(
        &mut self,
        name: String,
        reference: Option<Reference>,
        root: Result<Descriptor, String>,
    ) {
        match root {
            Ok(root) => self.images.push(BundleImage {
                reference,
                name,
                root,
            }),
            Err(reason) => self.refused.push(Refused {
                name,
                reference,
                reason,
            }),
        }
    }

    pub(super) fn finish(self) -> Result<Bundle, BundleError> {
        no_two_of_one_name(&self.path, &self.images)?;
        let place = Place::Mixed(Mixed {
            file: self.file,
            made: self.made.into_file().0,
            blobs: self.blobs,
        });
        Ok(Bundle::of_parts(&self.path, place, self.images, self.refused))
    }
}

/// Refuses two images of one name.
pub(super) fn no_two_of_one_name(path: &Path, images: &[BundleImage]) -> Result<(), BundleError> {
    let mut seen: BTreeMap<String, Digest> = BTreeMap::new();
    for image in images {
        let Some(reference) = &image.reference else {
            continue;
        };
        let digest = image.root.digest;
        match seen.insert(reference.to_string(), digest) {
            Some(other) if other != digest => {
                return Err(two_images(
                    path,
                    reference.to_string(),
                    &other.to_string(),
                    &digest.to_string(),
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn two_images(path: &Path, name: String, one: &str, other: &str) -> BundleError {
    BundleError::TwoImages {
        path: path.to_owned(),
        name: name.into(),
        images: format!("{one} and {other}").into(),
    }
}
