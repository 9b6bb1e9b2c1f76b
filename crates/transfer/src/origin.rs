//! Where the bytes of a push come from: an extent of a bundle, or another registry as a stream.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use landfall_bundle::Bundle;
use landfall_client::{BlobSource, BlobStream};
use landfall_hash::{HashService, HashStream};
use landfall_oci::{Digest, Registry, Repository};
use landfall_store::Extent;

use crate::collection::UniqueBlob;
use crate::supply::Supply;
use crate::{Event, Reporter, TransferError};

/// What a push takes its blobs from.
#[derive(Clone)]
pub(crate) enum Origin {
    /// In place, from the first of these bundles that has it.
    Bundles(Arc<[Bundle]>),
    /// Streamed from the registries that [`UniqueBlob::sources`] names.
    Registries(Supply),
}

impl Origin {
    /// A source for one blob; `None` when no bundle holds it.
    pub(crate) fn source(&self, blob: &UniqueBlob, hash: &HashService) -> Option<Box<dyn PushSource>> {
        match self {
            Self::Bundles(bundles) => {
                let extent = bundles
                    .iter()
                    .find_map(|bundle| bundle.blob(&blob.descriptor.digest))?;
                Some(Box::new(FromBundle { extent }))
            }
            Self::Registries(supply) => Some(Box::new(FromRegistry {
                supply: supply.clone(),
                hash: hash.clone(),
                blob: blob.clone(),
                failure: Arc::default(),
            })),
        }
    }

    /// Repositories of the target registry that hold the blob already, because it is copied within one registry.
    pub(crate) fn siblings(&self, blob: &UniqueBlob, target: &Registry) -> Vec<Repository> {
        match self {
            Self::Bundles(_) => Vec::new(),
            Self::Registries(_) => blob
                .sources
                .iter()
                .filter(|(registry, _)| registry == target)
                .map(|(_, repository)| repository.clone())
                .collect(),
        }
    }
}

/// A source that can say afterwards what went wrong on its own side.
#[async_trait::async_trait]
pub(crate) trait PushSource: BlobSource {
    /// After a failed push: the failure that began here, if it did.
    async fn blame(&self, digest: &Digest, hash: &HashService) -> Option<TransferError>;
    /// The same, as what the client takes.
    fn as_source(&self) -> &dyn BlobSource;
}

struct FromBundle {
    extent: Extent,
}

#[async_trait::async_trait]
impl BlobSource for FromBundle {
    fn size(&self) -> u64 {
        self.extent.len
    }

    async fn open(&self, offset: u64) -> io::Result<BoxStream<'static, io::Result<Bytes>>> {
        Ok(self.extent.stream(offset..self.extent.len).boxed())
    }
}

#[async_trait::async_trait]
impl PushSource for FromBundle {
    /// Bundles are not hashed on the way out, the registry does that; when it refuses the bytes, they are hashed here
    /// to tell a damaged bundle from a broken registry.
    async fn blame(&self, digest: &Digest, hash: &HashService) -> Option<TransferError> {
        let mut hashed = hash.stream(digest.algorithm());
        let mut pieces = std::pin::pin!(self.extent.stream(0..self.extent.len));
        while let Some(piece) = pieces.next().await {
            hashed.update(piece.ok()?).await.ok()?;
        }
        let found = hashed.finish().await.ok()?;
        (found != *digest).then_some(TransferError::DamagedBlob {
            digest: *digest,
            found: Box::new(found),
        })
    }

    fn as_source(&self) -> &dyn BlobSource {
        self
    }
}

struct FromRegistry {
    supply: Supply,
    hash: HashService,
    blob: UniqueBlob,
    failure: Arc<Mutex<Option<TransferError>>>,
}

#[async_trait::async_trait]
impl BlobSource for FromRegistry {
    fn size(&self) -> u64 {
        self.blob.descriptor.size
    }

    async fn open(&self, offset: u64) -> io::Result<BoxStream<'static, io::Result<Bytes>>> {
        let body = self.body(offset).await.map_err(|error| self.fail(error))?;
        let digest = self.blob.descriptor.digest;
        // A part cannot be checked by itself; there the target registry's own check has to do.
        let hashed = (offset == 0).then(|| self.hash.stream(digest.algorithm()));
        let relay = Relay {
            body,
            hashed,
            held: None,
            digest,
            failure: Arc::clone(&self.failure),
        };
        Ok(stream::unfold(Some(relay), Relay::next).boxed())
    }
}

impl FromRegistry {
    async fn body(&self, offset: u64) -> Result<BlobStream, TransferError> {
        let descriptor = &self.blob.descriptor;
        let mut last = TransferError::Nothing;
        let ways = |(registry, repository): &_| self.supply.content(registry, repository);
        for way in self.blob.sources.iter().flat_map(ways) {
            match way
                .client
                .blob(&way.registry, &way.repository, descriptor, offset)
                .await
            {
                Ok(body) => return Ok(body),
                Err(error) => last = error.into(),
            }
        }
        match descriptor.is_foreign() {
            true => Ok(self
                .supply
                .client
                .external_blob(&descriptor.urls, descriptor, offset)
                .await?),
            false => Err(last),
        }
    }

    fn fail(&self, error: TransferError) -> io::Error {
        keep(&self.failure, error)
    }
}

#[async_trait::async_trait]
impl PushSource for FromRegistry {
    async fn blame(&self, _: &Digest, _: &HashService) -> Option<TransferError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn as_source(&self) -> &dyn BlobSource {
        self
    }
}

/// Puts the error aside for [`PushSource::blame`]; the upload only learns that its source failed.
fn keep(failure: &Mutex<Option<TransferError>>, error: TransferError) -> io::Error {
    let message = error.describe();
    *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    io::Error::other(message)
}

/// Passes chunks on, one behind: the last one leaves only when the digest of all of them is right, so that wrong
/// bytes can never complete an upload.
struct Relay {
    body: BlobStream,
    hashed: Option<HashStream>,
    held: Option<Bytes>,
    digest: Digest,
    failure: Arc<Mutex<Option<TransferError>>>,
}

impl Relay {
    async fn next(this: Option<Self>) -> Option<(io::Result<Bytes>, Option<Self>)> {
        let mut this = this?;
        match this.step().await {
            Ok(Some((chunk, true))) => Some((Ok(chunk), Some(this))),
            Ok(Some((chunk, false))) => Some((Ok(chunk), None)),
            Ok(None) => None,
            Err(error) => Some((Err(keep(&this.failure, error)), None)),
        }
    }

    /// The chunk to pass on, and whether more follow.
    async fn step(&mut self) -> Result<Option<(Bytes, bool)>, TransferError> {
        while let Some(chunk) = self.body.next().await? {
            if let Some(hashed) = &mut self.hashed {
                hashed.update(chunk.clone()).await?;
            }
            if let Some(before) = self.held.replace(chunk) {
                return Ok(Some((before, true)));
            }
        }
        if let Some(hashed) = self.hashed.take() {
            let found = hashed.finish().await?;
            if found != self.digest {
                let source_name = "the source registry".to_owned();
                return Err(TransferError::WrongDigest {
                    digest: self.digest,
                    found: Box::new(found),
                    source_name,
                });
            }
        }
        Ok(self.held.take().map(|last| (last, false)))
    }
}

/// Tells the reporter of each chunk that leaves, and takes it back when the upload has to begin again.
pub(crate) struct Counted<'a> {
    pub(crate) source: &'a dyn BlobSource,
    pub(crate) reporter: Arc<dyn Reporter>,
    pub(crate) digest: Digest,
    pub(crate) position: Arc<AtomicU64>,
}

#[async_trait::async_trait]
impl BlobSource for Counted<'_> {
    fn size(&self) -> u64 {
        self.source.size()
    }

    async fn open(&self, offset: u64) -> io::Result<BoxStream<'static, io::Result<Bytes>>> {
        let digest = self.digest;
        let before = self.position.swap(offset, Ordering::Relaxed);
        if before > offset {
            self.reporter.event(&Event::BlobRestarted {
                digest,
                bytes: before - offset,
            });
        }
        let (reporter, position) = (Arc::clone(&self.reporter), Arc::clone(&self.position));
        let counted = self.source.open(offset).await?.inspect(move |chunk| {
            if let Ok(chunk) = chunk {
                let bytes = chunk.len() as u64;
                position.fetch_add(bytes, Ordering::Relaxed);
                reporter.event(&Event::BlobMoved { digest, bytes });
            }
        });
        Ok(counted.boxed())
    }
}
