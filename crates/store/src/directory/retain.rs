//! Applying the rules of retention: each tag is deleted by itself, if it is still what the rules were asked about.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::SystemTime;

use landfall_oci::{Repository, Tag, Target};

use super::collect::strict;
use super::listing::walk;
use super::{DirectoryStore, Inner};
use crate::{Observer, Retained, RetentionRule, StoreError, TagChange, TagRemoval, expired};

impl DirectoryStore {
    /// Deletes the tags that the rules no longer keep; each gets a line in its history, so that
    /// [`Self::restore_tag`] brings it back while its manifest is there. Immutable tags stay. With `dry_run` it is
    /// only said which would go.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupt`]; [`StoreError::Stopped`] when the observer asked for it.
    pub async fn retain(
        &self,
        rules: Vec<RetentionRule>,
        dry_run: bool,
        observer: Arc<dyn Observer>,
    ) -> Result<Retained, StoreError> {
        self.with(move |inner| inner.retain(&rules, dry_run, &*observer))
            .await
    }
}

impl Inner {
    fn retain(
        &self,
        rules: &[RetentionRule],
        dry_run: bool,
        observer: &dyn Observer,
    ) -> Result<Retained, StoreError> {
        let mut retained = Retained::default();
        let concerned = |repository: &Repository| {
            rules
                .iter()
                .any(|rule| rule.repositories.matches(repository.as_str()))
        };
        let _ = walk(&self.layout.repositories(), None, &mut |repository| {
            if concerned(&repository) {
                self.retain_in(&repository, rules, dry_run, observer, &mut retained)?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(retained)
    }

    fn retain_in(
        &self,
        repository: &Repository,
        rules: &[RetentionRule],
        dry_run: bool,
        observer: &dyn Observer,
        retained: &mut Retained,
    ) -> Result<(), StoreError> {
        let mut changes = Vec::new();
        for name in strict::names(&self.layout.tags(repository))? {
            let Ok(tag) = name.parse::<Tag>() else {
                continue;
            };
            retained.seen += 1;
            if !self.is_immutable(repository, &tag)
                && let Some(unix_ms) = self.last_change(repository, &tag)?
            {
                changes.push(TagChange { tag, unix_ms });
            }
        }
        for expired in expired(rules, repository, &changes, strict::unix_ms(SystemTime::now())) {
            if observer.stop() {
                return Err(StoreError::Stopped);
            }
            if !dry_run && !self.delete_if_unchanged(repository, &expired.change)? {
                retained.spared += 1;
                continue;
            }
            retained.removed += 1;
            let repository = repository.clone();
            observer.tag_removal(&TagRemoval { repository, expired });
        }
        Ok(())
    }

    /// When the tag was last pointed somewhere: by its history, or else by the record's time.
    fn last_change(&self, repository: &Repository, tag: &Tag) -> Result<Option<u64>, StoreError> {
        if let Some(change) = self.newest_history(repository, tag)? {
            return Ok(Some(change.unix_ms));
        }
        let found = strict::stat(&self.layout.tag(repository, tag))?;
        Ok(found.map(|(_, time)| strict::unix_ms(time)))
    }

    fn delete_if_unchanged(&self, repository: &Repository, change: &TagChange) -> Result<bool, StoreError> {
        let _guard = self.locks.of(repository);
        let there = self
            .revision(repository, &Target::Tag(change.tag.clone()))?
            .is_some();
        if !there || self.last_change(repository, &change.tag)? != Some(change.unix_ms) {
            return Ok(false);
        }
        match self.unpoint_tag(repository, &change.tag) {
            Ok(()) => Ok(true),
            Err(StoreError::Immutable { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
