//! Manifests: bytes like any blob's, a revision record in the repository, a referrer record for the subject.
//! All of this blocks: it runs on the blocking pool.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use landfall_oci::{
    Descriptor, Digest, MAX_MANIFEST_BYTES, MediaType, RawManifest, Repository, Tag, Target, View,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Inner;
use super::blobs::read_if_present;
use super::collect::leases::{Guard, Key};
use super::layout::parse_file_name;
use super::publish::if_present;
use crate::{Listing, Page, StoreError};

/// Referrers that are read together: a page ends where it would no longer fit into a manifest, so that memory is bounded
/// whatever annotations they have.
const REFERRERS_AT_ONCE: usize = 64;

/// What a repository knows of one of its manifests. A tag is a hard link to this.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Revision {
    pub(super) digest: Digest,
    pub(super) media_type: MediaType,
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<Digest>,
}

/// [`crate::Unchecked`], owned, so that it can go to another thread.
pub(super) enum Waived {
    Some(BTreeSet<Digest>),
    All,
}

/// [`crate::PutManifest`], owned.
pub(super) struct Put {
    pub(super) manifest: RawManifest,
    pub(super) tags: Vec<Tag>,
    pub(super) waived: Waived,
}

impl Inner {
    pub(super) fn revision(
        &self,
        repository: &Repository,
        target: &Target,
    ) -> Result<Option<Revision>, StoreError> {
        read_record(&self.revision_path(repository, target))
    }

    pub(super) fn revision_path(&self, repository: &Repository, target: &Target) -> PathBuf {
        match target {
            Target::Tag(tag) => self.layout.tag(repository, tag),
            Target::Digest(digest) => self.layout.revision(repository, digest),
        }
    }

    pub(super) fn stat_manifest(
        &self,
        repository: &Repository,
        target: &Target,
    ) -> Result<Descriptor, StoreError> {
        let revision = self
            .revision(repository, target)?
            .ok_or_else(|| StoreError::manifest(target))?;
        if !self.has_bytes(&revision.digest, revision.size) {
            return Err(damaged(repository, target));
        }
        if let Target::Digest(digest) = target {
            self.keep_for_push(repository, digest)?;
        }
        Ok(Descriptor::new(
            revision.media_type,
            revision.digest,
            revision.size,
        ))
    }

    /// A push of an index asks for its members by digest and leaves out those that are there.
    fn keep_for_push(&self, repository: &Repository, digest: &Digest) -> Result<(), StoreError> {
        let path = self.layout.revision(repository, digest);
        let lease = self
            .leases
            .take(Guard::StatManifest, Key::manifest(repository, digest));
        if if_present(fs::metadata(&path), "look at", &path)?.is_none() {
            lease.unused();
            return Err(StoreError::manifest(digest));
        }
        self.renew(&path);
        Ok(())
    }

    pub(super) fn manifest(
        &self,
        repository: &Repository,
        target: &Target,
    ) -> Result<RawManifest, StoreError> {
        let revision = self
            .revision(repository, target)?
            .ok_or_else(|| StoreError::manifest(target))?;
        let bytes = read_if_present(&self.layout.blob(&revision.digest))?
            .filter(|bytes| bytes.len() as u64 == revision.size)
            .ok_or_else(|| damaged(repository, target))?;
        Ok(RawManifest {
            media_type: revision.media_type,
            digest: revision.digest,
            bytes: bytes.into(),
        })
    }

    pub(super) fn put_manifest(&self, repository: &Repository, put: &Put) -> Result<(), StoreError> {
        let view = put.manifest.view()?;
        let _guard = self.locks.of(repository);
        self.leases.note_change(repository);
        self.check_movable(repository, &put.tags, &put.manifest.digest)?;
        self.check_blobs(repository, &view, &put.waived)?;
        let size = put.manifest.bytes.len() as u64;
        self.space.claim(size)?;
        self.publish_manifest(repository, &put.manifest, &view)
            .and_then(|()| self.point_tags(repository, &put.tags, &put.manifest.digest))
            .map_err(|error| self.space.explain(error, size))
    }

    /// Every blob that the manifest names must be held, or be somewhere else by its nature or the caller's word.
    fn check_blobs(&self, repository: &Repository, view: &View, waived: &Waived) -> Result<(), StoreError> {
        let Waived::Some(waived) = waived else {
            return Ok(());
        };
        let wanted: BTreeSet<Digest> = view
            .blobs()
            .filter(|blob| !blob.is_foreign())
            .map(|blob| blob.digest)
            .collect();
        let mut digests = Vec::new();
        for digest in wanted.difference(waived) {
            if self.blob_len(repository, digest)?.is_none() {
                digests.push(*digest);
            }
        }
        match digests.is_empty() {
            true => Ok(()),
            false => Err(StoreError::MissingBlobs { digests }),
        }
    }

    /// Bytes, then revision and referrer: each durable before the next is visible.
    fn publish_manifest(
        &self,
        repository: &Repository,
        manifest: &RawManifest,
        view: &View,
    ) -> Result<(), StoreError> {
        let size = manifest.bytes.len() as u64;
        let _lease = self.leases.take(Guard::Manifest, Key::bytes(&manifest.digest));
        if !self.has_bytes(&manifest.digest, size) {
            let staged = self.publisher.stage(&manifest.bytes)?;
            self.publish_bytes(staged.path(), &manifest.digest, size)?;
        } else {
            self.sync_parent(&self.layout.blob(&manifest.digest))?;
        }
        let subject = view.subject().map(|subject| subject.digest);
        let revision = Revision {
            digest: manifest.digest,
            media_type: manifest.media_type.clone(),
            size,
            artifact_type: view.artifact_type().map(str::to_owned),
            subject,
        };
        let record = self.layout.revision(repository, &manifest.digest);
        self.publish_record(&record, &revision)?;
        self.renew(&record);
        for child in view.children() {
            self.renew(&self.layout.revision(repository, &child.digest));
        }
        if let Some(subject) = subject {
            let mut descriptor = manifest.descriptor();
            descriptor.artifact_type = revision.artifact_type;
            descriptor.annotations = view.annotations().clone();
            let path = self.layout.referrer(repository, &subject, &manifest.digest);
            self.publish_record(&path, &descriptor)?;
        }
        Ok(())
    }

    /// Writes a record once; the first one stays, unless it cannot be read. Durable.
    fn publish_record<T: Serialize + DeserializeOwned>(
        &self,
        path: &Path,
        record: &T,
    ) -> Result<(), StoreError> {
        if read_record::<T>(path)?.is_none() {
            let bytes = serde_json::to_vec(record).map_err(|error| StoreError::Corrupt {
                path: path.to_owned(),
                reason: error.to_string(),
            })?;
            let staged = self.publisher.stage(&bytes)?;
            self.publisher.replace(&staged, path)?;
        }
        self.sync_parent(path)
    }

    pub(super) fn delete_manifest(&self, repository: &Repository, digest: &Digest) -> Result<(), StoreError> {
        let _guard = self.locks.of(repository);
        let target = Target::Digest(*digest);
        let revision = self
            .revision(repository, &target)?
            .ok_or_else(|| StoreError::manifest(digest))?;
        self.check_removable(repository, digest)?;
        self.remove_tags_of(repository, digest)?;
        if let Some(subject) = revision.subject {
            self.publisher
                .remove(&self.layout.referrer(repository, &subject, digest))?;
        }
        self.publisher.remove(&self.layout.revision(repository, digest))?;
        Ok(())
    }

    pub(super) fn referrers(
        &self,
        repository: &Repository,
        subject: &Digest,
        artifact_type: Option<&str>,
        page: Page<'_>,
    ) -> Result<Listing<Descriptor>, StoreError> {
        let folder = self.layout.referrers(repository, subject);
        let mut after = page.after.map(|text| text.replacen(':', "-", 1));
        let mut items: Vec<Descriptor> = Vec::new();
        let mut bytes = 0;
        loop {
            // One more than wanted, so that `more` is true only when something follows.
            let wanted = (page.limit.saturating_add(1) - items.len()).min(REFERRERS_AT_ONCE);
            let (names, more) = self.names_in(&folder, after.as_deref(), wanted)?;
            after = names.last().cloned();
            for name in names.iter().filter(|name| parse_file_name(name).is_some()) {
                let descriptor: Option<Descriptor> = read_record(&folder.join(name))?;
                let Some(found) = descriptor.filter(|found| {
                    artifact_type.is_none_or(|wanted| found.artifact_type.as_deref() == Some(wanted))
                }) else {
                    continue;
                };
                bytes += weight(&found);
                if bytes > MAX_MANIFEST_BYTES && !items.is_empty() {
                    return Ok(Listing { items, more: true });
                }
                items.push(found);
            }
            if !more || items.len() > page.limit {
                break;
            }
        }
        let more = items.len() > page.limit;
        items.truncate(page.limit);
        Ok(Listing { items, more })
    }
}

/// Bytes that a descriptor takes in a list, about: its annotations are what can be large.
fn weight(descriptor: &Descriptor) -> usize {
    let annotations = descriptor.annotations.iter();
    256 + annotations
        .map(|(key, value)| key.len() + value.len())
        .sum::<usize>()
}

/// Reads a JSON record; `None` where there is none. One that cannot be read (a damaged disk) counts as none: it
/// must not stop anything else from working (distribution#1960), and the next push writes it anew.
pub(super) fn read_record<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StoreError> {
    let Some(bytes) = read_if_present(path)? else {
        return Ok(None);
    };
    match serde_json::from_slice(&bytes) {
        Ok(record) => Ok(Some(record)),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "a record cannot be read");
            Ok(None)
        }
    }
}

/// A manifest whose bytes are gone or cut is not there, until somebody pushes it again.
fn damaged(repository: &Repository, target: &Target) -> StoreError {
    tracing::warn!(%repository, %target, "the bytes of a manifest are missing or cut");
    StoreError::manifest(target)
}
