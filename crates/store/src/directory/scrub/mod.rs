//! Scrubbing: reading everything, believing nothing, while the store is in use.
//!
//! First all bytes ([`bytes`]), then the records of each repository ([`records`]), then what is wrong is healed
//! or moved aside ([`heal`]) and reported with the tags that it touches.

mod bytes;
mod heal;
mod records;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use landfall_oci::{Digest, Repository, Tag};

use self::bytes::Identity;
use super::index::has_manifests;
use super::listing::walk;
use super::{DirectoryStore, Inner};
use crate::{Damage, Finding, Observer, Outcome, ScrubOptions, Scrubbed, StoreError};

/// Tags that a finding names; of the others it gives the number.
const TAGS_NAMED: usize = 100;

/// Bytes that are wrong or missing, and whom that touches.
#[derive(Default)]
pub(super) struct Wound {
    damage: Option<Damage>,
    /// Which file was read, so that another one is never moved aside in its place.
    identity: Option<Identity>,
    /// Repositories that have it as a manifest.
    manifest_of: Vec<Repository>,
    tags: Vec<(Repository, Tag)>,
    tags_touched: u64,
}

pub(super) type Wounds = BTreeMap<Digest, Wound>;

impl DirectoryStore {
    /// Reads every blob and every record, and says what is wrong. Wrong or missing bytes are taken from
    /// [`ScrubOptions::heal_from`], or moved aside where that is asked for.
    ///
    /// # Errors
    /// [`StoreError::Io`] when a folder cannot be listed; [`StoreError::Stopped`] when the observer asked for it.
    pub async fn scrub(
        &self,
        options: ScrubOptions,
        observer: Arc<dyn Observer>,
    ) -> Result<Scrubbed, StoreError> {
        let mut scrub = Scrub {
            store: self,
            options,
            observer,
            scrubbed: Scrubbed::default(),
        };
        let mut wounds = scrub.read_all().await?;
        scrub.check_records(&mut wounds).await?;
        scrub.treat(wounds).await?;
        Ok(scrub.scrubbed)
    }
}

/// A scrub at work.
struct Scrub<'a> {
    store: &'a DirectoryStore,
    options: ScrubOptions,
    observer: Arc<dyn Observer>,
    scrubbed: Scrubbed,
}

impl Scrub<'_> {
    fn check_stop(&self) -> Result<(), StoreError> {
        match self.observer.stop() {
            true => Err(StoreError::Stopped),
            false => Ok(()),
        }
    }

    fn report(&mut self, finding: &Finding) {
        if finding.damage.is_damage() {
            self.scrubbed.damaged += 1;
        } else {
            self.scrubbed.notes += 1;
        }
        match finding.outcome {
            Outcome::Healed => self.scrubbed.healed += 1,
            Outcome::Quarantined => self.scrubbed.quarantined += 1,
            Outcome::Left => {}
        }
        self.observer.finding(finding);
    }

    async fn check_records(&mut self, wounds: &mut Wounds) -> Result<(), StoreError> {
        let all = |inner: &Inner| {
            let mut all = Vec::new();
            let _ = walk(&inner.layout.repositories(), None, &mut |repository| {
                // A folder that only leads to repositories is looked at too, and is none.
                let is_filled = has_manifests(&inner.layout.repository(&repository)).unwrap_or_default();
                all.push((repository, is_filled));
                Ok(ControlFlow::Continue(()))
            })?;
            Ok(all)
        };
        for (repository, is_filled) in self.store.with(all).await? {
            self.check_stop()?;
            let known: Vec<Digest> = wounds.keys().copied().collect();
            let name = repository.clone();
            let checked = self
                .store
                .with(move |inner| inner.check_repository(&name, &known))
                .await?;
            self.scrubbed.repositories += u64::from(is_filled);
            for (digest, damage) in checked.wounds {
                wounds.entry(digest).or_default().damage.get_or_insert(damage);
            }
            for (digest, is_manifest, tags) in checked.touched {
                let wound = wounds.entry(digest).or_default();
                wound.touch(&repository, is_manifest, tags);
            }
            for finding in checked.findings {
                self.report(&finding);
            }
        }
        Ok(())
    }

    /// Heals or moves aside what is wrong with bytes, then reports it.
    async fn treat(&mut self, wounds: Wounds) -> Result<(), StoreError> {
        let mut bin = None;
        for (digest, wound) in wounds {
            let Some(damage) = wound.damage.clone() else {
                continue;
            };
            self.check_stop()?;
            let mut outcome = Outcome::Left;
            if heal::heal(self.store, &self.options.heal_from, &digest, &wound).await {
                outcome = Outcome::Healed;
            } else if let (true, Some(identity)) = (self.options.quarantine, wound.identity) {
                let moved = heal::quarantine(self.store, digest, identity, &mut bin).await?;
                outcome = if moved {
                    Outcome::Quarantined
                } else {
                    Outcome::Left
                };
            }
            self.report(&Finding {
                damage,
                digest: Some(digest),
                repository: None,
                place: self.store.inner.place(&self.store.inner.layout.blob(&digest)),
                tags: wound.tags,
                tags_touched: wound.tags_touched,
                outcome,
            });
        }
        Ok(())
    }
}

impl Wound {
    fn touch(&mut self, repository: &Repository, is_manifest: bool, tags: Vec<Tag>) {
        if is_manifest {
            self.manifest_of.push(repository.clone());
        }
        self.tags_touched += tags.len() as u64;
        let room = TAGS_NAMED.saturating_sub(self.tags.len());
        self.tags
            .extend(tags.into_iter().take(room).map(|tag| (repository.clone(), tag)));
    }
}

impl Inner {
    /// A file's place below the root.
    fn place(&self, path: &Path) -> String {
        path.strip_prefix(self.layout.root())
            .unwrap_or(path)
            .display()
            .to_string()
    }
}
