//! A bundle as a read-only store: a registry can serve it in place, with nothing imported.
//!
//! A repository of a bundle holds what its images consist of: their manifests, what is below them, and what is about
//! them. A digest of another repository's image is not found, as in any other store.

use async_trait::async_trait;
use landfall_oci::{Descriptor, Digest, RawManifest, Repository, Tag, Target};
use landfall_store::{Allowed, Content, Listing, Page, Store, StoreError, What};

use crate::{Bundle, BundleError};

/// A bundle that is served.
#[derive(Clone, Debug)]
pub struct BundleStore {
    bundle: Bundle,
}

impl BundleStore {
    /// Reads all manifests once, so that no later look-up by digest has to. Blocking.
    #[must_use]
    pub fn new(bundle: Bundle) -> Self {
        let _ = bundle.graph();
        Self { bundle }
    }

    fn roots(&self, repository: &Repository) -> Vec<Digest> {
        self.bundle
            .in_repository(repository, None)
            .map(|image| image.root.digest)
            .collect()
    }

    fn holds(&self, repository: &Repository, digest: &Digest) -> bool {
        self.bundle.contains(digest) && self.bundle.graph().holds(&self.roots(repository), digest)
    }

    fn resolve(&self, repository: &Repository, target: &Target) -> Result<Descriptor, StoreError> {
        let found = self.bundle.resolve(repository, None, target);
        found.ok_or_else(|| match self.bundle.in_repository(repository, None).next() {
            Some(_) => StoreError::NotFound(What::Manifest(target.clone())),
            None => StoreError::NotFound(What::Repository(repository.clone())),
        })
    }
}

fn page<T: ToString>(items: impl Iterator<Item = T>, page: Page<'_>) -> Listing<T> {
    let is_after = |item: &T| page.after.is_none_or(|after| item.to_string().as_str() > after);
    let mut items: Vec<T> = items
        .filter(is_after)
        .take(page.limit.saturating_add(1))
        .collect();
    let more = items.len() > page.limit;
    items.truncate(page.limit);
    Listing { items, more }
}

fn store_error(error: BundleError) -> StoreError {
    match error {
        BundleError::Io { action, path, source } => StoreError::Io { action, path, source },
        BundleError::NotInBundle { digest, .. } => {
            StoreError::NotFound(What::Manifest(Target::Digest(*digest)))
        }
        BundleError::WrongDigest { path, .. } | BundleError::Manifest { path, .. } => StoreError::Corrupt {
            reason: "a manifest is not what its digest says".to_owned(),
            path,
        },
        other => StoreError::Conflict {
            reason: other.to_string(),
        },
    }
}

#[async_trait]
impl Store for BundleStore {
    async fn stat_blob(&self, repository: &Repository, digest: &Digest) -> Result<u64, StoreError> {
        let size = self
            .bundle
            .size_of(digest)
            .filter(|_| self.holds(repository, digest));
        size.ok_or(StoreError::NotFound(What::Blob(*digest)))
    }

    async fn open_blob(&self, repository: &Repository, digest: &Digest) -> Result<Content, StoreError> {
        let store = self.clone();
        let (repository, digest) = (repository.clone(), *digest);
        // A layout directory opens a file here.
        let opened = tokio::task::spawn_blocking(move || match store.holds(&repository, &digest) {
            true => store.bundle.extent(&digest).map_err(store_error),
            false => Ok(None),
        });
        let extent = opened.await.map_err(|_| StoreError::Stopped)??;
        extent
            .map(Content::Extent)
            .ok_or(StoreError::NotFound(What::Blob(digest)))
    }

    async fn find_holder(
        &self,
        digest: &Digest,
        allowed: &Allowed<'_>,
    ) -> Result<Option<Repository>, StoreError> {
        let mut repositories = self.bundle.repositories().into_iter();
        Ok(repositories.find(|repository| allowed(repository) && self.holds(repository, digest)))
    }

    async fn stat_manifest(
        &self,
        repository: &Repository,
        target: &Target,
    ) -> Result<Descriptor, StoreError> {
        self.resolve(repository, target)
    }

    async fn manifest(&self, repository: &Repository, target: &Target) -> Result<RawManifest, StoreError> {
        let digest = self.resolve(repository, target)?.digest;
        let bundle = self.bundle.clone();
        let read = tokio::task::spawn_blocking(move || bundle.manifest(&digest));
        read.await.map_err(|_| StoreError::Stopped)?.map_err(store_error)
    }

    async fn tags(&self, repository: &Repository, wanted: Page<'_>) -> Result<Listing<Tag>, StoreError> {
        match self.bundle.tags(repository, None) {
            Some(tags) => Ok(page(tags.into_iter(), wanted)),
            None => Err(StoreError::NotFound(What::Repository(repository.clone()))),
        }
    }

    async fn repositories(&self, wanted: Page<'_>) -> Result<Listing<Repository>, StoreError> {
        Ok(page(self.bundle.repositories().into_iter(), wanted))
    }

    async fn referrers(
        &self,
        repository: &Repository,
        subject: &Digest,
        artifact_type: Option<&str>,
        wanted: Page<'_>,
    ) -> Result<Listing<Descriptor>, StoreError> {
        let roots = self.roots(repository);
        let graph = self.bundle.graph();
        let is_wanted = |referrer: &Descriptor| {
            artifact_type.is_none_or(|wanted| referrer.artifact_type.as_deref() == Some(wanted))
                && graph.member(&roots, &referrer.digest).is_some()
        };
        let mut found: Vec<_> = graph.referrers(subject).into_iter().filter(is_wanted).collect();
        found.sort_by_key(|referrer| referrer.digest.to_string());
        found.retain(|referrer| {
            wanted
                .after
                .is_none_or(|after| referrer.digest.to_string().as_str() > after)
        });
        let more = found.len() > wanted.limit;
        found.truncate(wanted.limit);
        Ok(Listing { items: found, more })
    }
}
