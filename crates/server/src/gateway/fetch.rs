//! The fetch of one blob: from the first endpoint that has it, going on at the same or the next where one breaks off,
//! into an upload of the cache that outlives a restart. Nothing is published before its digest is proven.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use landfall_client::{BlobStream, ClientError, Kind};
use landfall_oci::Digest;
use landfall_store::{Chunk, Content, Growing, Store as _, StoreError, UploadId, UploadState};
use tokio::sync::watch;
use tokio::time::Instant;

use super::counters::add;
use super::flight::{Begun, Flight, State};
use super::host::{Endpoint, Host};
use super::verdict::{Trouble, Verdict};
use super::{CACHE, Gateway, Source};

/// After so many bytes it is written down how far a fetch has come, for a power cut.
const SEGMENT: u64 = 64 * 1024 * 1024;
/// So much must come of a round over all endpoints for another one to be worth it.
const PROGRESS: u64 = 1024 * 1024;
/// Between two rounds.
const PAUSE: Duration = Duration::from_millis(300);
/// Beginnings, where bytes turn out to be wrong: each endpoint has its turn.
const SPARE_RUNS: usize = 2;
/// How long a host that sent wrong bytes is not asked for them again.
const DISTRUST: Duration = Duration::from_secs(600);

/// A fetch at work.
pub(super) struct Fetch {
    pub(super) gateway: Arc<Gateway>,
    pub(super) source: Source,
    pub(super) digest: Digest,
    pub(super) flight: Arc<Flight>,
    pub(super) tell: watch::Sender<State>,
    senders: Senders,
}

/// Whose the bytes are that are here so far.
#[derive(Default)]
struct Senders {
    /// Labels of hosts; `None` for what an earlier run of the program has left.
    seen: Vec<Option<Arc<str>>>,
    /// Whether bytes of one are not to be put behind those of another any more.
    apart: bool,
}

/// Why an endpoint did not bring the rest.
enum Stop {
    /// It broke off.
    Sender(ClientError),
    /// We cannot keep it.
    Keeper(StoreError),
}

impl Fetch {
    pub(super) fn new(
        gateway: Arc<Gateway>,
        source: Source,
        digest: Digest,
        flight: Arc<Flight>,
        tell: watch::Sender<State>,
    ) -> Self {
        Self {
            gateway,
            source,
            digest,
            flight,
            tell,
            senders: Senders::default(),
        }
    }

    /// Works to the end, and says how it ended.
    pub(super) async fn run(mut self) {
        add(&self.gateway.counters.fetching, 1);
        let ended = self.work().await;
        // Before it is told: who hears of a failure and asks again shall not be given the same failure again.
        self.gateway.flights.end(&self.digest, &self.flight);
        if let Err(verdict) = &ended {
            tracing::debug!(image = self.source.name(), digest = %self.digest, why = verdict.label(), "a fetch failed");
            let verdict = verdict.clone();
            self.tell.send_modify(|state| state.failed = Some(verdict));
        }
        if ended.is_ok() {
            self.share().await;
        }
        let fetching = &self.gateway.counters.fetching;
        fetching.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    }

    async fn work(&mut self) -> Result<(), Verdict> {
        if self.is_here().await? {
            return Ok(());
        }
        let runs = self.source.route.endpoints.len() + SPARE_RUNS;
        for _ in 0..runs {
            let upload = self.gather().await?;
            if self.prove(&upload).await? {
                return Ok(());
            }
        }
        Err(Verdict::one(&self.source.route.label, Trouble::Corrupt))
    }

    /// Whether it came here meanwhile, or can be had from another repository of the cache.
    async fn is_here(&self) -> Result<bool, Verdict> {
        let (cache, kept) = (&self.gateway.cache, &self.source.kept);
        if self.open_kept().await {
            return Ok(true);
        }
        let Ok(Some(holder)) = cache.find_holder(&self.digest, &|_| true).await else {
            return Ok(false);
        };
        // The bytes are known, but not that this repository has them: that is for its upstream to say.
        self.gateway.prove(&self.source, &self.digest).await?;
        let mounted = cache.mount(&holder, kept, &self.digest).await;
        Ok(mounted.is_ok() && self.open_kept().await)
    }

    async fn open_kept(&self) -> bool {
        let opened = self
            .gateway
            .cache
            .open_blob(&self.source.kept, &self.digest)
            .await;
        let Ok(Content::Extent(extent)) = opened else {
            return false;
        };
        self.tell.send_modify(|state| {
            state.written = extent.len;
            state.proven = true;
            state.begun = Some(Begun {
                extent,
                from: CACHE.into(),
            });
        });
        true
    }

    /// Brings all bytes here, from whoever has them, in as many rounds as there is progress.
    async fn gather(&mut self) -> Result<UploadState, Verdict> {
        let mut upload = self.upload().await?;
        if upload.offset > 0 && self.senders.seen.is_empty() {
            self.senders.seen.push(None);
            add(&self.gateway.counters.resumed, 1);
        }
        let route = Arc::clone(&self.source.route);
        loop {
            let mut verdict = Verdict::default();
            let before = upload.offset;
            for endpoint in &route.endpoints {
                if self.gather_from(endpoint, &mut upload, &mut verdict).await? {
                    return Ok(upload);
                }
            }
            if upload.offset < before + PROGRESS {
                return Err(verdict);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Takes what one endpoint gives; `true` when that was the rest.
    async fn gather_from(
        &mut self,
        endpoint: &Endpoint,
        upload: &mut UploadState,
        verdict: &mut Verdict,
    ) -> Result<bool, Verdict> {
        let label = &endpoint.host.label;
        let distrusted = (Arc::clone(label), self.digest);
        if self.gateway.liars.has(&distrusted, Instant::now()) {
            verdict.note(label, Trouble::Corrupt);
            return Ok(false);
        }
        let Some(open) = self.gateway.open(&self.source, endpoint, verdict) else {
            return Ok(false);
        };
        if self.senders.apart && upload.offset > 0 {
            self.begin_again(upload).await?;
        }
        let (client, repository) = (&open.way.client, &open.way.repository);
        let asked = client
            .blob_of_any_size(&open.host.name, repository, &self.digest, upload.offset)
            .await;
        let mut stream = match asked {
            Ok(stream) => stream,
            Err(error) => {
                self.gateway.failed(&self.source, &open.host, &error, verdict);
                // Ours may be too long for it.
                if error.kind() == Kind::Invalid && upload.offset > 0 {
                    self.begin_again(upload).await?;
                }
                return Ok(false);
            }
        };
        let Some(growing) = self.announce(&open.host, &stream, upload, verdict).await? else {
            return Ok(false);
        };
        let label = Some(Arc::clone(&open.host.label));
        if !self.senders.seen.contains(&label) {
            self.senders.seen.push(label);
        }
        let brought = self.transfer(&open.host, upload, &growing, &mut stream).await;
        *upload = self.upload().await?;
        match brought {
            Ok(()) => {
                open.host.health.succeeded();
                Ok(true)
            }
            Err(Stop::Sender(error)) => {
                self.gateway.failed(&self.source, &open.host, &error, verdict);
                Ok(false)
            }
            Err(Stop::Keeper(error)) => Err(self.cannot_keep(&error)),
        }
    }

    /// Tells those who wait how long it is and where it can be read; `None` when that is not what was told before.
    async fn announce(
        &self,
        host: &Host,
        stream: &BlobStream,
        upload: &UploadState,
        verdict: &mut Verdict,
    ) -> Result<Option<Growing>, Verdict> {
        let size = stream.size();
        let largest = self.gateway.options.largest_blob;
        if largest.is_some_and(|largest| size > largest) {
            let reason = format!("a blob of {size} bytes is larger than what is fetched");
            return Err(Verdict::one(&host.label, Trouble::Local(reason.into())));
        }
        let told = self.tell.borrow().begun.as_ref().map(|begun| begun.extent.len);
        if told.is_some_and(|told| told != size) || size < upload.offset {
            verdict.note(&host.label, Trouble::Corrupt);
            return Ok(None);
        }
        let growing = self.gateway.cache.growing(&self.source.kept, &upload.id).await;
        let growing = growing.map_err(|error| self.cannot_keep(&error))?;
        self.tell.send_modify(|state| {
            state.written = state.written.max(upload.offset);
            state.begun.get_or_insert_with(|| Begun {
                extent: growing.extent(size),
                from: Arc::clone(&host.label),
            });
        });
        Ok(Some(growing))
    }

    /// Puts bytes into the upload until the end, or until they stop coming.
    async fn transfer(
        &self,
        host: &Host,
        upload: &UploadState,
        growing: &Growing,
        stream: &mut BlobStream,
    ) -> Result<(), Stop> {
        let mut offset = upload.offset;
        while offset < stream.size() {
            offset = self.segment(host, upload.id, offset, growing, stream).await?;
        }
        // Nothing may follow.
        match stream.next().await {
            Ok(_) => Ok(()),
            Err(error) => Err(Stop::Sender(error)),
        }
    }

    async fn segment(
        &self,
        host: &Host,
        id: UploadId,
        offset: u64,
        growing: &Growing,
        sender: &mut BlobStream,
    ) -> Result<u64, Stop> {
        let left = sender.size() - offset;
        let mut broke = None;
        let end = offset.saturating_add(SEGMENT);
        let pieces = stream::unfold((sender, &mut broke), |(sender, broke)| async move {
            if sender.offset() >= end {
                return None;
            }
            match sender.next().await {
                Ok(piece) => {
                    let piece = piece?;
                    add(&host.counters.bytes, piece.len() as u64);
                    Some((Ok(piece), (sender, broke)))
                }
                Err(error) => {
                    *broke = Some(error);
                    Some((Err(std::io::ErrorKind::ConnectionAborted.into()), (sender, broke)))
                }
            }
        });
        let chunk = Chunk {
            at: Some(offset),
            len: Some(left),
            is_last: left <= SEGMENT,
            body: Box::pin(pieces),
        };
        let appended = {
            let appending = self.gateway.cache.append(&self.source.kept, &id, chunk);
            let mut appending = std::pin::pin!(appending);
            let mut written = offset;
            loop {
                tokio::select! {
                    ended = &mut appending => break ended,
                    now = growing.beyond(written) => {
                        written = now;
                        self.tell.send_modify(|state| state.written = state.written.max(now));
                    }
                }
            }
        };
        match (broke, appended) {
            (Some(error), _) => Err(Stop::Sender(error)),
            (None, Ok(state)) => {
                self.tell
                    .send_modify(|now| now.written = now.written.max(state.offset));
                Ok(state.offset)
            }
            (None, Err(error)) => Err(Stop::Keeper(error)),
        }
    }

    /// Whether the bytes are those that were asked for: then they are given out to their end, and published.
    async fn prove(&mut self, upload: &UploadState) -> Result<bool, Verdict> {
        let (cache, kept) = (&self.gateway.cache, &self.source.kept);
        let actual = cache.digest_so_far(kept, &upload.id).await;
        let actual = actual.map_err(|error| self.cannot_keep(&error))?;
        if actual == self.digest {
            self.tell.send_modify(|state| state.proven = true);
            match cache.commit(kept, &upload.id, &self.digest).await {
                Ok(bytes) => self.gateway.grew(bytes),
                // Those who wait have right bytes all the same.
                Err(error) => tracing::warn!(%error, image = self.source.name(), "a blob was not kept"),
            }
            return Ok(true);
        }
        add(&self.gateway.counters.corrupt, 1);
        match &self.senders.seen[..] {
            [Some(only)] => {
                tracing::warn!(host = %only, image = self.source.name(), digest = %self.digest, %actual,
                    "an upstream sent wrong bytes: they were thrown away");
                let liar = (Arc::clone(only), self.digest);
                self.gateway.liars.note(liar, Instant::now(), DISTRUST);
            }
            // One of several was wrong; each alone will show which.
            _ => self.senders.apart = true,
        }
        let mut upload = *upload;
        self.begin_again(&mut upload).await?;
        Ok(false)
    }

    /// Throws away what is here. Those who have read of it hear that it is worth nothing.
    async fn begin_again(&mut self, upload: &mut UploadState) -> Result<(), Verdict> {
        let cancelled = self.gateway.cache.cancel(&self.source.kept, &upload.id).await;
        cancelled.map_err(|error| self.cannot_keep(&error))?;
        self.senders.seen.clear();
        self.tell.send_modify(|state| {
            *state = State {
                run: state.run + 1,
                ..State::default()
            };
        });
        *upload = self.upload().await?;
        Ok(())
    }

    async fn upload(&self) -> Result<UploadState, Verdict> {
        let upload = self.gateway.cache.fetch(&self.source.kept, &self.digest).await;
        upload.map_err(|error| self.cannot_keep(&error))
    }

    fn cannot_keep(&self, error: &StoreError) -> Verdict {
        tracing::warn!(%error, image = self.source.name(), digest = %self.digest, "a blob cannot be kept");
        let reason = match error {
            StoreError::NoSpace { .. } => "the cache has no room for it",
            _ => "the cache cannot be written",
        };
        Verdict::one(&CACHE.into(), Trouble::Local(reason.into()))
    }

    /// Gives it to the other repositories that were found to have it.
    async fn share(&self) {
        let sources = self.flight.sources().clone();
        for source in sources.iter().filter(|source| source.kept != self.source.kept) {
            let mounted = self
                .gateway
                .cache
                .mount(&self.source.kept, &source.kept, &self.digest);
            if let Err(error) = mounted.await {
                tracing::debug!(%error, image = source.name(), "a shared blob was not mounted");
            }
        }
    }
}
