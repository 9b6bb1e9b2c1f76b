//! The history of a tag on the disk: how long it gets, and going back in it. All of this blocks.

use landfall_oci::{Digest, Repository, Tag, Target};

use super::listing::names_after;
use super::{DirectoryStore, Inner};
use crate::{Moment, StoreError};

/// Lines that are kept of one tag: a tag that moves every hour goes back six weeks, and a change costs the same
/// however old the tag is.
pub(super) const LINES: usize = 1000;

impl DirectoryStore {
    /// Makes a tag what it was at an earlier moment: points it at what it pointed at then, or deletes it if it was
    /// deleted then. A change like any other: it gets its own line in the history. Gives the manifest.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the history has no such moment; [`StoreError::Conflict`] when the manifest is
    /// gone; [`StoreError::Immutable`].
    pub async fn restore_tag(
        &self,
        repository: &Repository,
        tag: &Tag,
        moment: Moment,
    ) -> Result<Option<Digest>, StoreError> {
        let (repository, tag) = (repository.clone(), tag.clone());
        self.with(move |inner| inner.restore_tag(&repository, &tag, moment))
            .await
    }
}

impl Inner {
    fn restore_tag(
        &self,
        repository: &Repository,
        tag: &Tag,
        moment: Moment,
    ) -> Result<Option<Digest>, StoreError> {
        let _guard = self.locks.of(repository);
        let history = self.tag_history(repository, tag)?;
        let then = moment.find(&history).ok_or_else(|| StoreError::manifest(tag))?;
        let Some(digest) = then.digest else {
            if self.revision(repository, &Target::Tag(tag.clone()))?.is_some() {
                self.unpoint_tag(repository, tag)?;
            }
            return Ok(None);
        };
        if self
            .stat_manifest(repository, &Target::Digest(digest))
            .is_err_and(|error| error.is_not_found())
        {
            return Err(StoreError::Conflict {
                reason: format!(
                    "the tag `{tag}` pointed at {digest} then, which is no longer in `{repository}`; undo the \
                     collection that removed it, or push it again"
                ),
            });
        }
        self.point_tags(repository, std::slice::from_ref(tag), &digest)?;
        Ok(Some(digest))
    }

    /// Removes the oldest lines, so that there is room for one more.
    pub(super) fn make_room_in_history(&self, repository: &Repository, tag: &Tag) -> Result<(), StoreError> {
        let folder = self.layout.history(repository, tag);
        let (names, _) = names_after(&folder, None, usize::MAX)?;
        // More than one only where an earlier version let it grow: then a few at a time.
        let excess = (names.len() + 1).saturating_sub(LINES).min(8);
        for name in &names[..excess] {
            self.publisher.remove(&folder.join(name))?;
        }
        Ok(())
    }
}
