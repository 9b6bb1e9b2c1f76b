//! Manifests of other registries: by digest they never change and are fetched once; a tag is taken at its word for a
//! while, then the upstream is asked whether it still holds, and where it cannot be asked the old word stands.

use std::sync::Arc;

use bytes::Bytes;
use landfall_client::{ClientError, Missing, Revalidated};
use landfall_oci::{Descriptor, ErrorCode, RawManifest, Repository, Tag, Target};
use landfall_store::{PutManifest, Store as _, Unchecked};
use tokio::time::Instant;

use super::ask::Open;
use super::counters::{Answered, add};
use super::host::Host;
use super::verdict::Verdict;
use super::{CACHE, Gateway, Source};
use crate::reply::Failure;

/// What is said of an answer that could not be looked at anew (RFC 7234, 5.5.1 and 5.5.2).
pub(crate) const STALE: [&str; 2] = [
    "110 landfall \"Response is Stale\"",
    "111 landfall \"Revalidation Failed\"",
];

/// A manifest of an upstream.
#[derive(Clone, Debug)]
pub(crate) struct FoundManifest {
    pub(crate) descriptor: Descriptor,
    /// The repository of the cache that has it.
    pub(crate) kept: Repository,
    /// Where it was just fetched.
    pub(crate) bytes: Option<Bytes>,
    /// Who gave it.
    pub(crate) from: Arc<str>,
    /// Whether the upstream could not be asked whether it still holds.
    pub(crate) stale: bool,
}

pub(super) type Outcome = Result<(FoundManifest, Answered), Verdict>;

impl Gateway {
    /// A manifest, from the cache or from an upstream.
    pub(crate) async fn manifest(
        self: &Arc<Self>,
        source: &Source,
        target: &Target,
    ) -> Result<FoundManifest, Failure> {
        let label = &source.route.label;
        let key = (source.kept.clone(), target.clone());
        let cached = self.cached_manifest(source, target).await;
        let is_missing = cached.is_none();
        if let Some(found) = cached.filter(|_| self.is_settled(source, target)) {
            self.counters.answered(label, Answered::Hit);
            return Ok(found);
        }
        let failure = |verdict: Verdict| {
            verdict.into_failure(
                &format!("the manifest {}", source.name()),
                ErrorCode::ManifestUnknown,
            )
        };
        if is_missing && self.missing.has(&key, Instant::now()) {
            self.counters.answered(label, Answered::Remembered);
            return Err(failure(Verdict::default()));
        }
        let (gateway, own, wanted) = (Arc::clone(self), source.clone(), target.clone());
        let work = move || async move {
            // It may have come since.
            let cached = gateway.cached_manifest(&own, &wanted).await;
            match (cached, &wanted) {
                (Some(found), _) if gateway.is_settled(&own, &wanted) => Ok((found, Answered::Hit)),
                (Some(known), Target::Tag(tag)) => gateway.look_again(&own, tag, known).await,
                _ => gateway.fetch_manifest(&own, &wanted).await,
            }
        };
        let Some((outcome, begun)) = self.manifests.run(key, work).await else {
            return Err(landfall_store::StoreError::Stopped.into());
        };
        let how = match &outcome {
            Ok(_) if !begun => Answered::Shared,
            Ok((_, how)) => *how,
            Err(_) => Answered::Failed,
        };
        self.counters.answered(label, how);
        outcome.map(|(found, _)| found).map_err(failure)
    }

    /// Whether what is kept needs no second look.
    fn is_settled(&self, source: &Source, target: &Target) -> bool {
        let key = || (source.kept.clone(), target.clone());
        matches!(target, Target::Digest(_)) || self.fresh.has(&key(), Instant::now())
    }

    async fn cached_manifest(&self, source: &Source, target: &Target) -> Option<FoundManifest> {
        let mut found = self.cache.stat_manifest(&source.kept, target).await;
        // By its digest too: that tells the cache that somebody uses it.
        if let (Ok(known), Target::Tag(_)) = (&found, target) {
            let exact = Target::Digest(known.digest);
            found = self.cache.stat_manifest(&source.kept, &exact).await;
        }
        if let Err(error) = found.as_ref()
            && !error.is_not_found()
        {
            tracing::warn!(%error, image = source.name(), "the cache cannot be read");
        }
        Some(FoundManifest {
            descriptor: found.ok()?,
            kept: source.kept.clone(),
            bytes: None,
            from: CACHE.into(),
            stale: false,
        })
    }

    async fn fetch_manifest(self: &Arc<Self>, source: &Source, target: &Target) -> Outcome {
        let wanted = target.clone();
        let question = move |open: Open| {
            let target = wanted.clone();
            Box::pin(async move { get(&open, &target).await }) as _
        };
        match self.ask(source, question).await {
            Ok((manifest, host)) => Ok((self.keep(source, target, manifest, &host).await, Answered::Miss)),
            Err(verdict) => {
                self.remember_missing(source, target, &verdict);
                Err(verdict)
            }
        }
    }

    /// Asks whether a tag still points at what we know; takes what it points at now.
    async fn look_again(self: &Arc<Self>, source: &Source, tag: &Tag, known: FoundManifest) -> Outcome {
        let (target, digest) = (Target::Tag(tag.clone()), known.descriptor.digest);
        let wanted = target.clone();
        let question = move |open: Open| {
            let target = wanted.clone();
            Box::pin(async move {
                let host = &open.host.name;
                let client = &open.way.client;
                let said = client
                    .revalidate(host, &open.way.repository, &target, &digest)
                    .await?;
                match said {
                    Revalidated::Same => Ok(None),
                    Revalidated::Changed(now) => get(&open, &Target::Digest(now.digest)).await.map(Some),
                    Revalidated::Gone => Err(ClientError::NotFound {
                        what: format!("{target}"),
                        missing: Missing::Manifest,
                        detail: String::new(),
                    }),
                }
            }) as _
        };
        let key = (source.kept.clone(), target.clone());
        match self.ask(source, question).await {
            Ok((None, _)) => {
                self.fresh.note(key, Instant::now(), self.options.tag_ttl);
                Ok((known, Answered::Revalidated))
            }
            Ok((Some(manifest), host)) => {
                let found = self.keep(source, &target, manifest, &host).await;
                Ok((found, Answered::Miss))
            }
            // Nobody has the tag any more. What it pointed at stays, for those who know the digest.
            Err(verdict) if verdict.is_missing() => {
                if let Err(error) = self.cache.delete_tag(&source.kept, tag).await {
                    tracing::debug!(%error, image = source.name(), "a tag that is gone upstream stays in the cache");
                }
                self.remember_missing(source, &target, &verdict);
                Err(verdict)
            }
            Err(verdict) => {
                let why = verdict.label();
                tracing::info!(image = source.name(), %tag, why, "the upstream cannot be asked: the old word stands");
                let stale = FoundManifest { stale: true, ..known };
                Ok((stale, Answered::Stale))
            }
        }
    }

    fn remember_missing(&self, source: &Source, target: &Target, verdict: &Verdict) {
        if verdict.is_missing() {
            let key = (source.kept.clone(), target.clone());
            self.missing.note(key, Instant::now(), self.options.missing_ttl);
        }
    }

    /// Puts a manifest into the cache. Where that does not work, it is given out all the same.
    async fn keep(
        self: &Arc<Self>,
        source: &Source,
        target: &Target,
        manifest: RawManifest,
        host: &Host,
    ) -> FoundManifest {
        add(&host.counters.bytes, manifest.bytes.len() as u64);
        let tags = match target {
            Target::Tag(tag) => std::slice::from_ref(tag),
            Target::Digest(_) => &[],
        };
        let put = PutManifest {
            manifest: &manifest,
            tags,
            // They come when somebody asks for them.
            unchecked: Unchecked::All,
        };
        match self.cache.put_manifest(&source.kept, put).await {
            Ok(()) => {
                self.grew(manifest.bytes.len() as u64);
                let key = (source.kept.clone(), target.clone());
                self.missing.forget(&key);
                self.fresh.note(key, Instant::now(), self.options.tag_ttl);
            }
            Err(error) => tracing::warn!(%error, image = source.name(), "a manifest was not kept"),
        }
        FoundManifest {
            descriptor: manifest.descriptor(),
            kept: source.kept.clone(),
            bytes: Some(manifest.bytes),
            from: Arc::clone(&host.label),
            stale: false,
        }
    }
}

async fn get(open: &Open, target: &Target) -> Result<RawManifest, ClientError> {
    let client = &open.way.client;
    client
        .manifest(&open.host.name, &open.way.repository, target)
        .await
}
