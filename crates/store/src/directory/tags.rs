//! Tags and their history. All of this blocks: it runs on the blocking pool, under the repository's lock.
//!
//! A tag is a hard link to a revision record: changing it is one rename and needs no new bytes on the disk. A
//! line of its history is an empty file whose name says everything.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use landfall_oci::{Digest, Repository, Tag, Target};

use super::Inner;
use super::layout::{file_name, parse_file_name};
use super::listing::names_after;
use super::manifests::{Revision, read_record};
use super::publish::if_present;
use crate::{Expected, HistoryEntry, Listing, Page, StoreError, What};

/// Tags looked at together when all of a repository's are.
const BATCH: usize = 4096;
/// Links to one file that every usual file system allows.
const MAX_LINKS: u64 = 30_000;

impl Inner {
    pub(super) fn tags(&self, repository: &Repository, page: Page<'_>) -> Result<Listing<Tag>, StoreError> {
        let (names, more) = self.names_in(&self.layout.tags(repository), page.after, page.limit)?;
        if names.is_empty() && !self.is_known(repository) {
            return Err(StoreError::NotFound(What::Repository(repository.clone())));
        }
        let items = names.iter().filter_map(|name| name.parse().ok()).collect();
        Ok(Listing { items, more })
    }

    fn is_known(&self, repository: &Repository) -> bool {
        self.layout.revisions(repository).is_dir() || self.layout.members(repository).is_dir()
    }

    pub(super) fn set_tag(
        &self,
        repository: &Repository,
        tag: &Tag,
        digest: &Digest,
        expected: Expected,
    ) -> Result<(), StoreError> {
        let _guard = self.locks.of(repository);
        let current = self
            .revision(repository, &Target::Tag(tag.clone()))?
            .map(|revision| revision.digest);
        let as_expected = match expected {
            Expected::Any => true,
            Expected::Absent => current.is_none(),
            Expected::Digest(digest) => current == Some(digest),
        };
        if !as_expected {
            let found = current.map_or("is not there".to_owned(), |digest| format!("points at {digest}"));
            return Err(StoreError::Conflict {
                reason: format!("the tag `{tag}` {found}: somebody else changed it"),
            });
        }
        self.point_tags(repository, std::slice::from_ref(tag), digest)
    }

    /// Points tags at a manifest of the repository: all history first, then the tags, one fsync for them together.
    /// When that fails the history of those tags that were not pointed is taken back.
    pub(super) fn point_tags(
        &self,
        repository: &Repository,
        tags: &[Tag],
        digest: &Digest,
    ) -> Result<(), StoreError> {
        self.leases.note_change(repository);
        self.check_movable(repository, tags, digest)?;
        let record = self.layout.revision(repository, digest);
        let _: Revision = read_record(&record)?.ok_or_else(|| StoreError::manifest(digest))?;
        let mut lines = Vec::new();
        let mut pointed = 0;
        let done = tags
            .iter()
            .try_for_each(|tag| {
                lines.extend(self.assert_history(repository, tag, digest)?);
                Ok(())
            })
            .and_then(|()| {
                tags.iter().try_for_each(|tag| {
                    self.point_tag(repository, tag, digest, &record)?;
                    pointed += 1;
                    Ok(())
                })
            });
        if done.is_err() {
            let unfounded = lines.iter().filter(|(tag, _)| !tags[..pointed].contains(tag));
            unfounded.for_each(|(_, line)| drop(self.publisher.remove(line)));
        }
        // Also when nothing changed: who found a tag as it should be may have found what is not durable yet.
        match tags.is_empty() {
            true => done,
            false => done.and(self.publisher.sync_folder(&self.layout.tags(repository))),
        }
    }

    /// Makes the history of a tag end with this digest; gives the line that was needed for that. A crash may have
    /// come between the history and the tag: then the history ends with what never was.
    fn assert_history(
        &self,
        repository: &Repository,
        tag: &Tag,
        digest: &Digest,
    ) -> Result<Option<(Tag, PathBuf)>, StoreError> {
        let newest = self.newest_history(repository, tag)?;
        if newest
            .as_ref()
            .is_some_and(|newest| newest.digest == Some(*digest))
        {
            return Ok(None);
        }
        let line = self.add_history(repository, tag, newest.as_ref(), Some(digest))?;
        Ok(Some((tag.clone(), line)))
    }

    fn point_tag(
        &self,
        repository: &Repository,
        tag: &Tag,
        digest: &Digest,
        record: &Path,
    ) -> Result<(), StoreError> {
        use std::os::unix::fs::MetadataExt as _;
        let current = self.revision(repository, &Target::Tag(tag.clone()))?;
        if current.is_some_and(|current| current.digest == *digest) {
            return Ok(());
        }
        let metadata = fs::metadata(record).map_err(StoreError::io("look at", record))?;
        let staged = if metadata.nlink() >= MAX_LINKS {
            let bytes = fs::read(record).map_err(StoreError::io("read", record))?;
            self.publisher.stage(&bytes)?
        } else {
            self.publisher.stage_link(record)?
        };
        self.publisher.replace(&staged, &self.layout.tag(repository, tag))
    }

    pub(super) fn delete_tag(&self, repository: &Repository, tag: &Tag) -> Result<(), StoreError> {
        let _guard = self.locks.of(repository);
        if self.revision(repository, &Target::Tag(tag.clone()))?.is_none() {
            return Err(StoreError::manifest(tag));
        }
        self.unpoint_tag(repository, tag)
    }

    /// Removes a tag that is there. Durable.
    pub(super) fn unpoint_tag(&self, repository: &Repository, tag: &Tag) -> Result<(), StoreError> {
        self.check_deletable(repository, tag)?;
        self.note_deletion(repository, tag)?;
        self.publisher.remove(&self.layout.tag(repository, tag))?;
        Ok(())
    }

    /// Removes every tag that points at the digest.
    pub(super) fn remove_tags_of(&self, repository: &Repository, digest: &Digest) -> Result<(), StoreError> {
        self.each_tag_of(repository, digest, &mut |tag| {
            self.note_deletion(repository, tag)?;
            let path = self.layout.tag(repository, tag);
            if_present(self.publisher.disk().remove(&path), "remove", &path).map(|_| ())
        })?;
        let folder = self.layout.tags(repository);
        match folder.is_dir() {
            true => self.publisher.sync_folder(&folder),
            false => Ok(()),
        }
    }

    /// Visits every tag that points at the digest. Reads each tag of the repository: a copied root has lost its
    /// hard links, so that nothing shorter is safe.
    pub(super) fn each_tag_of(
        &self,
        repository: &Repository,
        digest: &Digest,
        visit: &mut dyn FnMut(&Tag) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let folder = self.layout.tags(repository);
        let mut after: Option<String> = None;
        loop {
            let (names, more) = self.names_in(&folder, after.as_deref(), BATCH)?;
            for tag in names.iter().filter_map(|name| name.parse::<Tag>().ok()) {
                let current = self.revision(repository, &Target::Tag(tag.clone()))?;
                if current.is_some_and(|current| current.digest == *digest) {
                    visit(&tag)?;
                }
            }
            after = names.last().cloned();
            if !more {
                return Ok(());
            }
        }
    }

    /// The line of history for a tag that is about to go. On a disk so full that there is no room for it, it is left
    /// out: deleting is what makes room.
    fn note_deletion(&self, repository: &Repository, tag: &Tag) -> Result<(), StoreError> {
        let newest = self.newest_history(repository, tag)?;
        match self.add_history(repository, tag, newest.as_ref(), None) {
            Err(StoreError::NoSpace { .. }) => {
                tracing::warn!(%repository, %tag, "no space: a tag is deleted without a line in its history");
                Ok(())
            }
            other => other.map(|_| ()),
        }
    }

    /// The newest line.
    pub(super) fn newest_history(
        &self,
        repository: &Repository,
        tag: &Tag,
    ) -> Result<Option<HistoryEntry>, StoreError> {
        Ok(self.tag_history(repository, tag)?.into_iter().next())
    }

    /// Adds a line of history behind the newest. Durable.
    fn add_history(
        &self,
        repository: &Repository,
        tag: &Tag,
        newest: Option<&HistoryEntry>,
        digest: Option<&Digest>,
    ) -> Result<PathBuf, StoreError> {
        let folder = self.layout.history(repository, tag);
        self.make_room_in_history(repository, tag)?;
        let generation = newest.map_or(1, |entry| entry.generation + 1);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let what = digest.map_or("deleted".to_owned(), file_name);
        let name = format!("{generation:010}-{:013}-{what}", since.as_millis());
        let line = folder.join(name);
        self.publisher.mark(&line)?;
        self.publisher.sync_folder(&folder)?;
        Ok(line)
    }

    pub(super) fn tag_history(
        &self,
        repository: &Repository,
        tag: &Tag,
    ) -> Result<Vec<HistoryEntry>, StoreError> {
        let folder = self.layout.history(repository, tag);
        let (names, _) = names_after(&folder, None, usize::MAX)?;
        Ok(names
            .iter()
            .rev()
            .filter_map(|name| parse_history(name))
            .collect())
    }
}

fn parse_history(name: &str) -> Option<HistoryEntry> {
    let (generation, rest) = name.split_once('-')?;
    let (unix_ms, what) = rest.split_once('-')?;
    let digest = match what {
        "deleted" => None,
        other => Some(parse_file_name(other)?),
    };
    Some(HistoryEntry {
        generation: generation.parse().ok()?,
        unix_ms: unix_ms.parse().ok()?,
        digest,
    })
}
