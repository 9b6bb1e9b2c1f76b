//! Manifests that are not sent but looked into: for what an index lists, or what an artifact says of itself. Their
//! bytes are claimed like those of any other manifest, and large ones are parsed off the async threads.

use landfall_oci::{Descriptor, MAX_MANIFEST_BYTES, RawManifest, Repository, Target, View};
use landfall_store::StoreError;

use crate::budget::Claim;
use crate::registry::Registry;
use crate::reply::Failure;

/// Manifests above this are parsed off the async threads.
const PARSED_IN_PLACE: usize = 16 * 1024;

impl Registry {
    /// What the manifest says that `here` describes, and the claim for its bytes, to be held as long as what it says.
    /// `None` when it is gone, or cannot be parsed.
    pub(crate) async fn look_into(
        &self,
        repository: &Repository,
        here: &Descriptor,
    ) -> Result<Option<(View, Claim)>, Failure> {
        let mut claim = self.budget.claim();
        let size = usize::try_from(here.size).unwrap_or(MAX_MANIFEST_BYTES);
        claim.cover(size.min(MAX_MANIFEST_BYTES)).await?;
        let target = Target::Digest(here.digest);
        let Some(manifest) = if_here(self.store.manifest(repository, &target).await)? else {
            return Ok(None);
        };
        Ok(view(manifest).await?.map(|view| (view, claim)))
    }
}

/// What the store found, if it found it.
pub(crate) fn if_here<T>(found: Result<T, StoreError>) -> Result<Option<T>, Failure> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The parsed view; `None` for what cannot be parsed.
async fn view(manifest: RawManifest) -> Result<Option<View>, Failure> {
    if manifest.bytes.len() <= PARSED_IN_PLACE {
        return Ok(manifest.view().ok());
    }
    let parsed = tokio::task::spawn_blocking(move || manifest.view().ok()).await;
    parsed.map_err(|_| StoreError::Stopped.into())
}
