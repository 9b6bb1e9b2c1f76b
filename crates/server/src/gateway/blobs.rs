//! Blobs of other registries, from the side of those who ask.

use std::sync::Arc;

use landfall_client::{ClientError, Missing};
use landfall_oci::{Digest, ErrorCode, Target};
use landfall_store::{Content, Store as _};
use tokio::time::Instant;

use super::ask::Open;
use super::counters::Answered;
use super::fetch::Fetch;
use super::flight::{Flight, Reader};
use super::verdict::Verdict;
use super::{CACHE, Gateway, Source};
use crate::reply::Failure;

/// Fetches on somebody else's behalf that are joined, before one of our own is insisted on.
const JOINED: usize = 3;

/// Whether an upstream says that it has a blob, and of what length.
pub(super) type Proof = Result<(u64, Arc<str>), Verdict>;

/// A blob of an upstream.
#[derive(Debug)]
pub(crate) enum FoundBlob {
    /// In the cache.
    Kept(Content, Arc<str>),
    /// On its way.
    Coming(Reader),
    /// Only its length was asked for.
    Length(u64, Arc<str>),
}

impl Gateway {
    /// A blob, from the cache or from an upstream. `head`: only its length.
    pub(crate) async fn blob(
        self: &Arc<Self>,
        source: &Source,
        digest: &Digest,
        head: bool,
    ) -> Result<FoundBlob, Failure> {
        let label = &source.route.label;
        if let Some(found) = self.cached_blob(source, digest, head).await {
            self.counters.answered(label, Answered::Hit);
            return Ok(found);
        }
        let failure = |verdict: Verdict| {
            let what = format!("the blob {digest} of {}", source.name());
            verdict.into_failure(&what, ErrorCode::BlobUnknown)
        };
        let key = (source.kept.clone(), Target::Digest(*digest));
        if self.missing.has(&key, Instant::now()) {
            self.counters.answered(label, Answered::Remembered);
            return Err(failure(Verdict::default()));
        }
        let found = match head {
            true => self.length(source, digest).await,
            false => self.join(source, digest).await,
        };
        match found {
            Ok((found, how)) => {
                self.counters.answered(label, how);
                Ok(found)
            }
            Err(verdict) => {
                if verdict.is_missing() {
                    self.missing.note(key, Instant::now(), self.options.missing_ttl);
                }
                self.counters.answered(label, Answered::Failed);
                Err(failure(verdict))
            }
        }
    }

    async fn cached_blob(&self, source: &Source, digest: &Digest, head: bool) -> Option<FoundBlob> {
        let found = match head {
            true => {
                let len = self.cache.stat_blob(&source.kept, digest).await;
                len.map(|len| FoundBlob::Length(len, CACHE.into()))
            }
            false => {
                let content = self.cache.open_blob(&source.kept, digest).await;
                content.map(|content| FoundBlob::Kept(content, CACHE.into()))
            }
        };
        if let Err(error) = found.as_ref()
            && !error.is_not_found()
        {
            tracing::warn!(%error, image = source.name(), "the cache cannot be read");
        }
        found.ok()
    }

    async fn length(
        self: &Arc<Self>,
        source: &Source,
        digest: &Digest,
    ) -> Result<(FoundBlob, Answered), Verdict> {
        let coming = self
            .flights
            .get(digest)
            .filter(|flight| flight.is_for(&source.kept));
        if let Some((len, from)) = coming.and_then(|flight| flight.size()) {
            return Ok((FoundBlob::Length(len, from), Answered::Shared));
        }
        let (len, from) = self.prove(source, digest).await?;
        Ok((FoundBlob::Length(len, from), Answered::Miss))
    }

    /// Asks the upstream of a repository whether it has a blob there: what we have from elsewhere says nothing of that.
    pub(super) async fn prove(self: &Arc<Self>, source: &Source, digest: &Digest) -> Proof {
        let (gateway, own, digest) = (Arc::clone(self), source.clone(), *digest);
        let work = move || async move {
            let question = move |open: Open| {
                Box::pin(async move {
                    let (client, host) = (&open.way.client, &open.host.name);
                    let found = client.head_blob(host, &open.way.repository, &digest).await?;
                    found.ok_or_else(|| ClientError::NotFound {
                        what: format!("blob {digest}"),
                        missing: Missing::Blob,
                        detail: String::new(),
                    })
                }) as _
            };
            let (len, host) = gateway.ask(&own, question).await?;
            Ok((len, Arc::clone(&host.label)))
        };
        let key = (source.kept.clone(), digest);
        match self.proofs.run(key, work).await {
            Some((proof, _)) => proof,
            None => Err(Verdict::default()),
        }
    }

    /// Reads along with the fetch of a blob, begun where there is none.
    async fn join(
        self: &Arc<Self>,
        source: &Source,
        digest: &Digest,
    ) -> Result<(FoundBlob, Answered), Verdict> {
        let mut joined = 0;
        loop {
            let (flight, begun) = self.flights.join(digest, || self.begin(source, digest));
            let is_own = begun || flight.is_for(&source.kept);
            if !is_own {
                self.prove(source, digest).await?;
                flight.sources().push(source.clone());
            }
            match flight.reader().await {
                Ok(reader) => {
                    let how = if begun { Answered::Miss } else { Answered::Shared };
                    return Ok((FoundBlob::Coming(reader), how));
                }
                // Another repository's upstream may have what this one's had not.
                Err(_) if !is_own && joined < JOINED => joined += 1,
                Err(verdict) => return Err(verdict),
            }
        }
    }

    fn begin(self: &Arc<Self>, source: &Source, digest: &Digest) -> Arc<Flight> {
        let (flight, tell) = Flight::new(source.clone());
        let fetch = Fetch::new(
            Arc::clone(self),
            source.clone(),
            *digest,
            Arc::clone(&flight),
            tell,
        );
        // On its own: whoever leaves ends nothing.
        tokio::spawn(fetch.run());
        flight
    }
}
