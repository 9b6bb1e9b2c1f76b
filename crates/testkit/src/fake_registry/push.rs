//! The writing half: uploads in one piece or in chunks, mounts, manifests.

use std::io::{self, Write};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use landfall_oci::{Digest, MediaType, RawManifest, Repository, Target};

use super::answer::{empty, error, with};
use super::body::Body;
use super::harbor::Pushed;
use super::rules::Fault;
use super::serve::{Call, Face};
use super::token::query_field;
use crate::digest::digest;

/// The largest manifest that is read at all.
const MANIFEST_LIMIT: usize = 16 * 1024 * 1024;

/// `POST /blobs/uploads/`: a mount, a whole blob at once, or a new session.
pub(super) async fn start(
    call: &Call,
    repository: &Repository,
    body: Incoming,
) -> io::Result<Response<Body>> {
    let query = &call.request.query;
    if let Some(digest) = query_field(query, "mount").and_then(|text| text.parse().ok())
        && call.shared.options.mounts
        && try_mount(call, repository, &digest)
    {
        return Ok(created(repository, &digest));
    }
    let id = call.shared.state().open_upload(repository, &call.shared.folder());
    if let Some(digest) = query_field(query, "digest") {
        receive(call, &id, body).await?;
        return commit(call, repository, &id, &digest);
    }
    let mut response = session(empty(StatusCode::ACCEPTED), repository, &id, 0);
    if let Some((min, _)) = call.shared.options.chunked {
        response = with(response, "oci-chunk-min-length", min);
    }
    Ok(response)
}

fn try_mount(call: &Call, repository: &Repository, digest: &Digest) -> bool {
    let from = query_field(&call.request.query, "from").and_then(|text| text.parse::<Repository>().ok());
    let mut state = call.shared.state();
    let is_there = from.is_some_and(|from| state.blob(&from, digest).is_some());
    if is_there {
        state.members.insert((repository.clone(), *digest));
    }
    is_there
}

/// `PATCH`: one chunk.
pub(super) async fn chunk(
    call: &Call,
    repository: &Repository,
    id: &str,
    body: Incoming,
) -> io::Result<Response<Body>> {
    let Some(before) = upload_len(call, id) else {
        return Ok(unknown_upload());
    };
    let claimed = call.request.header("content-range");
    let starts_elsewhere =
        |range: &str| range.split('-').next().and_then(|start| start.parse().ok()) != Some(before);
    if !claimed.is_empty() && starts_elsewhere(claimed) {
        return Ok(session(
            empty(StatusCode::RANGE_NOT_SATISFIABLE),
            repository,
            id,
            before,
        ));
    }
    let len = receive(call, id, body).await?;
    if let Some(refusal) = check_chunk(call, id, len - before) {
        return Ok(refusal);
    }
    Ok(session(empty(StatusCode::ACCEPTED), repository, id, len))
}

/// Chunks below the minimum (but for the last) and above the maximum are refused.
fn check_chunk(call: &Call, id: &str, len: u64) -> Option<Response<Body>> {
    let (min, max) = call.shared.options.chunked?;
    let mut state = call.shared.state();
    let upload = state.uploads.get_mut(id)?;
    let had_short_chunk = std::mem::replace(&mut upload.had_short_chunk, len < min);
    if len > max {
        return Some(error(
            StatusCode::PAYLOAD_TOO_LARGE,
            "SIZE_INVALID",
            "the chunk is too large",
        ));
    }
    had_short_chunk.then(|| {
        error(
            StatusCode::BAD_REQUEST,
            "SIZE_INVALID",
            "an earlier chunk was too small",
        )
    })
}

/// `PUT`: the rest of the blob, and its digest.
pub(super) async fn end(
    call: &Call,
    repository: &Repository,
    id: &str,
    body: Incoming,
) -> io::Result<Response<Body>> {
    let Some(before) = upload_len(call, id) else {
        return Ok(unknown_upload());
    };
    let len = receive(call, id, body).await?;
    if let Some((_, max)) = call.shared.options.chunked
        && len - before > max
    {
        return Ok(error(
            StatusCode::PAYLOAD_TOO_LARGE,
            "SIZE_INVALID",
            "send it in chunks",
        ));
    }
    if let Face::Harbor(harbor) = &*call.shared.face.lock().unwrap()
        && let Some(refusal) = harbor.forbids(&call.shared.state(), repository, &Pushed::Blob(len))
    {
        return Ok(refusal);
    }
    let digest = query_field(&call.request.query, "digest").unwrap_or_default();
    commit(call, repository, id, &digest)
}

/// `GET` of a session: how far it is.
pub(super) fn state(call: &Call, repository: &Repository, id: &str) -> Response<Body> {
    match upload_len(call, id) {
        Some(len) => session(empty(StatusCode::NO_CONTENT), repository, id, len),
        None => unknown_upload(),
    }
}

fn upload_len(call: &Call, id: &str) -> Option<u64> {
    call.shared.state().uploads.get(id).map(|upload| upload.len)
}

fn commit(call: &Call, repository: &Repository, id: &str, digest: &str) -> io::Result<Response<Body>> {
    let Ok(digest) = digest.parse::<Digest>() else {
        return Ok(error(StatusCode::BAD_REQUEST, "DIGEST_INVALID", "no digest"));
    };
    match call.shared.state().commit(id, digest)? {
        true => Ok(created(repository, &digest)),
        false => Ok(error(
            StatusCode::BAD_REQUEST,
            "DIGEST_INVALID",
            "the content has another digest",
        )),
    }
}

/// Appends the request's body to a session; the session's length after it. What arrived before a break is kept.
async fn receive(call: &Call, id: &str, mut body: Incoming) -> io::Result<u64> {
    let (mut file, mut len) = {
        let state = call.shared.state();
        let upload = state
            .uploads
            .get(id)
            .ok_or_else(|| io::Error::other("the upload is gone"))?;
        (upload.open()?, upload.len)
    };
    let limit = match call.fault {
        Some(Fault::DropUpload { after }) => after,
        _ => u64::MAX,
    };
    while call.request.received() < limit {
        let Some(frame) = body.frame().await else { break };
        let Ok(data) = frame.map_err(io::Error::other)?.into_data() else {
            continue;
        };
        call.shared.pace.take(data.len()).await;
        let room = usize::try_from(limit - call.request.received()).unwrap_or(usize::MAX);
        let data = data.slice(..data.len().min(room));
        file.write_all(&data)?;
        len += data.len() as u64;
        call.request.add_received(data.len() as u64);
        if let Some(upload) = call.shared.state().uploads.get_mut(id) {
            upload.len = len;
        }
    }
    match call.request.received() >= limit {
        true => Err(call.reset()),
        false => Ok(len),
    }
}

/// `PUT /manifests/`.
pub(super) async fn manifest(
    call: &Call,
    repository: &Repository,
    target: &Target,
    body: Incoming,
) -> io::Result<Response<Body>> {
    let bytes = whole(call, body).await?;
    if bytes.len() > MANIFEST_LIMIT {
        return Ok(error(
            StatusCode::PAYLOAD_TOO_LARGE,
            "SIZE_INVALID",
            "the manifest is too large",
        ));
    }
    let media_type = MediaType::new(call.request.header(CONTENT_TYPE));
    let named = match target {
        Target::Digest(named) => digest(named.algorithm(), &bytes),
        Target::Tag(_) => crate::digest::sha256(&bytes),
    };
    if matches!(target, Target::Digest(stated) if *stated != named) {
        return Ok(error(
            StatusCode::BAD_REQUEST,
            "DIGEST_INVALID",
            "the manifest has another digest",
        ));
    }
    let raw = match RawManifest::new(Some(&media_type), named, bytes) {
        Ok(raw) => raw,
        Err(reason) => {
            return Ok(error(
                StatusCode::BAD_REQUEST,
                "MANIFEST_INVALID",
                &reason.to_string(),
            ));
        }
    };
    Ok(store_manifest(call, repository, target, raw))
}

fn store_manifest(call: &Call, repository: &Repository, target: &Target, raw: RawManifest) -> Response<Body> {
    let Ok(view) = raw.view() else {
        return error(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", "not a manifest");
    };
    // The face before the state, as everywhere.
    let face = call.shared.face.lock().unwrap();
    let mut state = call.shared.state();
    let forbidden = match &*face {
        Face::Harbor(harbor) => harbor.forbids(&state, repository, &Pushed::Manifest(target)),
        Face::Ecr(ecr) => ecr.forbids(&state, repository, target),
        Face::Plain => None,
    };
    if let Some(refusal) = forbidden {
        return refusal;
    }
    if let Some(missing) = state.missing(repository, &view).first() {
        let message = format!("{missing} is not in {repository}");
        return error(StatusCode::NOT_FOUND, "MANIFEST_BLOB_UNKNOWN", &message);
    }
    let digest = raw.digest;
    let stored = super::StoredManifest {
        media_type: raw.media_type,
        bytes: raw.bytes,
    };
    state.manifests.insert((repository.clone(), digest), stored);
    if let Target::Tag(tag) = target {
        state.tags.insert((repository.clone(), tag.clone()), digest);
    }
    let response = with(
        empty(StatusCode::CREATED),
        "location",
        format!("/v2/{repository}/manifests/{digest}"),
    );
    let response = with(response, "docker-content-digest", digest);
    match view.subject() {
        Some(subject) => with(response, "oci-subject", subject.digest),
        None => response,
    }
}

async fn whole(call: &Call, body: Incoming) -> io::Result<Bytes> {
    let bytes = body.collect().await.map_err(io::Error::other)?.to_bytes();
    call.request.add_received(bytes.len() as u64);
    Ok(bytes)
}

/// `DELETE` of an upload, a manifest, a tag or a blob.
pub(super) fn delete(call: &Call, route: &super::route::Route) -> Response<Body> {
    use super::route::Route;
    let mut state = call.shared.state();
    let was_there = match route {
        Route::Upload(_, id) => {
            let known = state.uploads.remove(id).is_some();
            return if known {
                empty(StatusCode::NO_CONTENT)
            } else {
                unknown_upload()
            };
        }
        Route::Manifest(repository, Target::Tag(tag)) => {
            state.tags.remove(&(repository.clone(), tag.clone())).is_some()
        }
        Route::Manifest(repository, Target::Digest(digest)) => {
            state
                .tags
                .retain(|(name, _), root| name != repository || root != digest);
            state.manifests.remove(&(repository.clone(), *digest)).is_some()
        }
        Route::Blob(repository, digest) => state.members.remove(&(repository.clone(), *digest)),
        _ => false,
    };
    empty(if was_there {
        StatusCode::ACCEPTED
    } else {
        StatusCode::NOT_FOUND
    })
}

fn created(repository: &Repository, digest: &Digest) -> Response<Body> {
    let response = with(
        empty(StatusCode::CREATED),
        "location",
        format!("/v2/{repository}/blobs/{digest}"),
    );
    with(response, "docker-content-digest", digest)
}

fn session(response: Response<Body>, repository: &Repository, id: &str, len: u64) -> Response<Body> {
    let response = with(
        response,
        "location",
        format!("/v2/{repository}/blobs/uploads/{id}?state=x"),
    );
    let response = with(response, "docker-upload-uuid", id);
    with(response, "range", format!("0-{}", len.saturating_sub(1)))
}

fn unknown_upload() -> Response<Body> {
    error(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", "no such upload")
}
