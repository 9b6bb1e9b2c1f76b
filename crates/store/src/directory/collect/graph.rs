//! What names what in one repository: tags, manifests, their members, blobs and subjects.
//!
//! Digests are numbered, so that the memory is 65 bytes for each of them and four for each time it is named. The
//! bytes of every manifest are hashed before they are believed.

use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;

use landfall_oci::{Digest, RawManifest, Repository, Tag, View};

use super::super::Inner;
use super::super::manifests::Revision;
use super::strict;
use crate::{Link, StoreError};

/// A digest of this repository, by number.
pub(in crate::directory) type Id = u32;

/// For each digest the manifests that keep it.
pub(in crate::directory) type Parents = HashMap<Id, Vec<Id>>;

/// One manifest of the repository.
pub(in crate::directory) struct Node {
    /// When it was last put or asked for by digest.
    pub(in crate::directory) touched: SystemTime,
    pub(in crate::directory) subject: Option<Id>,
    /// Manifests that it lists (some of them may be blobs: caches are made so).
    pub(in crate::directory) children: Box<[Id]>,
    /// Config and layers.
    pub(in crate::directory) blobs: Box<[Id]>,
}

/// The repository as it was read.
#[derive(Default)]
pub(in crate::directory) struct Graph {
    digests: Vec<Digest>,
    ids: HashMap<Digest, Id>,
    pub(in crate::directory) tags: Vec<(Tag, Id)>,
    pub(in crate::directory) nodes: BTreeMap<Id, Node>,
    referrers: HashMap<Id, Vec<Id>>,
    /// Manifests that cannot be understood, and why. Whoever deletes must leave such a repository alone.
    pub(in crate::directory) broken: Vec<(Digest, String)>,
}

impl Graph {
    /// Reads a repository. A manifest that is deleted meanwhile is left out; anything else that cannot be read is
    /// an error.
    pub(in crate::directory) fn read(inner: &Inner, repository: &Repository) -> Result<Self, StoreError> {
        let mut graph = Self::default();
        let layout = &inner.layout;
        for digest in strict::digests(&layout.revisions(repository))? {
            let path = layout.revision(repository, &digest);
            let (Some(revision), Some((_, touched))) =
                (strict::record::<Revision>(&path)?, strict::stat(&path)?)
            else {
                continue;
            };
            if revision.digest != digest {
                return Err(strict::corrupt(
                    &path,
                    format!("it is the record of {}", revision.digest),
                ));
            }
            graph.add(inner, &revision, touched)?;
        }
        let folder = layout.tags(repository);
        for name in strict::names(&folder)? {
            let path = folder.join(&name);
            let tag: Tag = name
                .parse()
                .map_err(|_| strict::corrupt(&path, "not named by a tag"))?;
            let (Some(revision), Some((_, touched))) =
                (strict::record::<Revision>(&path)?, strict::stat(&path)?)
            else {
                continue;
            };
            let id = graph.id(revision.digest);
            // A tag answers also where the manifest's own record is gone: it keeps what it points at.
            if !graph.nodes.contains_key(&id) {
                graph.add(inner, &revision, touched)?;
            }
            graph.tags.push((tag, id));
        }
        Ok(graph)
    }

    fn add(&mut self, inner: &Inner, revision: &Revision, touched: SystemTime) -> Result<(), StoreError> {
        let id = self.id(revision.digest);
        let path = inner.layout.blob(&revision.digest);
        let view = match strict::bytes(&path)? {
            None => Err("its bytes are missing".to_owned()),
            Some(bytes) => understand(revision, bytes),
        };
        let mut node = Node {
            touched,
            subject: revision.subject.map(|digest| self.id(digest)),
            children: Box::default(),
            blobs: Box::default(),
        };
        match view {
            Ok(view) => {
                node.children = view
                    .children()
                    .iter()
                    .map(|child| self.id(child.digest))
                    .collect();
                node.blobs = view.blobs().map(|blob| self.id(blob.digest)).collect();
                node.subject = view.subject().map(|subject| self.id(subject.digest));
            }
            Err(reason) => self.broken.push((revision.digest, reason)),
        }
        if let Some(subject) = node.subject {
            self.referrers.entry(subject).or_default().push(id);
        }
        self.nodes.insert(id, node);
        Ok(())
    }

    fn id(&mut self, digest: Digest) -> Id {
        let next = Id::try_from(self.digests.len()).unwrap_or(Id::MAX);
        let digests = &mut self.digests;
        *self.ids.entry(digest).or_insert_with(|| {
            digests.push(digest);
            next
        })
    }

    pub(in crate::directory) fn digest(&self, id: Id) -> Digest {
        self.digests[id as usize]
    }

    pub(in crate::directory) fn find(&self, digest: &Digest) -> Option<Id> {
        self.ids.get(digest).copied()
    }

    /// Everything that these manifests need, themselves included; by number.
    pub(in crate::directory) fn closure(&self, roots: impl IntoIterator<Item = Id>) -> Vec<bool> {
        let mut needed = vec![false; self.digests.len()];
        let mut left: Vec<Id> = roots.into_iter().collect();
        while let Some(id) = left.pop() {
            if std::mem::replace(&mut needed[id as usize], true) {
                continue;
            }
            left.extend(self.below(id).map(|(next, _)| next));
        }
        needed
    }

    /// What a digest that is kept keeps, and as what.
    fn below(&self, id: Id) -> impl Iterator<Item = (Id, Step)> {
        let node = self.nodes.get(&id).into_iter();
        let named = node.flat_map(|node| {
            let children = node.children.iter().map(|child| (*child, Step::Child));
            children.chain(node.blobs.iter().map(|blob| (*blob, Step::Blob)))
        });
        let referrers = self.referrers.get(&id).into_iter().flatten();
        named.chain(referrers.map(|referrer| (*referrer, Step::Referrer)))
    }

    /// By whom each digest is kept.
    pub(in crate::directory) fn parents(&self) -> Parents {
        let mut above = Parents::new();
        for id in self.nodes.keys() {
            self.below(*id)
                .for_each(|(below, _)| above.entry(below).or_default().push(*id));
        }
        above
    }

    /// The tags that need a digest.
    pub(in crate::directory) fn tags_needing(&self, above: &Parents, wanted: Id) -> Vec<Tag> {
        let mut reached = vec![false; self.digests.len()];
        let mut left = vec![wanted];
        while let Some(id) = left.pop() {
            if !std::mem::replace(&mut reached[id as usize], true) {
                left.extend(above.get(&id).into_iter().flatten());
            }
        }
        let needing = self.tags.iter().filter(|(_, id)| reached[*id as usize]);
        needing.map(|(tag, _)| tag.clone()).collect()
    }

    /// The shortest way from a tag, or else from a manifest without one, to a digest.
    pub(in crate::directory) fn path_to(&self, wanted: &Digest) -> Option<Vec<Link>> {
        let wanted = self.find(wanted)?;
        let tags = self
            .tags
            .iter()
            .map(|(tag, id)| (*id, Some(Link::Tag(tag.clone()))));
        let path = self.search(wanted, tags.collect());
        path.or_else(|| self.search(wanted, self.nodes.keys().map(|id| (*id, None)).collect()))
    }

    fn search(&self, wanted: Id, roots: Vec<(Id, Option<Link>)>) -> Option<Vec<Link>> {
        // For each digest that was reached: from where, and as what.
        let mut reached: HashMap<Id, (Option<Id>, Vec<Link>)> = HashMap::new();
        let mut queue = std::collections::VecDeque::new();
        for (id, tag) in roots {
            let links = match tag {
                Some(tag) => vec![tag, Link::Manifest(self.digest(id))],
                None => vec![Link::Untagged(self.digest(id))],
            };
            if reached.insert(id, (None, links)).is_none() {
                queue.push_back(id);
            }
        }
        while let Some(id) = queue.pop_front() {
            if id == wanted {
                return Some(trace(&reached, id));
            }
            for (next, step) in self.below(id) {
                let digest = self.digest(next);
                let link = match step {
                    Step::Referrer => Link::Referrer(digest),
                    Step::Child if self.nodes.contains_key(&next) => Link::Manifest(digest),
                    Step::Child | Step::Blob => Link::Blob(digest),
                };
                reached.entry(next).or_insert_with(|| {
                    queue.push_back(next);
                    (Some(id), vec![link])
                });
            }
        }
        None
    }
}

#[derive(Clone, Copy)]
enum Step {
    Child,
    Blob,
    Referrer,
}

fn trace(reached: &HashMap<Id, (Option<Id>, Vec<Link>)>, end: Id) -> Vec<Link> {
    let mut path = Vec::new();
    let mut at = Some(end);
    while let Some((from, links)) = at.and_then(|id| reached.get(&id)) {
        path.extend(links.iter().rev().cloned());
        at = *from;
    }
    path.reverse();
    path
}

/// What a manifest names, if its bytes are what their digest says.
fn understand(revision: &Revision, bytes: Vec<u8>) -> Result<View, String> {
    if landfall_hash::digest(revision.digest.algorithm(), &bytes) != revision.digest {
        return Err("its bytes are not what their digest says".to_owned());
    }
    let raw = RawManifest {
        media_type: revision.media_type.clone(),
        digest: revision.digest,
        bytes: bytes.into(),
    };
    raw.view().map_err(|error| error.to_string())
}
