//! The storage folder of zot: each repository is a folder that is an OCI layout, its tags in its `index.json`.
//!
//! Every manifest that was pushed stands in the index, those without a tag without a name, one with two tags twice.
//! A repository holds the blobs whose files lie in its own folder (zot makes them hard links of each other).
//! Whatever else zot keeps there (`.uploads`, `.sync`, `_trivy`, `_blobstore`, `cache.db`) is none of our business.
//! zot rewrites `index.json` in place: for a moment a reader may see half of it.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use landfall_oci::{Digest, MediaType, Repository, Tag, Target};
use serde::Deserialize;

use super::{Found, Tree, blob_file, walk};
use crate::{Beneath, Extent, Listing, Page, Stamp, StoreError};

/// Folders in which a layout is sought: somebody may name `/`.
const LOOKED_AT: u32 = 10_000;
/// The largest `index.json` that is read: some hundred thousand tags.
const MAX_INDEX: usize = 32 << 20;
/// Entries of indexes kept in memory, some 16 MiB; one index is kept whatever its size.
const REMEMBERED: usize = 1 << 16;
/// How long an index that is being rewritten is waited for, in steps.
const SETTLE: Duration = Duration::from_millis(5);
const SETTLE_STEPS: u32 = 20;

/// See the module.
pub(super) struct Zot {
    root: Beneath,
    indexes: Mutex<Remembered>,
}

#[derive(Default)]
struct Remembered {
    by_repository: HashMap<Repository, (Stamp, Arc<Index>)>,
    entries: usize,
}

/// An index as it is asked: by digest and by tag.
#[derive(Default)]
struct Index {
    manifests: BTreeMap<Digest, MediaType>,
    tags: BTreeMap<Tag, Digest>,
}

#[derive(Deserialize)]
struct IndexFile {
    #[serde(default)]
    manifests: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    media_type: MediaType,
    digest: String,
    #[serde(default)]
    annotations: Option<Annotations>,
}

#[derive(Deserialize)]
struct Annotations {
    #[serde(rename = "org.opencontainers.image.ref.name")]
    name: Option<String>,
}

impl Zot {
    /// `None` when there is no layout in the folder, or it is a needle in a haystack.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        let root = Beneath::new(path).map_err(StoreError::io("open", path))?;
        let looked_at = Cell::new(0);
        let is_layout = |repository: &Repository| {
            looked_at.set(looked_at.get() + 1);
            if looked_at.get() > LOOKED_AT {
                return Ok(true);
            }
            let marker = format!("{repository}/oci-layout");
            let found = root.file(&marker);
            found
                .map(|file| file.is_some())
                .map_err(StoreError::io("open", &root.join(&marker)))
        };
        let layouts = walk::page(&root, Page::first(1), &is_layout)?;
        Ok(
            (!layouts.items.is_empty() && looked_at.get() <= LOOKED_AT).then(|| Self {
                indexes: Mutex::default(),
                root,
            }),
        )
    }

    /// The index of a repository; `None` when there is none, or none that can be read.
    fn index(&self, repository: &Repository) -> Result<Option<Arc<Index>>, StoreError> {
        let name = format!("{repository}/index.json");
        let path = self.root.join(&name);
        for _ in 0..SETTLE_STEPS {
            let opened = self.root.file(&name).map_err(StoreError::io("open", &path))?;
            let Some(file) = opened else { return Ok(None) };
            let stamp = || Stamp::of(&file).map_err(StoreError::io("look at", &path));
            let before = stamp()?;
            if let Some(known) = self.known(repository, before) {
                return Ok(Some(known));
            }
            let Some(bytes) = read(&file).map_err(StoreError::io("read", &path))? else {
                tracing::warn!(path = %path.display(), "the index is larger than {MAX_INDEX} bytes: left out");
                return Ok(None);
            };
            let is_calm = stamp()? == before;
            match serde_json::from_slice::<IndexFile>(&bytes) {
                Ok(parsed) if is_calm => {
                    let index = Arc::new(Index::of(parsed, &path));
                    if !before.is_young() {
                        self.remember(repository, before, &index);
                    }
                    return Ok(Some(index));
                }
                Err(error) if is_calm && !before.is_young() => {
                    tracing::warn!(path = %path.display(), %error, "the index cannot be read: left out");
                    return Ok(None);
                }
                // Half written, or written while it was read.
                _ => std::thread::sleep(SETTLE),
            }
        }
        tracing::warn!(path = %path.display(), "the index does not come to rest: left out");
        Ok(None)
    }

    fn known(&self, repository: &Repository, stamp: Stamp) -> Option<Arc<Index>> {
        let indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
        let (read_at, index) = indexes.by_repository.get(repository)?;
        (*read_at == stamp).then(|| Arc::clone(index))
    }

    fn remember(&self, repository: &Repository, stamp: Stamp, index: &Arc<Index>) {
        let mut indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, old)) = indexes.by_repository.remove(repository) {
            indexes.entries -= old.entries();
        }
        if indexes.entries + index.entries() > REMEMBERED {
            *indexes = Remembered::default();
        }
        indexes.entries += index.entries();
        indexes
            .by_repository
            .insert(repository.clone(), (stamp, Arc::clone(index)));
    }
}

impl Index {
    fn of(file: IndexFile, path: &Path) -> Self {
        let mut index = Self::default();
        for entry in file.manifests {
            let Ok(digest) = entry.digest.parse() else {
                tracing::warn!(path = %path.display(), digest = entry.digest, "is not a digest: left out");
                continue;
            };
            let name = entry.annotations.and_then(|annotations| annotations.name);
            // Other programs write longer names; in this place only a tag means something.
            if let Some(tag) = name.and_then(|name| name.parse().ok()) {
                index.tags.insert(tag, digest);
            }
            index.manifests.insert(digest, entry.media_type);
        }
        index
    }

    /// What it costs to keep, one more than it holds: an empty one is not free.
    fn entries(&self) -> usize {
        1 + self.manifests.len() + self.tags.len()
    }
}

/// The bytes of an index; `None` when they are too many.
fn read(file: &File) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    file.take(MAX_INDEX as u64 + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= MAX_INDEX).then_some(bytes))
}

impl Tree for Zot {
    fn blob(&self, repository: &Repository, digest: &Digest) -> Result<Option<Extent>, StoreError> {
        let relative = format!("{repository}/blobs/{}/{}", digest.algorithm(), digest.hex());
        blob_file(&self.root, &relative, digest)
    }

    fn may_hold(&self, _digest: &Digest) -> Result<bool, StoreError> {
        Ok(true)
    }

    fn manifest(&self, repository: &Repository, target: &Target) -> Result<Option<Found>, StoreError> {
        let Some(index) = self.index(repository)? else {
            return Ok(None);
        };
        let digest = match target {
            Target::Digest(digest) => Some(*digest),
            Target::Tag(tag) => index.tags.get(tag).copied(),
        };
        let Some(digest) = digest else { return Ok(None) };
        let media_type = index.manifests.get(&digest).cloned();
        let extent = self.blob(repository, &digest)?;
        // Programs that write a layout name only the roots in its index: what lies below one is a manifest by its shape.
        Ok(extent.map(|extent| Found {
            digest,
            is_declared: media_type.is_some(),
            media_type,
            extent,
        }))
    }

    fn manifests(
        &self,
        repository: &Repository,
        visit: &mut dyn FnMut(Digest) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        match self.index(repository)? {
            Some(index) => index.manifests.keys().try_for_each(|digest| visit(*digest)),
            None => Ok(()),
        }
    }

    fn tags(&self, repository: &Repository, page: Page<'_>) -> Result<Option<Listing<Tag>>, StoreError> {
        let index = self
            .index(repository)?
            .filter(|index| !index.manifests.is_empty());
        let Some(index) = index else { return Ok(None) };
        let behind = |tag: &&Tag| page.after.is_none_or(|after| tag.as_str() > after);
        let mut tags = index.tags.keys().filter(behind);
        let items = tags.by_ref().take(page.limit).cloned().collect();
        let more = tags.next().is_some();
        Ok(Some(Listing { items, more }))
    }

    fn repositories(&self, page: Page<'_>) -> Result<Listing<Repository>, StoreError> {
        walk::page(&self.root, page, &|repository| {
            let index = self.index(repository)?;
            Ok(index.is_some_and(|index| !index.manifests.is_empty()))
        })
    }
}
