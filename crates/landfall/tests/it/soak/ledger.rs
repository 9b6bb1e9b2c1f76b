//! What was acknowledged: the truth that the registry is measured against.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use landfall_oci::{Descriptor, Digest, Repository, Tag};

/// An image that a repository was acknowledged to hold.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) repository: Repository,
    pub(crate) digest: Digest,
    pub(crate) blobs: Vec<Descriptor>,
}

#[derive(Default)]
struct Book {
    images: BTreeMap<(String, Digest), Held>,
    /// What a tag may point at: one digest when its last change was acknowledged, more when it was cut off.
    tags: BTreeMap<(String, String), BTreeSet<Digest>>,
}

/// Everybody's book.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<Book>);

impl Ledger {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap()
    }

    /// A push begins: from now on the tag may point at it.
    pub(crate) fn begin(&self, repository: &Repository, tag: &Tag, digest: Digest) {
        let key = (repository.to_string(), tag.to_string());
        if let Some(known) = self.book().tags.get_mut(&key) {
            known.insert(digest);
        }
    }

    /// It was acknowledged. Only one hand pushes to a tag.
    pub(crate) fn pushed(&self, held: Held, tag: &Tag) {
        let name = held.repository.to_string();
        let mut book = self.book();
        book.tags
            .insert((name.clone(), tag.to_string()), [held.digest].into());
        book.images.insert((name, held.digest), held);
    }

    /// Takes an image out, before it is deleted: neither it nor its tags are owed to anybody from now on.
    pub(crate) fn give_up(&self, number: u64) -> Option<Held> {
        let mut book = self.book();
        let count = book.images.len() as u64;
        let key = book.images.keys().nth((number % count.max(1)) as usize)?.clone();
        let held = book.images.remove(&key)?;
        book.tags
            .retain(|(repository, _), digests| *repository != key.0 || !digests.contains(&key.1));
        Some(held)
    }

    pub(crate) fn any(&self, number: u64) -> Option<Held> {
        let book = self.book();
        let count = book.images.len() as u64;
        book.images
            .values()
            .nth((number % count.max(1)) as usize)
            .cloned()
    }

    pub(crate) fn has(&self, held: &Held) -> bool {
        self.book()
            .images
            .contains_key(&(held.repository.to_string(), held.digest))
    }

    pub(crate) fn images(&self) -> Vec<Held> {
        self.book().images.values().cloned().collect()
    }

    pub(crate) fn tags(&self) -> Vec<(Repository, Tag, BTreeSet<Digest>)> {
        let parse = |((repository, tag), digests): (&(String, String), &BTreeSet<Digest>)| {
            (repository.parse().unwrap(), tag.parse().unwrap(), digests.clone())
        };
        self.book().tags.iter().map(parse).collect()
    }
}
