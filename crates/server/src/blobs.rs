//! Blobs: sent whole or in part, never content-encoded (containerd asks for layers with
//! `Accept-Encoding: zstd, gzip` and would unpack them twice).

use std::ops::Range;

use http::{StatusCode, header};
use landfall_oci::{Digest, ErrorCode, MediaType, Repository};
use landfall_store::{Content, StoreError, What};

use crate::gate::Action;
use crate::gateway::Reader;
use crate::ns::Candidate;
use crate::range::{WantedRange, wanted_range};
use crate::registry::{Call, Registry, first_found};
use crate::reply::{Body, Builder, Failure, Growing, Reply, etag};

/// What is known of a blob that was found.
pub(crate) enum Blob {
    /// All of it is here.
    Here(Content),
    /// It is on its way.
    Coming(Reader),
    /// Only its length was asked for.
    Length(u64),
}

impl Blob {
    fn len(&self) -> u64 {
        match self {
            Self::Here(content) => content.len(),
            Self::Coming(reader) => reader.extent.len,
            Self::Length(len) => *len,
        }
    }

    fn into_body(self, range: &Range<u64>) -> Body {
        match self {
            Self::Here(content) => part(content, range),
            Self::Coming(reader) => Body::Growing(Growing {
                extent: reader.extent.slice(range.clone()),
                reader,
            }),
            Self::Length(_) => Body::Empty,
        }
    }
}

impl Registry {
    pub(crate) async fn get_blob(
        &self,
        call: &Call<'_>,
        name: &Repository,
        digest: &Digest,
    ) -> Result<Reply, Failure> {
        let (mut candidates, source) = self.sources(call, name)?;
        let Some((source, gateway)) = source.zip(self.gateway.as_ref()) else {
            return self.blob_here(call, digest, &candidates).await;
        };
        // A name that may be of any registry comes after the registry that was meant.
        let guesses: Vec<_> = candidates.extract_if(.., |candidate| candidate.guess).collect();
        let here = self.blob_here(call, digest, &candidates).await;
        if here
            .as_ref()
            .err()
            .is_none_or(|failure| failure.status != StatusCode::NOT_FOUND)
        {
            return here;
        }
        match self.blob_from(call, digest, (gateway, &source)).await {
            Err(failure) if failure.status == StatusCode::RANGE_NOT_SATISFIABLE => Err(failure),
            Err(failure) => {
                let guessed = self.blob_here(call, digest, &guesses).await;
                guessed.map_err(|_| failure)
            }
            found => found,
        }
    }

    /// From what is kept here on purpose.
    async fn blob_here(
        &self,
        call: &Call<'_>,
        digest: &Digest,
        candidates: &[Candidate],
    ) -> Result<Reply, Failure> {
        let nowhere = || Failure::from(StoreError::NotFound(What::Blob(*digest)));
        // A HEAD opens nothing.
        let (candidate, blob) = if call.is_head() {
            first_found!(
                candidates,
                name => self.store.stat_blob(name, digest).await.map(Blob::Length),
                nowhere()
            )?
        } else {
            first_found!(
                candidates,
                name => self.store.open_blob(name, digest).await.map(Blob::Here),
                nowhere()
            )?
        };
        self.send_blob(call, digest, blob, |status| {
            call.found(&candidate, status, digest).local(self)
        })
    }

    /// The answer that has a blob, or the part of it that was asked for; `begin` has the headers that say whose it is.
    pub(crate) fn send_blob(
        &self,
        call: &Call<'_>,
        digest: &Digest,
        blob: Blob,
        begin: impl Fn(StatusCode) -> Builder,
    ) -> Result<Reply, Failure> {
        let len = blob.len();
        let builder = |status| begin(status).header(header::ACCEPT_RANGES, "bytes");
        if call.has(digest) {
            return Ok(builder(StatusCode::NOT_MODIFIED).bare());
        }
        let typed = |status| builder(status).header(header::CONTENT_TYPE, MediaType::OCTET_STREAM.as_str());
        match range_of(call, digest, len) {
            WantedRange::All => Ok(typed(StatusCode::OK).len(len).body(blob.into_body(&(0..len)))),
            WantedRange::Part(range) => {
                let place = format!("bytes {}-{}/{len}", range.start, range.end - 1);
                Ok(typed(StatusCode::PARTIAL_CONTENT)
                    .header(header::CONTENT_RANGE, place)
                    .len(range.end - range.start)
                    .body(blob.into_body(&range)))
            }
            WantedRange::Unsatisfiable => Err(Failure::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                ErrorCode::RangeInvalid,
                format!("the blob has {len} bytes; the range asked for holds none of them"),
            )
            .with(header::CONTENT_RANGE, format!("bytes */{len}"))),
        }
    }

    pub(crate) async fn delete_blob(
        &self,
        call: &Call<'_>,
        name: &Repository,
        digest: &Digest,
    ) -> Result<Reply, Failure> {
        self.permit(call, Action::Delete, name)?;
        self.store.delete_blob(name, digest).await?;
        Ok(Builder::new(StatusCode::ACCEPTED).empty())
    }
}

/// The range asked for; all of it where `If-Range` names other content, or headers alone are asked for (RFC 9110
/// §14.2: a range is asked of GET).
fn range_of(call: &Call<'_>, digest: &Digest, len: u64) -> WantedRange {
    if call.is_head() {
        return WantedRange::All;
    }
    let same = call
        .header(header::IF_RANGE)
        .is_none_or(|known| known.trim() == etag(digest));
    wanted_range(call.header(header::RANGE).filter(|_| same), len)
}

fn part(content: Content, range: &Range<u64>) -> Body {
    match content {
        Content::Extent(extent) => Body::Extent(extent.slice(range.clone())),
        Content::Bytes(bytes) => {
            let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
            Body::Bytes(bytes.slice(at(range.start)..at(range.end)))
        }
    }
}
