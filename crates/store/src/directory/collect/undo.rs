//! Bringing a run back, in the order of publication: bytes, memberships, manifests, referrers.
//!
//! Things are linked back, never over what stands there. A membership or a blob may have gone in a later run than
//! the manifest that needs it, so the other runs are searched as well.

use std::path::{Path, PathBuf};

use landfall_oci::{Digest, RawManifest, Repository};

use super::super::Inner;
use super::super::layout::parse_file_name;
use super::super::manifests::Revision;
use super::{strict, touch};
use crate::{RunId, StoreError, TrashKind, Undone};

/// An undo at work.
struct Undo<'a> {
    inner: &'a Inner,
    folder: PathBuf,
    /// This run and the others, where things may lie.
    folders: Vec<PathBuf>,
    undone: Undone,
}

impl Inner {
    pub(super) fn undo(&self, run: RunId) -> Result<Undone, StoreError> {
        let _upkeep = self.upkeep()?;
        let refuse = |reason: String| Err(StoreError::Conflict { reason });
        match self.trash_kind(run)? {
            Some(TrashKind::Collection) => {}
            Some(TrashKind::Quarantine) => {
                return refuse(format!(
                    "the run {run} holds wrong bytes that a scrub moved aside; push them again"
                ));
            }
            None => {
                return refuse(format!(
                    "there is no run {run} in the trash; it was undone, or is deleted"
                ));
            }
        }
        let mut folders = vec![self.run_folder(run)];
        let usable = |(other, kind): &(RunId, TrashKind)| *other != run && *kind == TrashKind::Collection;
        folders.extend(
            self.runs()?
                .iter()
                .filter(|other| usable(other))
                .map(|(other, _)| self.run_folder(*other)),
        );
        let mut undo = Undo {
            inner: self,
            folder: self.run_folder(run),
            folders,
            undone: Undone::default(),
        };
        undo.run(run)?;
        if undo.undone.lost.is_empty() {
            self.forget_run(run)?;
        }
        Ok(undo.undone)
    }
}

impl Undo<'_> {
    fn run(&mut self, run: RunId) -> Result<(), StoreError> {
        let contents = self.inner.contents(run)?;
        for path in &contents.bytes {
            self.link(&self.folder.join(path), path)?;
        }
        for path in &contents.members {
            let Some((_, digest)) = owner_of(path, "_blobs") else {
                continue;
            };
            match self.has_bytes(&digest)? {
                true => self.link(&self.folder.join(path), path)?,
                false => self.lose(digest),
            }
        }
        let mut revisions = Vec::new();
        for path in &contents.revisions {
            let revision = strict::record::<Revision>(&self.folder.join(path))?;
            revisions.extend(revision.map(|revision| (revision.media_type.is_index(), path, revision)));
        }
        // Members before the indexes that list them.
        revisions.sort_by_key(|(is_index, path, _)| (*is_index, *path));
        for (_, path, revision) in revisions {
            self.manifest(path, &revision)?;
        }
        contents.referrers.iter().try_for_each(|path| self.stranded(path))
    }

    fn manifest(&mut self, path: &Path, revision: &Revision) -> Result<(), StoreError> {
        let Some((repository, digest)) = owner_of(path, "_manifests") else {
            return Ok(());
        };
        // From the look at the blobs on: none of them may be deleted in between.
        let inner = self.inner;
        let _guard = inner.locks.of(&repository);
        if !self.has_bytes(&digest)? || !self.has_blobs(&repository, revision)? {
            self.lose(digest);
            return Ok(());
        }
        self.link(&self.folder.join(path), path)?;
        if let Some(subject) = revision.subject {
            self.find(&self.inner.layout.referrer(&repository, &subject, &digest))?;
        }
        Ok(())
    }

    /// The referrer of a manifest that is where it was: the collection ended between the two.
    fn stranded(&mut self, path: &Path) -> Result<(), StoreError> {
        let Some((repository, digest)) = referrer_of(path) else {
            return Ok(());
        };
        let inner = self.inner;
        let _guard = inner.locks.of(&repository);
        let is_there = |path: &Path| strict::stat(path).map(|found| found.is_some());
        if is_there(&inner.layout.revision(&repository, &digest))?
            && !is_there(&inner.layout.root().join(path))?
        {
            self.link(&self.folder.join(path), path)?;
        }
        Ok(())
    }

    /// Whether the repository holds all blobs of a manifest, or does so again.
    fn has_blobs(&mut self, repository: &Repository, revision: &Revision) -> Result<bool, StoreError> {
        let path = self.inner.layout.blob(&revision.digest);
        let Some(bytes) = strict::bytes(&path)? else {
            return Ok(false);
        };
        let raw = RawManifest {
            media_type: revision.media_type.clone(),
            digest: revision.digest,
            bytes: bytes.into(),
        };
        let view = raw.view()?;
        for blob in view.blobs().filter(|blob| !blob.is_foreign()) {
            let member = self.inner.layout.member(repository, &blob.digest);
            let held = self.inner.is_member(repository, &blob.digest)? || self.find(&member)?;
            if !held || !self.has_bytes(&blob.digest)? {
                self.lose(blob.digest);
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the bytes are there, or are there again.
    fn has_bytes(&mut self, digest: &Digest) -> Result<bool, StoreError> {
        let path = self.inner.layout.blob(digest);
        Ok(strict::stat(&path)?.is_some() || self.find(&path)?)
    }

    /// Looks for a thing in every run, and links it back.
    fn find(&mut self, path: &Path) -> Result<bool, StoreError> {
        let below = self.below(path);
        for folder in self.folders.clone() {
            let source = folder.join(&below);
            if strict::stat(&source)?.is_some() {
                self.link(&source, &below)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn below(&self, path: &Path) -> PathBuf {
        path.strip_prefix(self.inner.layout.root())
            .unwrap_or(path)
            .to_owned()
    }

    /// Links a thing back where nothing is. Durable. It is young again: the next collection leaves it alone for a
    /// grace period, in which somebody can tag it.
    fn link(&mut self, source: &Path, below: &Path) -> Result<(), StoreError> {
        let target = self.inner.layout.root().join(below);
        match self.inner.publisher.link_new(source, &target)? {
            true => self.undone.restored += 1,
            false => self.undone.already_there += 1,
        }
        touch(&target);
        self.inner.sync_parent(&target)
    }

    fn lose(&mut self, digest: Digest) {
        if !self.undone.lost.contains(&digest) {
            self.undone.lost.push(digest);
        }
    }
}

/// Repository and digest of a referrer: `repos/<name>/_referrers/<alg>/<hex of the subject>/<alg>-<hex>`.
fn referrer_of(path: &Path) -> Option<(Repository, Digest)> {
    let (repository, _) = owner_of(path.parent()?, "_referrers")?;
    Some((repository, parse_file_name(path.file_name()?.to_str()?)?))
}

/// Repository and digest of a record, by its path below the root: `repos/<name>/<kind>/<alg>/<hex>`.
fn owner_of(path: &Path, kind: &str) -> Option<(Repository, Digest)> {
    let text = path.to_str()?.strip_prefix("repos/")?;
    let (name, digest) = text.split_once(&format!("/{kind}/"))?;
    let (algorithm, hex) = digest.split_once('/')?;
    Some((name.parse().ok()?, format!("{algorithm}:{hex}").parse().ok()?))
}
