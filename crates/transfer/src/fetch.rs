//! One blob from wherever it can be had to where it should rest: streamed, hashed while it is written, continued
//! where an earlier run stopped, and accepted only when the digest is right.

use std::io;
use std::sync::Arc;

use futures_util::StreamExt;
use landfall_bundle::{BundleError, LayoutDir, Pending, Writer};
use landfall_client::BlobStream;
use landfall_hash::{HashService, HashStream, Sink};
use landfall_store::Extent;

use crate::collection::UniqueBlob;
use crate::supply::{Sought, Supply, Way};
use crate::{Event, Reporter, TransferError};

/// What a fetch works with.
#[derive(Clone, Copy)]
pub(crate) struct Fetcher<'a> {
    pub(crate) supply: &'a Supply,
    pub(crate) hash: &'a HashService,
    pub(crate) reporter: &'a Arc<dyn Reporter>,
}

impl Fetcher<'_> {
    /// Into a bundle. Sources are tried in order; what a run before this one left is used once.
    pub(crate) async fn fetch_to_bundle(
        &self,
        blob: &UniqueBlob,
        pending: Pending,
        writer: &Writer,
    ) -> Result<(), TransferError> {
        let digest = blob.descriptor.digest;
        self.reporter.event(&Event::BlobStarted {
            digest,
            size: pending.size,
            already: pending.written,
        });
        let mut already = pending.written;
        let mut last_error = TransferError::Nothing;
        for source in Source::of(blob, self.supply) {
            // Twice where a prefix from an earlier run may be what is wrong.
            for _ in 0..2 {
                let before = std::mem::take(&mut already);
                let sink = Box::new(SkipTo {
                    skip: before,
                    sink: writer.sink(&digest, before)?,
                });
                let prefix = if before > 0 {
                    Some(writer.prefix(&digest)?)
                } else {
                    None
                };
                let error = match self.attempt(blob, &source, prefix, sink).await {
                    Ok(()) => {
                        let writer = writer.clone();
                        return blocking(move || writer.complete(&digest)).await;
                    }
                    Err(error) if is_local(&error) => return Err(error),
                    Err(error) => error,
                };
                let is_wrong = matches!(error, TransferError::WrongDigest { .. });
                if is_wrong {
                    let writer = writer.clone();
                    blocking(move || writer.reset(&digest)).await?;
                }
                last_error = telling(blob, last_error, error);
                if !(is_wrong && before > 0) {
                    // What one source has given need not come again from the next.
                    already = writer.prefix(&digest)?.len;
                    break;
                }
            }
        }
        Err(last_error)
    }

    /// Into an OCI layout directory.
    pub(crate) async fn fetch_to_directory(
        &self,
        blob: &UniqueBlob,
        directory: &LayoutDir,
    ) -> Result<(), TransferError> {
        let (digest, size) = (blob.descriptor.digest, blob.descriptor.size);
        self.reporter.event(&Event::BlobStarted {
            digest,
            size,
            already: 0,
        });
        let mut last_error = TransferError::Nothing;
        for source in Source::of(blob, self.supply) {
            let directory = directory.clone();
            let (new, sink) = blocking(move || directory.blob(&digest, size)).await?;
            match self.attempt(blob, &source, None, Box::new(sink)).await {
                Ok(()) => return blocking(move || new.commit()).await,
                Err(error) if is_local(&error) => return Err(error),
                Err(error) => last_error = telling(blob, last_error, error),
            }
        }
        Err(last_error)
    }

    /// One source, from the end of the prefix on.
    async fn attempt(
        &self,
        blob: &UniqueBlob,
        source: &Source<'_>,
        prefix: Option<Extent>,
        sink: Box<dyn Sink>,
    ) -> Result<(), TransferError> {
        let digest = blob.descriptor.digest;
        let already = prefix.as_ref().map_or(0, |prefix| prefix.len);
        let mut hashed = self.hash.stream_into(digest.algorithm(), sink);
        if let Some(prefix) = prefix {
            hash_prefix(&prefix, &mut hashed).await?;
        }
        let mut moved = 0;
        let copied = match already < blob.descriptor.size {
            true => self.copy(blob, source, already, &mut hashed, &mut moved).await,
            false => Ok(()),
        };
        let found = match copied {
            Ok(()) => hashed.finish().await.map_err(TransferError::from),
            Err(error) => Err(error),
        };
        let result = match found {
            Ok(found) if found == digest => {
                source.note(self.supply, blob, None);
                return Ok(());
            }
            Ok(found) => Err(TransferError::WrongDigest {
                digest,
                found: Box::new(found),
                source_name: source.to_string(),
            }),
            Err(error) => Err(error),
        };
        source.note(self.supply, blob, result.as_ref().err());
        self.reporter
            .event(&Event::BlobRestarted { digest, bytes: moved });
        result
    }

    async fn copy(
        &self,
        blob: &UniqueBlob,
        source: &Source<'_>,
        already: u64,
        hashed: &mut HashStream,
        moved: &mut u64,
    ) -> Result<(), TransferError> {
        let mut body = source.open(self.supply, blob, already).await?;
        let digest = blob.descriptor.digest;
        while let Some(chunk) = body.next().await? {
            let bytes = chunk.len() as u64;
            hashed.update(chunk).await?;
            *moved += bytes;
            self.reporter.event(&Event::BlobMoved { digest, bytes });
        }
        Ok(())
    }
}

/// Bytes of an earlier run are hashed again: the journal says how many there are, not that they are right.
async fn hash_prefix(prefix: &Extent, hashed: &mut HashStream) -> Result<(), TransferError> {
    let mut pieces = std::pin::pin!(prefix.stream(0..prefix.len));
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(landfall_hash::HashError::Sink)?;
        hashed.update(piece).await?;
    }
    Ok(())
}

/// File work that may wait for a disk.
pub(crate) async fn blocking<T, F>(work: F) -> Result<T, TransferError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, BundleError> + Send + 'static,
{
    Ok(tokio::task::spawn_blocking(work).await??)
}

/// Of two failures the one that says more. That a registry does not hold a foreign layer says nothing: it need not.
fn telling(blob: &UniqueBlob, before: TransferError, now: TransferError) -> TransferError {
    let says_nothing = blob.descriptor.is_foreign() && now.class() == crate::Class::NotFound;
    match says_nothing && !matches!(before, TransferError::Nothing) {
        true => before,
        false => now,
    }
}

/// The disk is full or the file cannot be written: no other source will help.
pub(crate) fn is_local(error: &TransferError) -> bool {
    error.class() == crate::Class::Local
}

/// One place to fetch a blob from.
enum Source<'a> {
    Repository(Way),
    Urls(&'a [String]),
}

impl<'a> Source<'a> {
    /// All places, best first. Foreign layers are looked for in the registry too: many hold them all the same.
    fn of(blob: &'a UniqueBlob, supply: &Supply) -> Vec<Self> {
        let ways = |(registry, repository): &_| supply.content(registry, repository);
        let repositories = blob.sources.iter().flat_map(ways).map(Self::Repository);
        match blob.descriptor.is_foreign() && !blob.descriptor.urls.is_empty() {
            true => std::iter::once(Self::Urls(&blob.descriptor.urls))
                .chain(repositories)
                .collect(),
            false => repositories.collect(),
        }
    }

    async fn open(
        &self,
        supply: &Supply,
        blob: &UniqueBlob,
        offset: u64,
    ) -> Result<BlobStream, TransferError> {
        Ok(match self {
            Self::Repository(way) => {
                way.client
                    .blob(&way.registry, &way.repository, &blob.descriptor, offset)
                    .await?
            }
            Self::Urls(urls) => {
                supply
                    .client
                    .external_blob(urls, &blob.descriptor, offset)
                    .await?
            }
        })
    }

    fn note(&self, supply: &Supply, blob: &UniqueBlob, error: Option<&TransferError>) {
        if let Self::Repository(way) = self {
            supply.note(way, Sought::Blob(blob.descriptor.digest), error);
        }
    }
}

impl std::fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Repository(way) => f.write_str(&way.label),
            Self::Urls(urls) => f.write_str(&urls.join(", ")),
        }
    }
}

/// Lets bytes that are in place already pass by unwritten, so that one stream hashes the whole blob.
struct SkipTo<S> {
    skip: u64,
    sink: S,
}

impl<S: Sink> Sink for SkipTo<S> {
    fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        let passed = usize::try_from(self.skip).unwrap_or(usize::MAX).min(chunk.len());
        self.skip -= passed as u64;
        match &chunk[passed..] {
            [] => Ok(()),
            rest => self.sink.write(rest),
        }
    }
}
