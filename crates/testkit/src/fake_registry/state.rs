//! What the registry holds: manifests, tags, blobs, and which repository each blob was put into.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use landfall_oci::{Digest, MediaType, RawManifest, Repository, Tag, Target, View};

use crate::digest::digest_of;
use crate::workload::{Content, Workload};

/// A manifest as it was pushed, right or wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredManifest {
    /// The Content-Type of the push.
    pub media_type: MediaType,
    /// The bytes.
    pub bytes: Bytes,
}

/// An upload that is going on.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) repository: Repository,
    pub(super) path: PathBuf,
    pub(super) len: u64,
    /// Whether a chunk below the minimum has come: it must have been the last.
    pub(super) had_short_chunk: bool,
}

impl Upload {
    /// The file to append to.
    pub(super) fn open(&self) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).open(&self.path)
    }
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) manifests: HashMap<(Repository, Digest), StoredManifest>,
    pub(super) tags: BTreeMap<(Repository, Tag), Digest>,
    pub(super) blobs: HashMap<Digest, Content>,
    pub(super) members: BTreeSet<(Repository, Digest)>,
    pub(super) uploads: HashMap<String, Upload>,
    next_upload: u64,
}

impl State {
    pub(super) fn add_workload(&mut self, workload: &Workload) {
        for image in &workload.images {
            for manifest in workload.closure(image.root) {
                self.add_manifest(&image.repository, manifest);
            }
            let blobs = workload.blobs_of(image.root);
            self.members
                .extend(blobs.into_iter().map(|digest| (image.repository.clone(), digest)));
            self.tags
                .insert((image.repository.clone(), image.tag.clone()), image.root);
        }
        let blobs = workload
            .blobs
            .iter()
            .map(|(digest, content)| (*digest, content.clone()));
        self.blobs.extend(blobs);
    }

    fn add_manifest(&mut self, repository: &Repository, manifest: &RawManifest) {
        let stored = StoredManifest {
            media_type: manifest.media_type.clone(),
            bytes: manifest.bytes.clone(),
        };
        self.manifests
            .insert((repository.clone(), manifest.digest), stored);
    }

    /// The digest behind a tag, or the digest itself.
    pub(super) fn resolve(&self, repository: &Repository, target: &Target) -> Option<Digest> {
        match target {
            Target::Digest(digest) => Some(*digest),
            Target::Tag(tag) => self.tags.get(&(repository.clone(), tag.clone())).copied(),
        }
    }

    pub(super) fn manifest(
        &self,
        repository: &Repository,
        target: &Target,
    ) -> Option<(Digest, StoredManifest)> {
        let digest = self.resolve(repository, target)?;
        let stored = self.manifests.get(&(repository.clone(), digest))?;
        Some((digest, stored.clone()))
    }

    pub(super) fn blob(&self, repository: &Repository, digest: &Digest) -> Option<Content> {
        let is_member = self.members.contains(&(repository.clone(), *digest));
        self.blobs.get(digest).filter(|_| is_member).cloned()
    }

    /// Bytes of the blobs of all repositories below a path, each blob once.
    pub(super) fn bytes_below(&self, path: &str) -> u64 {
        let below = self
            .members
            .iter()
            .filter(|(name, _)| name.as_str().starts_with(path));
        let blobs: BTreeSet<_> = below.map(|(_, digest)| digest).collect();
        let known = blobs.into_iter().filter_map(|digest| self.blobs.get(digest));
        known.map(Content::len).sum()
    }

    pub(super) fn open_upload(&mut self, repository: &Repository, folder: &Path) -> String {
        self.next_upload += 1;
        let id = format!("upload-{}", self.next_upload);
        let upload = Upload {
            repository: repository.clone(),
            path: folder.join(&id),
            len: 0,
            had_short_chunk: false,
        };
        self.uploads.insert(id.clone(), upload);
        id
    }

    /// Ends an upload: its file becomes the blob, if it has this digest.
    pub(super) fn commit(&mut self, id: &str, digest: Digest) -> io::Result<bool> {
        let Some(upload) = self.uploads.remove(id) else {
            return Ok(false);
        };
        upload.open()?;
        if digest_of(digest.algorithm(), File::open(&upload.path)?)? != digest {
            return Ok(false);
        }
        self.blobs.insert(digest, Content::file(&upload.path)?);
        self.members.insert((upload.repository, digest));
        Ok(true)
    }

    /// What a manifest names that its repository does not hold.
    pub(super) fn missing(&self, repository: &Repository, view: &View) -> Vec<Digest> {
        let blobs = view
            .blobs()
            .filter(|blob| !blob.is_foreign())
            .map(|blob| blob.digest);
        let missing_blobs = blobs.filter(|digest| self.blob(repository, digest).is_none());
        let children = view.children().iter().map(|child| child.digest);
        let missing_children =
            children.filter(|digest| !self.manifests.contains_key(&(repository.clone(), *digest)));
        missing_blobs.chain(missing_children).collect()
    }
}
