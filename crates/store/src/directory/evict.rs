//! Making room in a store that is a cache: what nobody has asked for for the longest goes first, whole images at a time,
//! until the rest fits. What goes is deleted like anything else; the bytes go by the usual collection.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use landfall_oci::{Digest, Repository};

use super::collect::graph::{Graph, Id};
use super::collect::strict;
use super::listing::walk;
use super::{DirectoryStore, Inner};
use crate::{CollectOptions, Evicted, StoreError};

/// An image, or a manifest that belongs to none.
struct Root {
    repository: Arc<Repository>,
    digest: Digest,
    /// When somebody last asked for any of it.
    used: SystemTime,
    /// All that it needs.
    manifests: Vec<Digest>,
    blobs: Vec<Digest>,
}

/// How many images still need each thing.
#[derive(Default)]
struct Needed {
    bytes: HashMap<Digest, (u32, u64)>,
    in_repository: HashMap<(Arc<Repository>, Digest), u32>,
}

impl DirectoryStore {
    /// Bytes of all blobs and manifests, those included that a collection would remove.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub async fn used_bytes(&self) -> Result<u64, StoreError> {
        self.with(Inner::used_bytes).await
    }

    /// Deletes images, the least recently used first, until no more than `most` bytes are left, and nothing that was
    /// asked for within `spare`. When something was last asked for is known to half of the grace period.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] while another collection is under way; [`StoreError::Io`], [`StoreError::Corrupt`].
    pub async fn evict(&self, most: u64, spare: Duration) -> Result<Evicted, StoreError> {
        let (before, evicted) = self.with(move |inner| inner.evict(most, spare)).await?;
        if before <= most {
            return Ok(Evicted {
                manifests: 0,
                freed: 0,
                left: before,
            });
        }
        let options = CollectOptions {
            grace: Some(spare),
            keep_trash: Duration::ZERO,
            ..CollectOptions::default()
        };
        self.collect(options, Arc::new(())).await?;
        let left = self
            .with(|inner| {
                let _upkeep = inner.upkeep()?;
                inner.empty_trash(Duration::ZERO, SystemTime::now())?;
                inner.used_bytes()
            })
            .await?;
        Ok(Evicted {
            manifests: evicted,
            freed: before.saturating_sub(left),
            left,
        })
    }
}

impl Inner {
    fn used_bytes(&self) -> Result<u64, StoreError> {
        let mut used = 0;
        let mut visit = |_, folder: &std::path::Path| {
            for name in strict::names(folder)? {
                used += strict::stat(&folder.join(name))?.map_or(0, |(len, _)| len);
            }
            Ok(())
        };
        self.each_blob_folder(&mut visit, &mut |_| {})?;
        Ok(used)
    }

    fn evict(&self, most: u64, spare: Duration) -> Result<(u64, u64), StoreError> {
        let before = self.used_bytes()?;
        if before <= most {
            return Ok((before, 0));
        }
        let mut roots = Vec::new();
        let _ = walk(&self.layout.repositories(), None, &mut |repository| {
            self.roots_of(repository, &mut roots)?;
            Ok(ControlFlow::Continue(()))
        })?;
        roots.sort_by_key(|root| root.used);
        let mut needed = Needed::default();
        for root in &roots {
            needed.add(self, root)?;
        }
        let (now, mut left, mut evicted) = (SystemTime::now(), before, 0);
        for root in &roots {
            let is_young = now.duration_since(root.used).unwrap_or_default() < spare;
            if left <= most || is_young {
                break;
            }
            left -= self.drop_root(root, &mut needed)?;
            evicted += 1;
        }
        Ok((before, evicted))
    }

    fn roots_of(&self, repository: Repository, roots: &mut Vec<Root>) -> Result<(), StoreError> {
        let graph = Graph::read(self, &repository)?;
        let parents = graph.parents();
        let repository = Arc::new(repository);
        let is_root = |id: &Id| !parents.contains_key(id);
        for id in graph.nodes.keys().copied().filter(is_root) {
            let needed = graph.closure([id]);
            let mut root = Root {
                repository: Arc::clone(&repository),
                digest: graph.digest(id),
                used: SystemTime::UNIX_EPOCH,
                manifests: Vec::new(),
                blobs: Vec::new(),
            };
            for below in (0..needed.len()).filter(|at| needed[*at]) {
                let Ok(below) = Id::try_from(below) else { continue };
                let digest = graph.digest(below);
                match graph.nodes.get(&below) {
                    Some(node) => {
                        root.used = root.used.max(node.touched);
                        root.manifests.push(digest);
                    }
                    None => {
                        let member = self.layout.member(&repository, &digest);
                        if let Some((_, touched)) = strict::stat(&member)? {
                            root.used = root.used.max(touched);
                            root.blobs.push(digest);
                        }
                    }
                }
            }
            roots.push(root);
        }
        Ok(())
    }

    /// Deletes what only this image needs; says how many bytes nobody needs any more.
    fn drop_root(&self, root: &Root, needed: &mut Needed) -> Result<u64, StoreError> {
        let mut freed = 0;
        // What lists the others first, so that nothing ever lists what is gone.
        let others = root.manifests.iter().filter(|digest| **digest != root.digest);
        for digest in std::iter::once(&root.digest).chain(others) {
            let (is_last_here, bytes) = needed.release(&root.repository, digest);
            freed += bytes;
            if is_last_here {
                if_there(self.delete_manifest(&root.repository, digest))?;
            }
        }
        for digest in &root.blobs {
            let (is_last_here, bytes) = needed.release(&root.repository, digest);
            freed += bytes;
            if is_last_here {
                if_there(self.delete_blob(&root.repository, digest))?;
            }
        }
        Ok(freed)
    }
}

impl Needed {
    fn add(&mut self, inner: &Inner, root: &Root) -> Result<(), StoreError> {
        for digest in root.manifests.iter().chain(&root.blobs) {
            let key = (Arc::clone(&root.repository), *digest);
            *self.in_repository.entry(key).or_default() += 1;
            if let Some((count, _)) = self.bytes.get_mut(digest) {
                *count += 1;
                continue;
            }
            let size = strict::stat(&inner.layout.blob(digest))?.map_or(0, |(len, _)| len);
            self.bytes.insert(*digest, (1, size));
        }
        Ok(())
    }

    /// One less needs it: whether nobody in this repository does any more, and the bytes where nobody at all does.
    fn release(&mut self, repository: &Arc<Repository>, digest: &Digest) -> (bool, u64) {
        let here = self
            .in_repository
            .get_mut(&(Arc::clone(repository), *digest))
            .map(|count| {
                *count = count.saturating_sub(1);
                *count
            });
        let freed = self.bytes.get_mut(digest).map(|(count, size)| {
            *count = count.saturating_sub(1);
            if *count == 0 { *size } else { 0 }
        });
        (here == Some(0), freed.unwrap_or_default())
    }
}

fn if_there(deleted: Result<(), StoreError>) -> Result<(), StoreError> {
    match deleted {
        Err(error) if error.is_not_found() => Ok(()),
        other => other,
    }
}
