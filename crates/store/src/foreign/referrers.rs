//! Who is about whom, in trees that keep no such record: every manifest is read once, its subject remembered.
//!
//! A manifest's subject is part of what its digest stands for, so what is remembered never becomes untrue. Which
//! manifests a repository has is asked of the tree each time.

use std::collections::HashMap;
use std::sync::Mutex;

use landfall_oci::{Descriptor, Digest, RawManifest, Repository, Target, View};

use super::{Tree, read_checked, read_manifest};
use crate::{Listing, Page, StoreError};

/// Manifests remembered, some 10 MiB. A repository with more of them is read anew for each question.
const REMEMBERED: usize = 1 << 16;

/// The subjects of manifests, by digest.
#[derive(Debug, Default)]
pub(super) struct Subjects {
    known: Mutex<HashMap<Digest, Option<Box<Digest>>>>,
}

/// A question.
pub(super) struct Wanted<'a> {
    pub(super) repository: &'a Repository,
    pub(super) subject: &'a Digest,
    pub(super) artifact_type: Option<&'a str>,
}

impl Subjects {
    /// One page of the answer.
    pub(super) fn page(
        &self,
        tree: &dyn Tree,
        wanted: &Wanted<'_>,
        page: Page<'_>,
    ) -> Result<Listing<Descriptor>, StoreError> {
        let mut about = Vec::new();
        tree.manifests(wanted.repository, &mut |digest| {
            if self.of(tree, wanted.repository, &digest)?.as_deref() == Some(wanted.subject) {
                about.push((digest.to_string(), digest));
            }
            Ok(())
        })?;
        about.sort_unstable();
        about.dedup();
        about.retain(|(text, _)| page.after.is_none_or(|after| text.as_str() > after));
        let mut items = Vec::new();
        for (_, digest) in about {
            // Read again: it may be gone from this repository, and a page is short.
            let descriptor = match read_manifest(tree, wanted.repository, &Target::Digest(digest))? {
                Some(manifest) => describe(&manifest)?,
                None => continue,
            };
            if wanted
                .artifact_type
                .is_some_and(|kind| descriptor.artifact_type.as_deref() != Some(kind))
            {
                continue;
            }
            if items.len() == page.limit {
                return Ok(Listing { items, more: true });
            }
            items.push(descriptor);
        }
        Ok(Listing { items, more: false })
    }

    /// The subject of a manifest. What cannot be read now is asked again the next time.
    fn of(
        &self,
        tree: &dyn Tree,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<Box<Digest>>, StoreError> {
        if let Some(known) = self.known().get(digest) {
            return Ok(known.clone());
        }
        let Some(found) = tree.manifest(repository, &Target::Digest(*digest))? else {
            return Ok(None);
        };
        let bytes = match read_checked(&found) {
            Ok(Some(bytes)) => bytes,
            // Too large: it has no subject that we could show.
            Ok(None) | Err(StoreError::Manifest(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let manifest = RawManifest::new(found.media_type.as_ref(), *digest, bytes);
        let view = manifest.and_then(|manifest| manifest.view());
        let subject = view
            .ok()
            .and_then(|view: View| view.subject().map(|subject| Box::new(subject.digest)));
        let mut known = self.known();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(*digest, subject.clone());
        Ok(subject)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, Option<Box<Digest>>>> {
        // Each entry is whole by itself: a panic elsewhere has spoilt nothing.
        self.known
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// As the referrers API lists it.
fn describe(manifest: &RawManifest) -> Result<Descriptor, StoreError> {
    let view = manifest.view()?;
    let mut descriptor = manifest.descriptor();
    descriptor.artifact_type = view.artifact_type().map(str::to_owned);
    descriptor.annotations = view.annotations().clone();
    Ok(descriptor)
}
