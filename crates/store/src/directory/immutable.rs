//! Immutable tags: decided under the repository's lock, on what the tag points at then. All of this blocks.
//!
//! Making a tag and moving it are different things (CVE-2026-31801), and only the lock knows which one it is.

use std::sync::PoisonError;

use landfall_oci::{Digest, Repository, Tag, Target};

use super::{DirectoryStore, Inner};
use crate::{StoreError, TagPattern};

impl DirectoryStore {
    /// Replaces the patterns of immutable tags: for a configuration that is read again.
    pub fn set_immutable(&self, patterns: Vec<TagPattern>) {
        let mut immutable = self
            .inner
            .immutable
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *immutable = patterns;
    }
}

impl Inner {
    pub(super) fn is_immutable(&self, repository: &Repository, tag: &Tag) -> bool {
        let patterns = self.immutable.read().unwrap_or_else(PoisonError::into_inner);
        patterns.iter().any(|pattern| pattern.matches(repository, tag))
    }

    /// Whether these tags may point at the digest: immutable ones only if they do already, or are new.
    pub(super) fn check_movable(
        &self,
        repository: &Repository,
        tags: &[Tag],
        digest: &Digest,
    ) -> Result<(), StoreError> {
        for tag in tags.iter().filter(|tag| self.is_immutable(repository, tag)) {
            let current = match self.revision(repository, &Target::Tag(tag.clone()))? {
                Some(revision) => Some(revision.digest),
                // A damaged record must not make the tag movable: its history knows what it points at.
                None if self.layout.tag(repository, tag).exists() => self
                    .newest_history(repository, tag)?
                    .and_then(|change| change.digest),
                None => None,
            };
            if current.is_some_and(|current| current != *digest) {
                return Err(immutable(repository, tag));
            }
        }
        Ok(())
    }

    pub(super) fn check_deletable(&self, repository: &Repository, tag: &Tag) -> Result<(), StoreError> {
        match self.is_immutable(repository, tag) {
            true => Err(immutable(repository, tag)),
            false => Ok(()),
        }
    }

    /// Whether the manifest may be deleted: not while an immutable tag points at it.
    pub(super) fn check_removable(&self, repository: &Repository, digest: &Digest) -> Result<(), StoreError> {
        if self
            .immutable
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty()
        {
            return Ok(());
        }
        self.each_tag_of(repository, digest, &mut |tag| {
            self.check_deletable(repository, tag)
        })
    }
}

fn immutable(repository: &Repository, tag: &Tag) -> StoreError {
    StoreError::Immutable {
        repository: repository.clone(),
        tag: tag.clone(),
    }
}
