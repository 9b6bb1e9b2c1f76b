//! The reading half of the distribution API: manifests, blobs with ranges, tags, catalog, referrers.

use std::collections::BTreeSet;
use std::io;

use http::{Method, Response, StatusCode};
use landfall_oci::{Digest, MediaType, RawManifest, Repository, Target};
use serde_json::{Value, json};

use super::answer::{empty, error, json_body, sized, with};
use super::body::{Body, full};
use super::rules::Fault;
use super::serve::{Call, Face};
use super::token::query_field;
use crate::workload::Content;

const DIGEST_HEADER: &str = "docker-content-digest";

pub(super) fn manifest(call: &Call, repository: &Repository, target: &Target) -> io::Result<Response<Body>> {
    let found = call.shared.state().manifest(repository, target);
    let Some((digest, stored)) = found else {
        return Ok(error(
            StatusCode::NOT_FOUND,
            "MANIFEST_UNKNOWN",
            "manifest unknown",
        ));
    };
    send(
        call,
        &stored.media_type,
        digest,
        Content::Memory(stored.bytes),
        false,
    )
}

pub(super) fn blob(call: &Call, repository: &Repository, digest: &Digest) -> io::Result<Response<Body>> {
    let found = call.shared.state().blob(repository, digest);
    let Some(content) = found else {
        return Ok(error(
            StatusCode::NOT_FOUND,
            "BLOB_UNKNOWN",
            "blob unknown to registry",
        ));
    };
    if let Some(base) = &call.shared.options.redirect_blobs {
        let response = empty(StatusCode::TEMPORARY_REDIRECT);
        return Ok(with(response, "location", format!("{base}/cdn/{digest}")));
    }
    let ranges = call.shared.options.ranges;
    send(call, &MediaType::OCTET_STREAM, *digest, content, ranges)
}

/// A blob at the place where redirects point to: no repository, no `Docker-Content-Digest`.
pub(super) fn cdn(call: &Call, digest: &Digest) -> io::Result<Response<Body>> {
    let found = call.shared.state().blobs.get(digest).cloned();
    match found {
        Some(content) => send(call, &MediaType::OCTET_STREAM, *digest, content, true),
        None => Ok(empty(StatusCode::NOT_FOUND)),
    }
}

/// Sends content, or the part of it that `Range` asks for, as well as the fault of this call allows.
fn send(
    call: &Call,
    kind: &MediaType,
    digest: Digest,
    content: Content,
    ranges: bool,
) -> io::Result<Response<Body>> {
    let fault = call.fault.clone();
    let total = content.len();
    let ranges = ranges && !matches!(fault, Some(Fault::NoRange));
    let asked = call.request.range().filter(|_| ranges);
    let (start, mut len) = match asked.map(|range| parse_range(range, total)) {
        None => (0, total),
        Some(Some((start, end))) => (start, end - start),
        Some(None) => {
            let response = empty(StatusCode::RANGE_NOT_SATISFIABLE);
            return Ok(with(response, "content-range", format!("bytes */{total}")));
        }
    };
    let whole = len;
    if let Some(Fault::Short { len: short }) = fault {
        len = len.min(short);
    }
    let named = match fault {
        Some(Fault::WrongDigestHeader) => crate::digest::sha256(b"something else"),
        _ => digest,
    };
    let body = match call.request.method == Method::HEAD {
        true => full(""),
        false => call.sending(content, start, len, fault).into_body()?,
    };
    let mut response = sized(Response::new(body), len);
    response = with(response, "content-type", kind);
    response = with(response, DIGEST_HEADER, named);
    if ranges {
        response = with(response, "accept-ranges", "bytes");
    }
    if asked.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let range = format!("bytes {start}-{}/{total}", start + whole - 1);
        response = with(response, "content-range", range);
    }
    Ok(response)
}

/// `bytes=a-b`, `bytes=a-`, `bytes=-n` as start and end (exclusive); `None` when it cannot be satisfied.
fn parse_range(text: &str, total: u64) -> Option<(u64, u64)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let (start, end) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(start), Ok(last)) => (start, last.saturating_add(1).min(total)),
        (Ok(start), Err(_)) => (start, total),
        (Err(_), Ok(count)) => (total.saturating_sub(count), total),
        (Err(_), Err(_)) => return None,
    };
    (start < end).then_some((start, end))
}

pub(super) fn tags(call: &Call, repository: &Repository) -> Response<Body> {
    // ECR's are there before anything is in them.
    let is_made = matches!(&*call.shared.face.lock().unwrap(), Face::Ecr(_));
    let state = call.shared.state();
    let known = |name: &Repository| state.manifests.keys().any(|(repository, _)| repository == name);
    if !is_made && !known(repository) {
        return error(
            StatusCode::NOT_FOUND,
            "NAME_UNKNOWN",
            "repository name not known to registry",
        );
    }
    let tags = state
        .tags
        .keys()
        .filter(|(name, _)| name == repository)
        .map(|(_, tag)| tag.to_string());
    let (page, more) = page(call, tags.collect());
    linked(call, json!({"name": repository.as_str(), "tags": page}), more)
}

pub(super) fn catalog(call: &Call) -> Response<Body> {
    let state = call.shared.state();
    let names: BTreeSet<String> = state.manifests.keys().map(|(name, _)| name.to_string()).collect();
    let (page, more) = page(call, names.into_iter().collect());
    linked(call, json!({"repositories": page}), more)
}

/// The names after `last`, at most `n`; and the `last` of the next page when there is one.
fn page(call: &Call, names: Vec<String>) -> (Vec<String>, Option<String>) {
    let limit = query_field(&call.request.query, "n")
        .and_then(|n| n.parse().ok())
        .unwrap_or(usize::MAX);
    let last = query_field(&call.request.query, "last").unwrap_or_default();
    let mut rest: Vec<_> = names.into_iter().filter(|name| *name > last).collect();
    let has_more = rest.len() > limit;
    rest.truncate(limit);
    let next = rest.last().cloned().filter(|_| has_more);
    (rest, next)
}

fn linked(call: &Call, body: Value, more: Option<String>) -> Response<Body> {
    let response = json_body(StatusCode::OK, &body);
    let Some(last) = more else {
        return response;
    };
    let n = query_field(&call.request.query, "n").unwrap_or_default();
    let link = format!("<{}?last={last}&n={n}>; rel=\"next\"", call.request.path);
    with(response, "link", link)
}

pub(super) fn referrers(call: &Call, repository: &Repository, subject: &Digest) -> Response<Body> {
    let state = call.shared.state();
    let mut entries = Vec::new();
    for ((name, digest), stored) in &state.manifests {
        let raw = RawManifest {
            media_type: stored.media_type.clone(),
            digest: *digest,
            bytes: stored.bytes.clone(),
        };
        let Ok(view) = raw.view() else { continue };
        if name == repository && view.subject().is_some_and(|named| named.digest == *subject) {
            let mut entry = raw.descriptor();
            entry.artifact_type = view.artifact_type().map(str::to_owned);
            entry.annotations = view.annotations().clone();
            entries.push(entry);
        }
    }
    entries.sort_by_key(|entry| entry.digest);
    let body = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX.as_str(), "manifests": entries});
    with(
        json_body(StatusCode::OK, &body),
        "content-type",
        MediaType::OCI_INDEX,
    )
}
