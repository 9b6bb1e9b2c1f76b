//! Answers whose content comes through the gateway: what is not here and belongs to another registry.

use std::sync::Arc;

use http::StatusCode;
use http::header::{self, HeaderName};
use landfall_oci::{Digest, Repository, Target};
use landfall_store::{Listing, Page};

use crate::blobs::Blob;
use crate::fallback::Referrers;
use crate::gateway::{FoundBlob, Gateway, SERVED_FROM, STALE, Source};
use crate::listing::tag_list;
use crate::ns::{Candidate, namespace};
use crate::registry::{Call, Registry};
use crate::reply::{Body, Builder, Failure, Reply};

const WARNING: HeaderName = header::WARNING;

/// Who fetches, and what.
pub(crate) type From<'a> = (&'a Arc<Gateway>, &'a Source);

fn candidate(call: &Call<'_>, kept: &Repository) -> Candidate {
    Candidate {
        repository: kept.clone(),
        honoured: namespace(call.query, call.headers).is_some(),
        guess: false,
    }
}

impl Registry {
    pub(crate) async fn manifest_from(
        &self,
        call: &Call<'_>,
        name: &Repository,
        target: &Target,
        (gateway, source): From<'_>,
    ) -> Result<Reply, Failure> {
        let found = gateway.manifest(source, target).await?;
        let candidate = candidate(call, &found.kept);
        let descriptor = found.descriptor;
        self.note_found(
            call,
            name,
            target,
            (&candidate, &descriptor.media_type, &descriptor.digest),
        );
        let begin = |status| {
            let builder = call
                .found(&candidate, status, &descriptor.digest)
                .header(SERVED_FROM, &*found.from);
            match found.stale {
                true => STALE
                    .into_iter()
                    .fold(builder, |builder, warning| builder.header(WARNING, warning)),
                false => builder,
            }
        };
        if call.has(&descriptor.digest) {
            return Ok(begin(StatusCode::NOT_MODIFIED).bare());
        }
        let typed = begin(StatusCode::OK)
            .header(header::CONTENT_TYPE, descriptor.media_type.as_str())
            .len(descriptor.size);
        if call.is_head() {
            return Ok(typed.bare());
        }
        let bytes = match found.bytes {
            Some(bytes) => {
                let mut claim = self.budget.claim();
                claim.cover(bytes.len()).await?;
                self.recent.keep(descriptor.digest, bytes, claim)
            }
            // By its digest: the tag may point elsewhere by now, and the head is made.
            None => {
                let exact = Target::Digest(descriptor.digest);
                let cache = gateway.cache().as_ref();
                self.load(cache, &found.kept, &exact, descriptor.clone())
                    .await?
                    .bytes
            }
        };
        Ok(typed.body(Body::Bytes(bytes)))
    }

    pub(crate) async fn blob_from(
        &self,
        call: &Call<'_>,
        digest: &Digest,
        (gateway, source): From<'_>,
    ) -> Result<Reply, Failure> {
        // Who has it already needs no bytes of it: only that it may know so.
        let head = call.is_head() || call.has(digest);
        let found = gateway.blob(source, digest, head).await?;
        let candidate = candidate(call, source.kept());
        let (blob, from) = match found {
            FoundBlob::Kept(content, from) => (Blob::Here(content), from),
            FoundBlob::Length(len, from) => (Blob::Length(len), from),
            FoundBlob::Coming(reader) => {
                let from = Arc::clone(&reader.from);
                (Blob::Coming(reader), from)
            }
        };
        let begin =
            |status| -> Builder { call.found(&candidate, status, digest).header(SERVED_FROM, &*from) };
        self.send_blob(call, digest, blob, begin)
    }

    /// A page of an upstream's tags; `None` where nobody knows any.
    pub(crate) async fn tags_from(
        &self,
        call: &Call<'_>,
        name: &Repository,
        (limit, (gateway, source)): (usize, From<'_>),
    ) -> Option<Reply> {
        let (mut tags, from) = gateway.tags(source).await;
        if tags.is_empty() {
            return None;
        }
        let after = call.query.get("last").unwrap_or_default();
        tags.retain(|tag| tag.as_str() > after);
        let more = tags.len() > limit;
        tags.truncate(limit);
        let builder = call.from(&candidate(call, source.kept()), StatusCode::OK);
        let listing = Listing { items: tags, more };
        Some(tag_list(
            builder.header(SERVED_FROM, &*from),
            name,
            limit,
            listing,
        ))
    }

    /// A page of what an upstream has about a manifest; `None` where nobody knows of anything.
    pub(crate) async fn referrers_from(
        &self,
        call: &Call<'_>,
        subject: &Digest,
        artifact_type: Option<&str>,
        (page, (gateway, source)): (Page<'_>, From<'_>),
    ) -> Option<(Candidate, Referrers)> {
        let (mut items, _) = gateway.referrers(source, subject, artifact_type).await;
        items.retain(|found| {
            page.after
                .is_none_or(|after| found.digest.to_string().as_str() > after)
        });
        let more = items.len() > page.limit;
        items.truncate(page.limit);
        let next = items.last().filter(|_| more).map(|last| last.digest.to_string());
        (!items.is_empty()).then(|| (candidate(call, source.kept()), Referrers { items, next }))
    }
}
