//! From names to manifests: all of them, in parallel, before the first layer moves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use landfall_client::Client;
use landfall_images::{Entry, Mapping};
use landfall_oci::{Descriptor, Digest, PlatformSet, RawManifest, Reference, Registry, Repository};

use crate::collection::Found;
use crate::supply::{Failed, Routes, Sought, Supply, Way};
use crate::tree::{Content, Tree};
use crate::{Class, Collection, Event, Failure, Reporter, TransferError};

/// Names resolved at once; each registry has its own, lower limit in the client.
pub(crate) const IMAGES_AT_ONCE: usize = 16;
/// Members of one index fetched at once.
const MEMBERS_AT_ONCE: usize = 4;
/// The largest config read while planning (real ones have a few KiB).
const MAX_CONFIG_BYTES: u64 = 4 * 1024 * 1024;

/// What to resolve names with.
#[derive(Clone, Debug, Default)]
pub struct ResolveOptions {
    /// Fetch everything from this registry instead of the names' own.
    pub from: Option<Mapping>,
    /// Which members of an index are wanted.
    pub platforms: PlatformSet,
    /// Carry foreign layers, fetched from their urls.
    pub include_foreign: bool,
    /// Who stands in for the names' own registries, and keeps the record of who gave what.
    pub routes: Option<Arc<Routes>>,
}

impl ResolveOptions {
    /// Where everything is fetched from.
    pub(crate) fn supply(&self, client: &Client) -> Supply {
        Supply {
            client: client.clone(),
            routes: self.routes.clone(),
        }
    }
}

/// Resolves every entry. What cannot be had is in [`Collection::failed`]; nothing else is an error here.
pub async fn resolve(
    entries: &[Entry],
    options: &ResolveOptions,
    client: &Client,
    reporter: &Arc<dyn Reporter>,
) -> Collection {
    reporter.event(&Event::Resolving {
        images: entries.len(),
    });
    let resolver = &Resolver::new(options, client);
    let mut results: Vec<_> = stream::iter(entries.iter().enumerate())
        .map(|(position, entry)| async move {
            let result = resolver.image(entry).await;
            reporter.event(&Event::Resolved {
                reference: &entry.reference,
            });
            (position, result)
        })
        .buffer_unordered(IMAGES_AT_ONCE)
        .collect()
        .await;
    results.sort_by_key(|(position, _)| *position);
    let mut collection = Collection::default();
    for ((_, result), entry) in results.into_iter().zip(entries) {
        let added =
            result.and_then(|(found, content)| collection.add(found, content, options.include_foreign));
        if let Err(error) = added {
            collection.failed.push(failure(entry, &error));
        }
    }
    collection
}

/// An entry that could not be had.
pub(crate) fn failure(entry: &Entry, error: &TransferError) -> Failure {
    Failure {
        reference: Some(entry.reference.clone()),
        asked: entry.text.clone(),
        reason: error.describe(),
        class: error.class(),
    }
}

/// Whoever asks the registries for one run, and remembers the manifests that recur.
pub(crate) struct Resolver<'a> {
    pub(crate) options: &'a ResolveOptions,
    supply: Supply,
    /// Manifests by digest: base images' members recur in many indexes.
    known: Mutex<HashMap<Digest, RawManifest>>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(options: &'a ResolveOptions, client: &Client) -> Self {
        Self {
            options,
            supply: options.supply(client),
            known: Mutex::default(),
        }
    }

    /// What a name points at, and where that was found.
    pub(crate) async fn locate(
        &self,
        reference: &Reference,
        written: &str,
    ) -> Result<(Reference, RawManifest), TransferError> {
        let candidates = match &self.options.from {
            Some(mapping) => mapping.candidates(reference, written)?,
            None => vec![reference.clone()],
        };
        self.first_of(&candidates).await
    }

    /// One image, whole.
    pub(crate) async fn image(&self, entry: &Entry) -> Result<(Found, Content), TransferError> {
        let (place, root) = self.locate(&entry.reference, &entry.text).await?;
        let origin = (place.registry().clone(), place.repository().clone());
        let mut tree = Tree::new(&place.to_string(), root, &self.options.platforms)?;
        if let Some(config) = tree.unchecked_config().cloned() {
            let config = self.config(&origin, &config).await?;
            tree.check_config(&config)?;
        }
        loop {
            let wanted = tree.wanted();
            if wanted.is_empty() {
                break;
            }
            let fetched: Vec<_> = stream::iter(wanted)
                .map(|member| self.member(&origin, member))
                .buffered(MEMBERS_AT_ONCE)
                .try_collect()
                .await?;
            fetched.into_iter().try_for_each(|manifest| tree.add(manifest))?;
        }
        let found = Found {
            reference: entry.reference.clone(),
            asked: entry.text.clone(),
            source: place.to_string(),
            origin: Some(origin),
        };
        Ok((found, tree.finish()))
    }

    /// The first candidate that exists; when none does, the error of the first one. Any other trouble is no answer
    /// to the question whether it exists, and ends the search.
    async fn first_of(&self, candidates: &[Reference]) -> Result<(Reference, RawManifest), TransferError> {
        let mut absent = TransferError::Nothing;
        for (position, place) in candidates.iter().enumerate() {
            match self.supply.named(place).await {
                Ok(manifest) => return Ok((place.clone(), manifest)),
                Err(error) => {
                    if error.class() != Class::NotFound {
                        return Err(error);
                    }
                    if position == 0 {
                        absent = error;
                    }
                }
            }
        }
        Err(absent)
    }

    pub(crate) async fn member(
        &self,
        (registry, repository): &(Registry, Repository),
        member: Descriptor,
    ) -> Result<RawManifest, TransferError> {
        if let Some(known) = self.known().get(&member.digest) {
            return Ok(known.clone());
        }
        let manifest = self
            .supply
            .manifest(registry, repository, member.digest)
            .await
            .map_err(|error| match (error.class(), &member.platform) {
                (Class::NotFound, Some(platform)) => TransferError::MemberMissing {
                    name: format!("{registry}/{repository}"),
                    platform: platform.to_string(),
                    digest: member.digest,
                },
                _ => error,
            })?;
        self.known().insert(member.digest, manifest.clone());
        Ok(manifest)
    }

    pub(crate) async fn config(
        &self,
        (registry, repository): &(Registry, Repository),
        config: &Descriptor,
    ) -> Result<Vec<u8>, TransferError> {
        check_size(config)?;
        let mut failed = Failed::default();
        for way in self.supply.content(registry, repository) {
            match read(&way, config).await {
                Ok(bytes) => return Ok(bytes),
                Err(error) => {
                    self.supply.note(&way, Sought::Blob(config.digest), Some(&error));
                    failed.add(error);
                }
            }
        }
        Err(failed.into_error(format!("{registry}/{repository}@{}", config.digest)))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, RawManifest>> {
        self.known
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// # Errors
/// [`TransferError::ConfigTooLarge`] for what is no config by its size.
pub(crate) fn check_size(config: &Descriptor) -> Result<(), TransferError> {
    match config.size > MAX_CONFIG_BYTES {
        true => Err(TransferError::ConfigTooLarge {
            digest: config.digest,
            size: config.size,
        }),
        false => Ok(()),
    }
}

/// A small blob, whole.
pub(crate) async fn read(way: &Way, blob: &Descriptor) -> Result<Vec<u8>, TransferError> {
    let mut stream = way.client.blob(&way.registry, &way.repository, blob, 0).await?;
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await? {
        bytes.extend_from_slice(&chunk);
    }
    let found = landfall_hash::digest(blob.digest.algorithm(), &bytes);
    match found == blob.digest {
        true => Ok(bytes),
        false => Err(TransferError::WrongDigest {
            digest: blob.digest,
            found: Box::new(found),
            source_name: way.label.to_string(),
        }),
    }
}
