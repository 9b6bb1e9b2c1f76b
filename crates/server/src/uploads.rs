//! Uploads: in one request, in two, in chunks, as a stream, or not at all because a mount does.

use http::{StatusCode, header};
use landfall_oci::{Algorithm, Digest, DigestError, ErrorCode, Repository};
use landfall_store::{Chunk, StoreError, UploadId, UploadState};

use crate::body::{RequestBody, stream, stream_of};
use crate::gate::Action;
use crate::range::{ChunkRange, ChunkRangeError, chunk};
use crate::registry::{Call, Registry};
use crate::reply::{Builder, Failure, Reply, UPLOAD_UUID};

impl Registry {
    /// `POST /v2/<name>/blobs/uploads/`
    pub(crate) async fn start_upload<B: RequestBody>(
        &self,
        call: &Call<'_>,
        name: &Repository,
        body: &mut B,
    ) -> Result<Reply, Failure> {
        self.permit(call, Action::Push, name)?;
        if let Some(text) = call.query.get("mount") {
            let digest = parse_digest(text)?;
            if self.try_mount(call, name, &digest).await? {
                return Ok(created(name, &digest));
            }
            // Not to be had: the client uploads, and is told so by a 202.
            return self.begin(name, Some(digest.algorithm())).await;
        }
        if let Some(text) = call.query.get("digest") {
            let digest = parse_digest(text)?;
            return self.upload_at_once(call, name, &digest, body).await;
        }
        self.begin(name, hint(call)?).await
    }

    async fn begin(&self, name: &Repository, hint: Option<Algorithm>) -> Result<Reply, Failure> {
        let upload = self.store.start_upload(name, hint).await?;
        Ok(progress(StatusCode::ACCEPTED, name, &upload).empty())
    }

    /// Whether the blob could be had from another repository that the caller may read. What it may not read, and
    /// what is not there, look the same (CVE-2024-39897).
    async fn try_mount(&self, call: &Call<'_>, name: &Repository, digest: &Digest) -> Result<bool, Failure> {
        let may_read = |from: &Repository| self.gate.may_mount_from(call.caller, from);
        let from = match call.query.get("from").filter(|from| !from.is_empty()) {
            Some(text) => text.parse().ok().filter(may_read),
            None => self.store.find_holder(digest, &may_read).await?,
        };
        let Some(from) = from else {
            return Ok(false);
        };
        match self.store.mount(&from, name, digest).await {
            Ok(()) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn upload_at_once<B: RequestBody>(
        &self,
        call: &Call<'_>,
        name: &Repository,
        digest: &Digest,
        body: &mut B,
    ) -> Result<Reply, Failure> {
        let upload = self.store.start_upload(name, Some(digest.algorithm())).await?;
        let chunk = Chunk {
            at: Some(0),
            len: content_length(call),
            is_last: true,
            body: stream(body, self.patience),
        };
        let stored = match self.store.append(name, &upload.id, chunk).await {
            Ok(_) => self.store.commit(name, &upload.id, digest).await,
            Err(error) => Err(error),
        };
        if let Err(error) = stored {
            // Nobody knows its name: it must not wait for its expiry.
            let _ = self.store.cancel(name, &upload.id).await;
            return Err(error.into());
        }
        Ok(created(name, digest))
    }

    /// `GET /v2/<name>/blobs/uploads/<id>`
    pub(crate) async fn upload_state(
        &self,
        call: &Call<'_>,
        name: &Repository,
        id: &UploadId,
    ) -> Result<Reply, Failure> {
        self.permit(call, Action::Push, name)?;
        let upload = self.store.upload(name, id).await?;
        Ok(progress(StatusCode::NO_CONTENT, name, &upload).bare())
    }

    /// `PATCH /v2/<name>/blobs/uploads/<id>`
    pub(crate) async fn patch_upload<B: RequestBody>(
        &self,
        call: &Call<'_>,
        name: &Repository,
        id: &UploadId,
        body: &mut B,
    ) -> Result<Reply, Failure> {
        self.permit(call, Action::Push, name)?;
        let upload = self.append(call, name, id, false, body).await?;
        Ok(progress(StatusCode::ACCEPTED, name, &upload).empty())
    }

    /// `PUT /v2/<name>/blobs/uploads/<id>?digest=`, perhaps with the last chunk or all of it.
    pub(crate) async fn finish_upload<B: RequestBody>(
        &self,
        call: &Call<'_>,
        name: &Repository,
        id: &UploadId,
        body: &mut B,
    ) -> Result<Reply, Failure> {
        self.permit(call, Action::Push, name)?;
        let digest = parse_digest(call.query.get("digest").unwrap_or_default())?;
        if !body.is_end_stream() {
            self.append(call, name, id, true, body).await?;
        }
        self.store.commit(name, id, &digest).await?;
        Ok(created(name, &digest))
    }

    /// `DELETE /v2/<name>/blobs/uploads/<id>`
    pub(crate) async fn cancel_upload(
        &self,
        call: &Call<'_>,
        name: &Repository,
        id: &UploadId,
    ) -> Result<Reply, Failure> {
        self.permit(call, Action::Push, name)?;
        self.store.cancel(name, id).await?;
        Ok(Builder::new(StatusCode::NO_CONTENT).bare())
    }

    async fn append<B: RequestBody>(
        &self,
        call: &Call<'_>,
        name: &Repository,
        id: &UploadId,
        is_last: bool,
        body: &mut B,
    ) -> Result<UploadState, Failure> {
        let at_fault = |error| self.explain(name, id, error);
        let Some(range) = self.chunk_range(call, name, id).await? else {
            let chunk = Chunk {
                at: None,
                len: content_length(call),
                is_last,
                body: stream(body, self.patience),
            };
            return self.store.append(name, id, chunk).await.map_err(at_fault);
        };
        let chunk = Chunk {
            at: Some(range.start),
            len: Some(range.len),
            is_last,
            body: stream_of(body, range.len, self.patience),
        };
        let upload = self.store.append(name, id, chunk).await.map_err(at_fault)?;
        match upload.offset - range.start == range.len {
            true => Ok(upload),
            false => Err(wrong_size("the chunk is shorter than its Content-Range says")),
        }
    }

    /// The chunk's place, where the sender named one.
    async fn chunk_range(
        &self,
        call: &Call<'_>,
        name: &Repository,
        id: &UploadId,
    ) -> Result<Option<ChunkRange>, Failure> {
        let Some(text) = call.header(header::CONTENT_RANGE) else {
            return Ok(None);
        };
        let range = match chunk(text) {
            Ok(range) => range,
            Err(ChunkRangeError::Malformed) => {
                return Err(Failure::new(
                    StatusCode::BAD_REQUEST,
                    ErrorCode::BlobUploadInvalid,
                    format!("the Content-Range `{text}` is not `first-last`"),
                ));
            }
            Err(ChunkRangeError::Backwards) => {
                let have = self.store.upload(name, id).await?.offset;
                return Err(self.explain(name, id, StoreError::RangeMismatch { have }));
            }
        };
        match content_length(call).is_none_or(|len| len == range.len) {
            true => Ok(Some(range)),
            false => Err(wrong_size("Content-Length and Content-Range do not agree")),
        }
    }

    /// A chunk in the wrong place is told the right one.
    fn explain(&self, name: &Repository, id: &UploadId, error: StoreError) -> Failure {
        let StoreError::RangeMismatch { have } = error else {
            return error.into();
        };
        Failure::from(error)
            .with(header::LOCATION, location(name, id))
            .with(header::RANGE, range_header(have))
            .with(UPLOAD_UUID, id.to_string())
    }
}

fn location(name: &Repository, id: &UploadId) -> String {
    format!("/v2/{name}/blobs/uploads/{id}")
}

/// `0-<last byte>`. An empty upload cannot be said that way; docker says `0-0`.
fn range_header(offset: u64) -> String {
    format!("0-{}", offset.saturating_sub(1))
}

fn progress(status: StatusCode, name: &Repository, upload: &UploadState) -> Builder {
    Builder::new(status)
        .header(header::LOCATION, location(name, &upload.id))
        .header(header::RANGE, range_header(upload.offset))
        .header(UPLOAD_UUID, upload.id.to_string())
}

fn created(name: &Repository, digest: &Digest) -> Reply {
    Builder::new(StatusCode::CREATED)
        .header(header::LOCATION, format!("/v2/{name}/blobs/{digest}"))
        .digest(digest)
        .empty()
}

fn wrong_size(message: &str) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, ErrorCode::SizeInvalid, message)
}

fn content_length(call: &Call<'_>) -> Option<u64> {
    call.header(header::CONTENT_LENGTH)?.parse().ok()
}

fn parse_digest(text: &str) -> Result<Digest, Failure> {
    text.parse().map_err(no_digest)
}

/// `?digest-algorithm=`: which digest is to come.
fn hint(call: &Call<'_>) -> Result<Option<Algorithm>, Failure> {
    let parse = |text: &str| text.parse().map_err(no_digest);
    call.query.get("digest-algorithm").map(parse).transpose()
}

fn no_digest(error: DigestError) -> Failure {
    Failure::new(
        StatusCode::BAD_REQUEST,
        ErrorCode::DigestInvalid,
        error.to_string(),
    )
}
