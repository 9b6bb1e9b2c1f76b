//! Blobs: sent whole or in part, never content-encoded (containerd asks for layers with
//! `Accept-Encoding: zstd, gzip` and would unpack them twice).

use std::ops::Range;

use http::{StatusCode, header};
use landfall_oci::{Digest, ErrorCode, MediaType, Repository};
use landfall_store::{Content, StoreError, What};

use crate::gate::Action;
use crate::range::{WantedRange, wanted_range};
use crate::registry::{Call, Registry, first_found};
use crate::reply::{Body, Builder, Failure, Reply, etag};

impl Registry {
    pub(crate) async fn get_blob(
        &self,
        call: &Call<'_>,
        name: &Repository,
        digest: &Digest,
    ) -> Result<Reply, Failure> {
        let candidates = self.readable(call, name)?;
        let nowhere = || Failure::from(StoreError::NotFound(What::Blob(*digest)));
        // A HEAD opens nothing.
        let (candidate, (len, content)) = if call.is_head() {
            let (candidate, len) = first_found!(
                &candidates,
                name => self.store.stat_blob(name, digest).await,
                nowhere()
            )?;
            (candidate, (len, None))
        } else {
            let (candidate, content) = first_found!(
                &candidates,
                name => self.store.open_blob(name, digest).await,
                nowhere()
            )?;
            (candidate, (content.len(), Some(content)))
        };
        let builder = |status| {
            call.found(&candidate, status, digest)
                .header(header::ACCEPT_RANGES, "bytes")
        };
        if call.has(digest) {
            return Ok(builder(StatusCode::NOT_MODIFIED).bare());
        }
        let typed = |status| builder(status).header(header::CONTENT_TYPE, MediaType::OCTET_STREAM.as_str());
        match range_of(call, digest, len) {
            WantedRange::All => {
                let body = content.map_or(Body::Empty, Body::from);
                Ok(typed(StatusCode::OK).len(len).body(body))
            }
            WantedRange::Part(range) => {
                let place = format!("bytes {}-{}/{len}", range.start, range.end - 1);
                let body = content.map_or(Body::Empty, |content| part(content, &range));
                Ok(typed(StatusCode::PARTIAL_CONTENT)
                    .header(header::CONTENT_RANGE, place)
                    .len(range.end - range.start)
                    .body(body))
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
