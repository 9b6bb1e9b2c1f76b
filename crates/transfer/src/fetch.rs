//! One blob from wherever it can be had to its place in a bundle: streamed, hashed while it is written, continued
//! where an earlier run stopped, and accepted only when the digest is right.

use std::io;
use std::sync::Arc;

use futures_util::StreamExt;
use landfall_bundle::{Pending, Writer};
use landfall_client::{BlobStream, Client};
use landfall_hash::{HashService, HashStream, Sink};
use landfall_oci::Digest;

use crate::collection::UniqueBlob;
use crate::{Event, Reporter, TransferError};

/// What a fetch works with.
pub(crate) struct Fetcher<'a> {
    pub(crate) client: &'a Client,
    pub(crate) hash: &'a HashService,
    pub(crate) writer: &'a Writer,
    pub(crate) reporter: &'a Arc<dyn Reporter>,
}

impl Fetcher<'_> {
    /// Fetches one blob. Sources are tried in order; what a run before this one left is used once.
    pub(crate) async fn fetch(&self, blob: &UniqueBlob, pending: Pending) -> Result<(), TransferError> {
        let digest = blob.descriptor.digest;
        self.reporter.event(&Event::BlobStarted { digest, size: pending.size, already: pending.written });
        let mut already = pending.written;
        let mut last_error = TransferError::Nothing;
        for source in Source::of(blob) {
            // Twice where a prefix from an earlier run may be what is wrong.
            for _ in 0..2 {
                let before = already;
                match self.attempt(blob, source, std::mem::take(&mut already)).await {
                    Ok(()) => return Ok(()),
                    Err(error) if is_local(&error) => return Err(error),
                    Err(error) => {
                        let wrong_prefix = before > 0 && matches!(error, TransferError::WrongDigest { .. });
                        last_error = error;
                        if !wrong_prefix {
                            break;
                        }
                    }
                }
            }
        }
        Err(last_error)
    }

    async fn attempt(&self, blob: &UniqueBlob, source: Source<'_>, already: u64) -> Result<(), TransferError> {
        let digest = blob.descriptor.digest;
        let sink = SkipTo { skip: already, sink: self.writer.sink(&digest, already)? };
        let mut hashed = self.hash.stream_into(digest.algorithm(), Box::new(sink));
        self.hash_prefix(&digest, already, &mut hashed).await?;
        let mut moved = 0;
        let copied = match already < blob.descriptor.size {
            true => self.copy(blob, source, already, &mut hashed, &mut moved).await,
            false => Ok(()),
        };
        let found = match copied {
            Ok(()) => hashed.finish().await?,
            Err(error) => {
                self.reporter.event(&Event::BlobRestarted { digest, bytes: moved });
                return Err(error);
            }
        };
        if found != digest {
            self.reporter.event(&Event::BlobRestarted { digest, bytes: already + moved });
            self.on_writer(move |writer| writer.reset(&digest)).await?;
            return Err(TransferError::WrongDigest { digest, found, source_name: source.to_string() });
        }
        self.on_writer(move |writer| writer.complete(&digest)).await
    }

    /// Bytes of an earlier run are hashed again: the journal says how many there are, not that they are right.
    async fn hash_prefix(&self, digest: &Digest, already: u64, hashed: &mut HashStream) -> Result<(), TransferError> {
        if already == 0 {
            return Ok(());
        }
        let extent = self.writer.prefix(digest)?;
        let mut pieces = std::pin::pin!(extent.stream(0..already));
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(landfall_hash::HashError::Sink)?;
            hashed.update(piece).await?;
        }
        Ok(())
    }

    async fn copy(
        &self,
        blob: &UniqueBlob,
        source: Source<'_>,
        already: u64,
        hashed: &mut HashStream,
        moved: &mut u64,
    ) -> Result<(), TransferError> {
        let mut body = source.open(self.client, blob, already).await?;
        let digest = blob.descriptor.digest;
        while let Some(chunk) = body.next().await? {
            let bytes = chunk.len() as u64;
            hashed.update(chunk).await?;
            *moved += bytes;
            self.reporter.event(&Event::BlobMoved { digest, bytes });
        }
        Ok(())
    }

    async fn on_writer<F>(&self, work: F) -> Result<(), TransferError>
    where
        F: FnOnce(&Writer) -> Result<(), landfall_bundle::BundleError> + Send + 'static,
    {
        let writer = self.writer.clone();
        Ok(tokio::task::spawn_blocking(move || work(&writer)).await??)
    }
}

/// The disk is full or the file cannot be written: no other source will help.
pub(crate) fn is_local(error: &TransferError) -> bool {
    error.class() == crate::Class::Local
}

/// One place to fetch a blob from.
#[derive(Clone, Copy)]
enum Source<'a> {
    Repository(&'a (landfall_oci::Registry, landfall_oci::Repository)),
    Urls(&'a [String]),
}

impl<'a> Source<'a> {
    /// All places, best first. Foreign layers are looked for in the registry too: many hold them all the same.
    fn of(blob: &'a UniqueBlob) -> Vec<Self> {
        let repositories = blob.sources.iter().map(Self::Repository);
        match blob.descriptor.is_foreign() && !blob.descriptor.urls.is_empty() {
            true => std::iter::once(Self::Urls(&blob.descriptor.urls)).chain(repositories).collect(),
            false => repositories.collect(),
        }
    }

    async fn open(&self, client: &Client, blob: &UniqueBlob, offset: u64) -> Result<BlobStream, TransferError> {
        Ok(match self {
            Self::Repository((registry, repository)) => {
                client.blob(registry, repository, &blob.descriptor, offset).await?
            }
            Self::Urls(urls) => client.external_blob(urls, &blob.descriptor, offset).await?,
        })
    }
}

impl std::fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Repository((registry, repository)) => write!(f, "{registry}/{repository}"),
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
